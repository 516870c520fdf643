"""The page of one shop: its health in depth, what happened lately, and everything people may do about it."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from channels_sync.admin.board import SEE
from channels_sync.admin.channel_forms import BackfillForm, CredentialsForm, TermsForm
from channels_sync.admin.runs import RUN_TONES
from channels_sync.admin.tiles import tile
from channels_sync.connectors.base import Connector, connectors
from channels_sync.models import Backfill, JobState, Listing, Reconciliation, RunState, SyncRun
from channels_sync.selectors.board import ChannelFacts, board
from channels_sync.selectors.channel import ChannelLog, channel_log
from orderhub.admin.gate import GateForm
from orderhub.console import columns
from orderhub.console.pages import ConsolePage, add_page
from orderhub.core.words import InboxState
from orderhub.models import Effect, Gate, InboxItem, Order, Reject, Shop
from orderhub.selectors.gate import strictest

ACT, CHANGE, FILL, GATE = (
    "channels_sync.change_shopsync", "orderhub.change_shop", "channels_sync.add_backfill", "orderhub.set_gate",
)  # fmt: skip
"""Who may have a shop tried, change it, read a range again, set its gate."""

JOB_TONES = {
    JobState.WAITING: "plain", JobState.RUNNING: "blue", JobState.DONE: "plain", JobState.FAILED: "red",
    JobState.CANCELLED: "faint",
}  # fmt: skip
INBOX_TONES = {InboxState.NEW: "plain", InboxState.WORKING: "blue", InboxState.DONE: "plain", InboxState.DEAD: "red"}
ABILITIES: tuple[tuple[str, str | Promise], ...] = (
    ("pulls", gettext_lazy("Orders pulled by change")),
    ("pushes", gettext_lazy("Pushes taken")),
    ("keeps_events", gettext_lazy("Kept messages read")),
    ("rereads", gettext_lazy("Open orders read again")),
    ("refreshes", gettext_lazy("Authorisation renewed by itself")),
    ("writes_stock", gettext_lazy("Stock told")),
    ("ships", gettext_lazy("Shipments told")),
    ("writes_memo", gettext_lazy("Remark and flag told")),
    ("reveals", gettext_lazy("Clear contact data on demand")),
)


@dataclass(slots=True)
class Forms:
    """The forms of the page; one that was refused comes back with what was typed and why."""

    backfill: BackfillForm
    gate: GateForm
    terms: TermsForm
    credentials: CredentialsForm
    open: str = ""
    """The dialog that is open when the page is loaded."""


def forms_of(shop: Shop) -> Forms:
    """Return the forms of a shop as nobody has typed anything."""
    own = strictest(list(Gate.objects.filter(shop=shop)))
    connector = connector_of(shop)
    return Forms(BackfillForm(), GateForm.of(own), TermsForm(shop, connector), CredentialsForm(shop, wanted(shop)))


def connector_of(shop: Shop) -> Connector | None:
    """Return the connector of a shop, None for a platform without code."""
    return connectors.get(shop.platform) if shop.platform in connectors else None


def wanted(shop: Shop) -> Any:
    """Return the credentials that the shop's platform needs."""
    connector = connector_of(shop)
    return tuple(connector.credential_fields) if connector else ()


def channel_view(request: HttpRequest, code: str) -> TemplateResponse:
    """Show the page of one shop."""
    if not request.user.has_perm(SEE):
        raise PermissionDenied
    return show(request, get_object_or_404(Shop, code=code))


def show(request: HttpRequest, shop: Shop, forms: Forms | None = None) -> TemplateResponse:
    """Return the page of a shop, with forms that were refused where there are any."""
    now = timezone.now()
    found = board([shop.pk])
    facts = found.channels[0]
    is_allowed = request.user.has_perm
    context = {
        **admin.site.each_context(request),
        "title": shop.name,
        "is_fullwidth": "1",
        "shop": shop,
        "tile": tile(facts, now),
        "now": now,
        "may": {
            "act": is_allowed(ACT), "change": is_allowed(CHANGE), "fill": is_allowed(FILL), "gate": is_allowed(GATE),
        },
        "forms": forms or forms_of(shop),
        "can": _abilities(facts),
        "links": _links(request, facts),
        "log": _rows(channel_log(shop)),
        "connector": facts.connector,
        "hook_address": request.build_absolute_uri(reverse("push", args=[shop.code])) if _pushes(facts) else "",
        "board": reverse("admin:channels_sync_board"),
    }  # fmt: skip
    return TemplateResponse(request, "channels_sync/channel.html", context)


def _pushes(facts: ChannelFacts) -> bool:
    return bool(facts.connector and facts.connector.pushes)


def _abilities(facts: ChannelFacts) -> list[tuple[str | Promise, bool]]:
    if facts.connector is None:
        return []
    return [(title, bool(getattr(facts.connector, name))) for name, title in ABILITIES]


def _links(request: HttpRequest, facts: ChannelFacts) -> list[tuple[str, str]]:
    """Return the lists that go with this shop, as far as the person may see them."""
    found = []
    for model in LISTS:
        if not admin.site.is_registered(model):
            continue
        pages = admin.site.get_model_admin(model)
        if pages.has_view_permission(request):
            address = reverse(f"admin:{pages.opts.app_label}_{pages.opts.model_name}_changelist")
            found.append((str(capfirst(pages.opts.verbose_name_plural)), f"{address}?shop={facts.shop.pk}"))
    return found


LISTS: tuple[type[Model], ...] = (Order, Reject, InboxItem, Effect, Listing, SyncRun, Backfill, Reconciliation)


def _rows(log: ChannelLog) -> dict[str, list[dict[str, Any]]]:
    runs = [
        {"run": run, "pill": columns.pill(run.get_state_display(), RUN_TONES.get(RunState(run.state), "plain"))}
        for run in log.runs
    ]
    fills = [
        {"job": job, "pill": columns.pill(job.get_state_display(), JOB_TONES.get(JobState(job.state), "plain"))}
        for job in log.backfills
    ]
    pushes = [
        {"item": item, "pill": columns.pill(item.get_state_display(), INBOX_TONES.get(InboxState(item.state), "plain"))}
        for item in log.pushes
    ]
    return {"runs": runs, "backfills": fills, "pushes": pushes, "gate": [{"change": one} for one in log.gate]}


add_page(ConsolePage("channels_sync_channel", "channels/<slug:code>/", channel_view))
