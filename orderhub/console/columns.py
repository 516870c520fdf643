"""How values look in lists and on pages: pills, marks, money, times and clocks. Everything is escaped here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from orderhub.core import money as core_money
from orderhub.core.registry import Registry
from orderhub.core.words import GateState, Lane, Status
from orderhub.selectors.gate import GateView

NOTHING = mark_safe('<span class="dim">—</span>')

CUSTOMER_SERVICE = (pgettext_lazy("owner", "Customer service"), pgettext_lazy("owner mark", "CS"))
WAREHOUSE = (pgettext_lazy("owner", "Warehouse"), pgettext_lazy("owner mark", "WH"))
LOGISTICS = (pgettext_lazy("owner", "Logistics"), pgettext_lazy("owner mark", "LOG"))

_OWNERS = {
    **dict.fromkeys(
        (Status.READY, Status.WMS_QUEUED, Status.WMS_ACCEPTED, Status.PICKING, Status.PACKED, Status.AWAITING_PICKUP,
         Status.WMS_FAILED, Status.SHORT, Status.INTERCEPTING),
        WAREHOUSE,
    ),
    **dict.fromkeys((Status.IN_TRANSIT, Status.OUT_FOR_DELIVERY, Status.DELIVERED, Status.RETURNING), LOGISTICS),
}  # fmt: skip
"""Who has the order in hand; everything else is with customer service."""

_TONES = {
    Status.IN_TRIAGE_HOLD: "amber",
    Status.WMS_FAILED: "red",
    Status.SHORT: "amber",
    Status.REFUNDING: "amber",
    Status.INTERCEPTING: "amber",
    Status.RETURNING: "amber",
    Status.DELIVERED: "green",
    Status.COMPLETED: "green",
    Status.CANCELLED: "faint",
    Status.REFUNDED: "faint",
    Status.UNPAID: "faint",
}

LANE_SHAPES = {Lane.ABNORMAL: ("◆", "abnormal"), Lane.TO_CONFIRM: ("●", "confirm"), Lane.REGULAR: ("—", "regular")}


def owner_of(status: str) -> tuple[str | Promise, str | Promise]:
    """Return the department that has an order of this status in hand: its name and its short mark."""
    return _OWNERS.get(_status(status) or Status.PAID, CUSTOMER_SERVICE)


def pill(text: str | Promise, tone: str = "plain", title: str | Promise = "") -> SafeString:
    """Return a word in a coloured pill; tones: plain, faint, green, amber, red, blue."""
    return format_html('<span class="pill pill-{}" title="{}">{}</span>', tone, title, text)


def status_pill(status: str) -> SafeString:
    """Return the status with its owner's mark; an unknown word is shown as it is."""
    known = _status(status)
    if known is None:
        return pill(status, "faint", _("Unknown status")) if status else NOTHING
    owner, mark = owner_of(status)
    return format_html(
        '<span class="pill pill-{}"><span class="owner" title="{}">{}</span>{}</span>',
        _TONES.get(known, "plain"), owner, mark, known.label,
    )  # fmt: skip


def lane_mark(lane: str) -> SafeString:
    """Return a lane as shape, word and colour; empty for an order that was not judged."""
    try:
        known = Lane(lane)
    except ValueError:
        return format_html('<span class="mark dim">{}</span>', _("Not judged")) if not lane else pill(lane, "faint")
    shape, name = LANE_SHAPES[known]
    return format_html('<span class="mark mark-{}"><b aria-hidden="true">{}</b>{}</span>', name, shape, known.label)


def urgent_mark(is_urgent: bool) -> SafeString:
    """Return the urgent overlay, nothing for others."""
    if not is_urgent:
        return SafeString()
    word = pgettext("lane", "Urgent")
    return format_html('<span class="mark mark-urgent"><b aria-hidden="true">▲</b>{}</span>', word)


def marks(lane: str, is_urgent: bool) -> SafeString:
    """Return the urgent overlay and the lane of one order."""
    return format_html('<span class="marks">{}{}</span>', urgent_mark(is_urgent), lane_mark(lane))


def drift_mark(has_drift: bool) -> SafeString:
    """Return the mark of an order whose departments disagree."""
    return pill("≠ " + _("Claims disagree"), "red") if has_drift else SafeString()


def money(fen: int | None) -> SafeString:
    """Return fen as `¥1,234.50` in figures of equal width."""
    return NOTHING if fen is None else format_html('<span class="num">{}</span>', core_money.show(fen))


def number(value: int | None) -> SafeString:
    """Return a whole number with separators in figures of equal width."""
    return NOTHING if value is None else format_html('<span class="num">{}</span>', f"{value:,}")


def order_link(order_id: int | None, number: str = "") -> SafeString:
    """Return the way to the page of an order, by its number where that is known; nothing where there is no order."""
    if order_id is None:
        return NOTHING
    link = reverse("admin:orderhub_order_change", args=[order_id])
    return format_html('<a href="{}" class="num">{}</a>', link, number or f"#{order_id}")


def yes_no(value: bool, yes: str | Promise = "", no: str | Promise = "") -> SafeString:
    """Return a truth as a word with a mark; green is for what is well."""
    if value:
        return pill(f"✓ {yes or _('Yes')}", "green")
    return pill(str(no or _("No")), "faint")


GATE_TONES = {GateState.OPEN: "green", GateState.TRICKLE: "amber", GateState.PAUSED: "red"}


def gate_pill(view: GateView) -> SafeString:
    """Return the state of a gate as a pill, with its pace."""
    word = str(view.state.label)
    if view.rate_per_minute:
        word = _("%(state)s, %(rate)s orders a minute") % {"state": word, "rate": f"{view.rate_per_minute:,}"}
    return pill(word, GATE_TONES[view.state])


def exact(moment: datetime) -> str:
    """Return a moment in local time, to the second."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")


def when(moment: datetime | None, now: datetime | None = None) -> SafeString:
    """Return a moment as people say it ("12 minutes ago"), exact on hover."""
    if moment is None:
        return NOTHING
    text = relative(moment, now or timezone.now())
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact(moment), text)


def relative(moment: datetime, now: datetime) -> str:
    """Return how far a moment is away, in one unit; beyond a week the date."""
    seconds = int((now - moment).total_seconds())
    ahead, size = seconds < 0, abs(seconds)
    if size < 60:
        return _("just now") if not ahead else _("in a moment")
    if size > 7 * 86400:
        return date_format(timezone.localtime(moment), "Y-m-d")
    for unit, past, future in _UNITS:
        if size >= unit:
            count = size // unit
            return (future if ahead else past)(count) % {"count": count}
    raise AssertionError(size)


_UNITS: tuple[tuple[int, Callable[[int], str], Callable[[int], str]], ...] = (
    (
        86400,
        lambda n: ngettext("%(count)d day ago", "%(count)d days ago", n),
        lambda n: ngettext("in %(count)d day", "in %(count)d days", n),
    ),
    (
        3600,
        lambda n: ngettext("%(count)d hour ago", "%(count)d hours ago", n),
        lambda n: ngettext("in %(count)d hour", "in %(count)d hours", n),
    ),
    (
        60,
        lambda n: ngettext("%(count)d minute ago", "%(count)d minutes ago", n),
        lambda n: ngettext("in %(count)d minute", "in %(count)d minutes", n),
    ),
)


def countdown(until: datetime | None, now: datetime | None = None) -> SafeString:
    """Return the clock to a moment; the page counts it down, and it turns red only when the moment is past."""
    if until is None:
        return NOTHING
    seconds = int((until - (now or timezone.now())).total_seconds())
    text = clock_text(seconds)
    return format_html(
        '<time class="clock{}" datetime="{}" title="{}" data-left="{}" data-late="{}">{}</time>',
        " late" if seconds < 0 else "", until.isoformat(), exact(until), _("%s left"), _("%s overdue"), text,
    )  # fmt: skip


def clock_text(seconds: int) -> str:
    """Return seconds as `18:32 left`, `26:05:00 left` or `05:12 overdue`."""
    hours, rest = divmod(abs(seconds), 3600)
    if hours >= 72:
        span = ngettext("%(count)d day", "%(count)d days", hours // 24) % {"count": hours // 24}
    elif hours:
        span = f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
    else:
        span = f"{rest // 60:02d}:{rest % 60:02d}"
    return (_("%s overdue") if seconds < 0 else _("%s left")) % span


def truncated(text: str, length: int = 60) -> SafeString:
    """Return a text cut to `length` characters, whole on hover."""
    if not text:
        return NOTHING
    short = text if len(text) <= length else text[: length - 1] + "…"
    return format_html('<span title="{}">{}</span>', text[:1000], short)


def _status(status: str) -> Status | None:
    try:
        return Status(status)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class PageColumn:
    """A column of the order list that a feature adds.

    `load(order_ids)` returns what to show by order id, in one query for the whole page; text that is not a SafeString
    is escaped.
    """

    key: str
    title: str | Promise
    load: Callable[[Sequence[int]], dict[int, Any]]
    rank: int = 50


order_columns: Registry[PageColumn] = Registry("order column")
"""Add with `order_columns.add(column.key, column)`; the triage feature shows its findings this way."""

UNKNOWN = gettext_lazy("unknown")
