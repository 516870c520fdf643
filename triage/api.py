"""Findings and signals in the answer of `GET /api/v1/orders/{id}/` and on the desk's order card."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from orderhub.api.sections import order_sections
from orderhub.models import Order
from orderhub.selectors.orders import extra_filters
from triage.models import Finding
from triage.selectors.findings import findings_of
from triage.selectors.signals import signals_of


@extra_filters.register("finding")
def with_finding(orders: QuerySet[Order], code: str) -> QuerySet[Order]:
    """Narrow `GET /api/v1/orders/?finding=CODE` to orders with that finding open."""
    live = Finding.objects.filter(
        order=OuterRef("pk"), code=code, cleared_at__isnull=True, accepted_at__isnull=True, is_shadow=False
    )
    return orders.filter(Exists(live))


@order_sections.register("findings")
def findings_section(order_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the open findings of orders, worst first, in the reader's language."""
    return {
        order_id: [
            {
                "code": found.code,
                "title": found.title,
                "lane": found.lane,
                "is_urgent": found.is_urgent,
                "reason": found.reason,
                "clears": found.clears,
                "values": dict(found.values),
                "rule_set": found.version,
                "found_at": found.found_at,
            }
            for found in rows
        ]
        for order_id, rows in findings_of(order_ids, open_only=True).items()
    }


@order_sections.register("signals")
def signals_section(order_ids: Sequence[int]) -> dict[int, list[dict[str, str]]]:
    """Return every signal of orders with whether triage could judge it, and why not."""
    return {
        order_id: [{"key": s.key, "label": s.label, "state": s.state.value, "why": s.why} for s in signals]
        for order_id, signals in signals_of(order_ids).items()
    }
