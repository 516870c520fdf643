"""The side bar: by work, not by model. A feature's models appear as soon as they are registered."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from orderhub.console.pages import pages_of
from orderhub.core.words import Lane

ORDER = "orderhub.order"
ICONS = {
    "orderhub.order": "receipt_long",
    "orderhub.reject": "report",
    "orderhub.inboxitem": "inbox",
    "orderhub.effect": "outbox",
    "orderhub.warehousereport": "mark_chat_read",
    "orderhub.shop": "storefront",
    "orderhub.shiprule": "timer",
    "orderhub.warehouse": "warehouse",
    "orderhub.agentgroup": "groups",
    "orderhub.sku": "sell",
    "orderhub.stocklevel": "inventory_2",
    "orderhub.apitoken": "key",
    "orderhub.reveal": "visibility",
    "orderhub.jobheartbeat": "monitor_heart",
    "django_q.schedule": "schedule",
    "auth.user": "person",
    "auth.group": "admin_panel_settings",
    "admin.logentry": "history",
    "triage.rule": "alt_route",
    "triage.ruleset": "history_edu",
    "triage.vocabulary": "spellcheck",
    "triage.campaignprice": "local_offer",
    "triage.skubaseline": "query_stats",
    "triage.buyerlisting": "person_alert",
    "triage.iplisting": "lan",
    "triage.shippingstop": "block",
    "channels_sync.shopsync": "sync",
    "channels_sync.syncrun": "manage_history",
    "channels_sync.listing": "link",
    "channels_sync.platformreveal": "lock_open",
    "channels_sync.backfill": "fast_rewind",
    "channels_sync.reconciliation": "difference",
}
TITLES: dict[str, str | Promise] = {
    "auth.group": _("Roles"),
    "auth.user": _("People"),
    "admin.logentry": _("Change log"),
}
APP_ICONS = {"triage": "rule", "channels_sync": "sync"}


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the side bar: pages that name `key`, `models` by name (`app.model`), what is left of `apps`."""

    key: str
    title: str | Promise
    models: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()


SECTIONS = (
    Section(
        "triage",
        _("Triage rules"),
        ("triage.rule", "triage.ruleset", "triage.vocabulary", "triage.campaignprice", "triage.skubaseline",
         "triage.buyerlisting", "triage.iplisting", "triage.shippingstop"),
        ("triage",),
    ),
    Section(
        "channels",
        _("Channels"),
        ("orderhub.shop", "orderhub.shiprule", "channels_sync.listing", "orderhub.reject", "orderhub.inboxitem",
         "channels_sync.backfill", "channels_sync.reconciliation", "channels_sync.syncrun", "channels_sync.shopsync"),
        ("channels_sync",),
    ),
    Section(
        "stock",
        _("Warehouses and stock"),
        ("orderhub.effect", "orderhub.warehousereport", "orderhub.stocklevel", "orderhub.sku", "orderhub.warehouse"),
    ),
    Section(
        "people",
        _("People"),
        ("auth.user", "auth.group", "orderhub.agentgroup", "orderhub.reveal", "channels_sync.platformreveal"),
    ),
    Section(
        "system", _("System"), ("orderhub.jobheartbeat", "django_q.schedule", "orderhub.apitoken", "admin.logentry")
    ),
)  # fmt: skip

QUEUES: tuple[tuple[str, str | Promise, str], ...] = (
    ("regular", Lane.REGULAR.label, "trending_flat"),
    ("confirm", _("To confirm"), "help"),
    ("abnormal", _("Abnormal"), "warning"),
    ("urgent", _("Urgent"), "bolt"),
    ("short", _("Short of stock"), "production_quantity_limits"),
    ("drift", _("Claims disagree"), "call_split"),
)
"""Saved views of the order list that are queues: key, title, icon."""


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the side bar of this person, in the theme's form, without parts they may not see."""
    registered = {item.opts.label_lower: item for item in admin.site._registry.values()}  # noqa: SLF001  (has no public form)
    allowed = {name: item for name, item in registered.items() if item.has_view_or_change_permission(request)}
    groups: list[dict[str, Any]] = [{"title": None, "items": list(_first(request, allowed))}]
    if ORDER in allowed:
        groups.append({"title": _("Queues"), "items": [_queue(request, *queue) for queue in QUEUES]})
    groups += [
        {"title": section.title, "items": [*_pages(request, section), *_models(request, section, allowed)]}
        for section in SECTIONS
    ]
    return [group for group in groups if group["items"]]


def _first(request: HttpRequest, allowed: "dict[str, ModelAdmin[Any]]") -> Iterator[dict[str, Any]]:
    home = reverse("admin:index")
    yield {"title": _("Overview"), "icon": "dashboard", "link": home, "active": request.path == home}
    if ORDER in allowed:
        link = reverse("admin:orderhub_order_changelist")
        here = request.path.startswith(link) and request.GET.get("view", "all") == "all"
        yield {"title": _("Orders"), "icon": ICONS[ORDER], "link": link, "active": here}
    try:
        yield {"title": _("Agents' desk"), "icon": "support_agent", "link": reverse("desk:home"), "active": False}
    except NoReverseMatch:
        return


def _queue(request: HttpRequest, key: str, title: str | Promise, icon: str) -> dict[str, Any]:
    link = reverse("admin:orderhub_order_changelist")
    here = request.path == link and request.GET.get("view") == key
    return {"title": title, "icon": icon, "link": f"{link}?view={key}", "active": here}


def _pages(request: HttpRequest, section: Section) -> Iterator[dict[str, Any]]:
    for page in pages_of(section.key, request):
        link = reverse(f"admin:{page.name}")
        active = request.path.startswith(link)
        yield {"title": page.title, "icon": page.icon, "link": link, "active": active}


def _models(request: HttpRequest, section: Section, allowed: "dict[str, ModelAdmin[Any]]") -> Iterator[dict[str, Any]]:
    for name in (*section.models, *_others(section.apps, allowed)):
        if name in allowed:
            options = allowed[name].opts
            link = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
            icon = ICONS.get(name) or APP_ICONS.get(options.app_label, "table_rows")
            active = request.path.startswith(link)
            yield {
                "title": TITLES.get(name) or capfirst(options.verbose_name_plural),
                "icon": icon,
                "link": link,
                "active": active,
            }


def _others(apps: Iterable[str], allowed: "dict[str, ModelAdmin[Any]]") -> list[str]:
    named = {name for section in SECTIONS for name in section.models}
    return [name for name in allowed if name.partition(".")[0] in apps and name not in named]
