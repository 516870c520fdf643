"""What triage adds to the order list, the order page and the dashboard."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orderhub.console.change_list import SavedView
from orderhub.console.columns import PageColumn, order_columns
from orderhub.console.dashboard import DashboardCard, add_card
from orderhub.console.filters import order_filters, order_views
from orderhub.console.panels import OrderPanel, add_panel, fact_words
from orderhub.core.words import Status
from orderhub.models import Order
from orderhub.selectors.overview import add_queue
from triage.gates import AFTER_PUSH, GATES
from triage.models import Finding
from triage.selectors.figures import filter_choices, reason_counts
from triage.selectors.findings import CLEARED, OPEN, ShownFinding, findings_of
from triage.selectors.signals import State, signals_of

SHOWN_IN_LIST = 2


class FindingFilter(SimpleListFilter):
    """Orders with one open reason."""

    title = _("reason")
    parameter_name = "finding"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer every reason of the version in force."""
        return filter_choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the orders that have it."""
        code = self.value()
        if not code:
            return queryset
        return with_open(queryset, code)


def with_open(orders: QuerySet[Any], code: str) -> QuerySet[Any]:
    """Keep the orders that have one reason open."""
    found = Finding.objects.filter(
        order_id=OuterRef("pk"), code=code, cleared_at__isnull=True, accepted_at__isnull=True
    )
    return orders.filter(Exists(found))


def findings_panel(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return every reason with its values."""
    found = findings_of([order.pk]).get(order.pk, [])
    return {
        "findings": [row for row in found if row.state != CLEARED and not row.is_shadow],
        "shadows": [row for row in found if row.is_shadow and row.state == OPEN],
        "cleared": [row for row in found if row.state == CLEARED],
        "is_judged": bool(order.lane) or bool(found),
        "accepts": AFTER_PUSH if _may_accept(order, request) else "",
        "order": order,
    }


def _may_accept(order: Order, request: HttpRequest) -> bool:
    """A held order is released as a whole, by the button at its top."""
    return order.status != Status.IN_TRIAGE_HOLD and request.user.has_perm("orderhub.release_order")


def signals_panel(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return every signal with whether it was judged, and why not."""
    signals = signals_of([order.pk]).get(order.pk, [])
    judged = sum(signal.state == State.JUDGED for signal in signals)
    return {"signals": signals, "judged": judged, "all": len(signals)}


def reasons_column(order_ids: Sequence[int]) -> dict[int, SafeString]:
    """Return the worst open reasons of each order of a page."""
    return {order_id: _short(rows) for order_id, rows in findings_of(order_ids, open_only=True).items()}


def _short(rows: Sequence[ShownFinding]) -> SafeString:
    telling = [row for row in rows if row.lane or row.is_urgent or row.code in GATES] or list(rows)
    text = gettext("; ").join(row.title for row in telling[:SHOWN_IN_LIST])
    more = f" +{len(telling) - SHOWN_IN_LIST}" if len(telling) > SHOWN_IN_LIST else ""
    whole = "\n".join(row.reason or row.title for row in telling)
    return format_html('<span title="{}">{}{}</span>', whole, text, more)


def reasons_card(request: HttpRequest) -> dict[str, Any]:
    """Return the reasons found most often today, each with its link into the order list."""
    if not request.user.has_perm("orderhub.view_order"):
        return {}
    rows = reason_counts(timezone.now())
    top = max((max(row.today, row.yesterday) for row in rows), default=1) or 1
    link = reverse("admin:orderhub_order_changelist")
    return {
        "rows": [
            {"row": row, "percent": round(100 * row.today / top), "link": f"{link}?finding={row.code}"} for row in rows
        ]
    }


order_filters.append(FindingFilter)
order_views.append(
    SavedView(
        AFTER_PUSH, _("Changed after the push"), lambda rows: with_open(rows, AFTER_PUSH), True,
        _("The warehouse has no order that changed since it was told."),
    )
)  # fmt: skip
add_queue(
    AFTER_PUSH, "triage_finding", f"code = '{AFTER_PUSH}' AND cleared_at IS NULL AND accepted_at IS NULL", "found_at"
)
order_columns.add("findings", PageColumn("findings", _("reasons"), reasons_column, rank=30))
add_panel(OrderPanel("findings", _("Why it is here"), "triage/findings_panel.html", findings_panel, "left", 10))
add_panel(OrderPanel("signals", _("What was judged"), "triage/signals_panel.html", signals_panel, "left", 15))
for _key in ("findings", "codes"):
    fact_words.add(_key, lambda: dict(filter_choices()))
add_card(DashboardCard("reasons", _("Most frequent reasons"), "triage/reasons_card.html", reasons_card, "half", 90))
