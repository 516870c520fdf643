"""The pool's own cards of the dashboard."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orderhub.console.credentials import platforms
from orderhub.console.dashboard import DashboardCard, add_card
from orderhub.console.paging import count_text
from orderhub.core.words import Lane
from orderhub.selectors import overview

HOURLY_LIMIT = 5_000
"""Orders an hour above which the yellow alert is due."""
ABNORMAL_LIMIT = 0.12
"""Share of abnormal orders above which the red alert is due, from 200 judged orders on."""
ABNORMAL_SAMPLE = 200
MANUAL_TARGET = 0.22


@dataclass(frozen=True, slots=True)
class Tile:
    """One number that matters, with its definition on hover."""

    name: str
    value: str
    note: str
    definition: str
    link: str = ""
    second: str = ""
    is_second_bad: bool = False
    is_bad: bool = False
    spark: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the cards of one page share, read once."""

    traffic: overview.Traffic
    queues: overview.Queues


def figures(request: HttpRequest) -> Figures:
    """Return the figures, read at the first card that asks for them."""
    known: Figures | None = getattr(request, "hub_figures", None)
    if known is None:
        known = Figures(overview.traffic(), overview.queues())
        request.hub_figures = known  # type: ignore[attr-defined]
    return known


def may_see(request: HttpRequest) -> bool:
    """Tell whether this person may see figures about orders."""
    return request.user.has_perm("orderhub.view_order")


def spark(values: list[int]) -> str:
    """Return the path of a small line through `values`, in a box of 100 × 24."""
    top = max(values, default=0) or 1
    step = 100 / max(len(values) - 1, 1)
    points = [f"{place * step:.1f},{22 - value / top * 20:.1f}" for place, value in enumerate(values)]
    return "M" + " L".join(points) if points else ""


def percent(share: float | None) -> str:
    """Return 0.214 as `21.4%`, a dash without a figure."""
    return "—" if share is None else f"{share * 100:.1f}%"


def overdue_text(queue: overview.Queue) -> str:
    """Return how many of a queue are over their time, `≥ 37` where not all of it was counted."""
    text = count_text(queue.overdue)
    return f"≥ {text}" if queue.is_capped and queue.overdue <= overview.COUNT_CAP else text


def queue_link(key: str) -> str:
    """Return the address of a queue of orders."""
    return f"{reverse('admin:orderhub_order_changelist')}?view={key}"


def tiles(request: HttpRequest) -> dict[str, Any]:
    """Return the tiles."""
    if not may_see(request):
        return {}
    shown = figures(request)
    made = [_this_hour(shown), _confirm(shown), _abnormal(shown), _manual(shown)]
    if request.user.has_perm("orderhub.view_effect"):
        made.append(_push(shown))
    if request.user.has_perm("orderhub.view_reject"):
        made.append(_intake(shown))
    return {"tiles": made}


def _this_hour(shown: Figures) -> Tile:
    count = shown.traffic.this_hour
    return Tile(
        _("Orders this hour"), f"{count:,}", _("threshold %(limit)s") % {"limit": f"{HOURLY_LIMIT:,}"},
        _("Orders placed since the full hour; the line shows the last 24 hours."),
        f"{reverse('admin:orderhub_order_changelist')}?created_at__span=1h",
        is_bad=count > HOURLY_LIMIT, spark=spark(shown.traffic.per_hour),
    )  # fmt: skip


def _confirm(shown: Figures) -> Tile:
    queue = shown.queues["confirm"]
    return Tile(
        _("To confirm / overdue"), count_text(queue.waiting),
        _("%(minutes)s minutes each") % {"minutes": settings.HUB_CONFIRM_MINUTES},
        _("Held orders that a person must confirm, and how many of them waited longer than the limit."),
        queue_link("confirm"), overdue_text(queue), queue.overdue > 0,
    )  # fmt: skip


def _abnormal(shown: Figures) -> Tile:
    share, sample = shown.traffic.abnormal_share, shown.traffic.judged_60
    is_bad = share is not None and share > ABNORMAL_LIMIT and sample >= ABNORMAL_SAMPLE
    return Tile(
        _("Abnormal share"), percent(share), _("red line %(limit)s") % {"limit": "12%"},
        _(
            "Orders that are or were abnormal among those judged that were placed in the last 60 minutes (%(count)s); "
            "released ones count too."
        )
        % {"count": f"{sample:,}"},
        queue_link("abnormal"), is_bad=is_bad,
    )  # fmt: skip


def _manual(shown: Figures) -> Tile:
    share = shown.traffic.manual_share
    return Tile(
        _("Manual share"), percent(share), _("target %(limit)s") % {"limit": "22%"},
        _(
            "Orders that are or were to confirm or abnormal among those judged that were placed in the last 24 hours "
            "(%(count)s); released ones count too."
        )
        % {"count": f"{shown.traffic.judged:,}"},
        is_bad=share is not None and share > MANUAL_TARGET,
    )  # fmt: skip


def _push(shown: Figures) -> Tile:
    waiting, dead = shown.queues["push"], shown.queues["dead"]
    return Tile(
        _("To push / failed"), count_text(waiting.waiting), _("warehouse pushes and dead letters"),
        _("Orders on their way to the warehouse system, and effects that were given up and wait for a person."),
        reverse("admin:orderhub_effect_changelist"), count_text(dead.waiting), dead.waiting > 0,
    )  # fmt: skip


def _intake(shown: Figures) -> Tile:
    inbox, rejects = shown.queues["inbox"], shown.queues["rejects"]
    return Tile(
        _("Inbox / rejects"), count_text(inbox.waiting), _("deliveries waiting, rows refused"),
        _("Raw deliveries that were stored but not taken in yet, and rows that could not be taken in."),
        reverse("admin:orderhub_reject_changelist"), count_text(rejects.waiting), rejects.waiting > 0,
        is_bad=inbox.overdue > 0,
    )  # fmt: skip


def shop_names(shops: Mapping[int, overview.ShopName]) -> dict[int, str]:
    """Return the name of each shop, with its platform where several share the name, with its code where that is not
    enough."""
    names = Counter(shop.name for shop in shops.values())
    on_platform = Counter((shop.name, shop.platform) for shop in shops.values())
    told = {}
    for key, shop in shops.items():
        platform = str(platforms.get(shop.platform).label) if shop.platform in platforms else shop.platform
        more = platform if on_platform[shop.name, shop.platform] == 1 else shop.code
        told[key] = shop.name if names[shop.name] == 1 else f"{shop.name} · {more}"
    return told


def hours(request: HttpRequest) -> dict[str, Any]:
    """Return the orders per hour, stacked by shop, as chart and as table."""
    if not may_see(request):
        return {}
    traffic = figures(request).traffic
    labels = [timezone.localtime(hour).strftime("%H:00") for hour in traffic.hours]
    names = shop_names(traffic.shops)
    series = [{"name": names[shop], "values": values} for shop, values in traffic.by_shop.items()]
    threshold = {"name": str(_("threshold %(limit)s") % {"limit": f"{HOURLY_LIMIT:,}"}), "value": HOURLY_LIMIT}
    peak = max(traffic.per_hour)
    table = [
        {"hour": label, "values": [line["values"][place] for line in series], "total": total}
        for place, (label, total) in enumerate(zip(labels, traffic.per_hour, strict=True))
    ]
    # A line far above the bars would flatten them; it is drawn once the traffic comes near it.
    chart = {"labels": labels, "series": series, "threshold": threshold if peak > HOURLY_LIMIT / 4 else None}
    return {"chart": chart, "table": table, "hint": _("peak %(count)s an hour") % {"count": f"{peak:,}"}}


_QUEUE_ROWS: tuple[tuple[str, str | Promise, str], ...] = (
    ("regular", Lane.REGULAR.label, ""),
    ("confirm", gettext_lazy("To confirm"), ""),
    ("abnormal", gettext_lazy("Abnormal"), ""),
    ("urgent", gettext_lazy("Urgent"), ""),
    ("short", gettext_lazy("Short of stock"), ""),
    ("drift", gettext_lazy("Claims disagree"), ""),
    ("push", gettext_lazy("To push to the warehouse"), "effect"),
    ("inbox", gettext_lazy("Inbox"), "inboxitem"),
)
"""By queue: its title, and whose list it is where it is not a queue of orders."""
_LANE_OF_QUEUE = {
    "regular": Lane.REGULAR.value, "confirm": Lane.TO_CONFIRM.value, "abnormal": Lane.ABNORMAL.value,
    "urgent": overview.URGENT,
}  # fmt: skip


def queue_ages(request: HttpRequest) -> dict[str, Any]:
    """Return each queue with how many wait and since when, a lane's also with how many orders of this hour it got."""
    if not may_see(request):
        return {}
    shown, lanes = figures(request).queues, figures(request).traffic.by_lane
    rows = [
        {"title": title, "queue": shown[key], "waiting": count_text(shown[key].waiting),
         "overdue": overdue_text(shown[key]),
         "this_hour": f"{lanes[_LANE_OF_QUEUE[key]]:,}" if key in _LANE_OF_QUEUE else "",
         "link": reverse(f"admin:orderhub_{model}_changelist") if model else queue_link(key)}
        for key, title, model in _QUEUE_ROWS
        if not model or request.user.has_perm(f"orderhub.view_{model}")
    ]  # fmt: skip
    return {"rows": rows}


def pressing(request: HttpRequest) -> dict[str, Any]:
    """Return the held orders with the least time left."""
    if not may_see(request):
        return {}
    orders = overview.most_pressing()
    for order in orders:
        order["link"] = reverse("admin:orderhub_order_change", args=[order["id"]])
    return {"orders": orders}


C = "console/cards"
add_card(DashboardCard("tiles", gettext_lazy("Numbers"), f"{C}/tiles.html", tiles, "full", 10, has_frame=False))
add_card(
    DashboardCard("hours", gettext_lazy("Orders per hour by shop, 24 hours"), f"{C}/hours.html", hours, "half", 20)
)
add_card(DashboardCard("queues", gettext_lazy("Queues"), f"{C}/queues.html", queue_ages, "half", 30))
add_card(DashboardCard("pressing", gettext_lazy("Waiting for people"), f"{C}/pressing.html", pressing, "full", 50))
