"""Orders as plain dictionaries for answers; written by hand because generic serializers cost more than the query."""

from typing import Any

from orderhub.models import Receiver
from orderhub.selectors.orders import OrderPage


def row(order: dict[str, Any]) -> dict[str, Any]:
    """Return one list row of `selectors.orders.rows` as clients see it."""
    return {
        "id": order["id"],
        "external_no": order["external_no"],
        "shop": order["shop_code"],
        "status": order["status"],
        "lane": order["lane"],
        "urgent": order["is_urgent"],
        "drift": order["has_drift"],
        "created_at": order["created_at"],
        "paid_at": order["paid_at"],
        "modified_at": order["modified_at"],
        "received_at": order["received_at"],
        "ship_by": order["ship_by"],
        "total_fen": order["total_fen"],
        "paid_fen": order["paid_fen"],
        "item_count": order["item_count"],
        "receiver": None if order["receiver_name"] is None else {
            "name": order["receiver_name"],
            "phone": order["receiver_phone"],
            "province": order["province"],
            "city": order["city"],
            "district": order["district"],
        },
    }  # fmt: skip


def detail(page: OrderPage, sections: dict[str, Any]) -> dict[str, Any]:
    """Return one order's page as clients see it."""
    order = page.order
    return {
        **_columns(order, ("id", "external_no", "status", "lane")),
        "shop": order.shop.code,
        "urgent": order.is_urgent,
        "drift": order.has_drift,
        "under_refund": order.under_refund,
        **_columns(
            order,
            ("created_at", "paid_at", "modified_at", "received_at", "ship_by", "total_fen", "paid_fen", "item_count"),
        ),
        "receiver": _receiver(page.receiver),
        "lines": [
            _columns(line, ("line_no", "sku", "title", "quantity", "unit_price_fen", "paid_fen", "refund", "reserved",
                            "short"))
            for line in page.lines
        ],
        "claims": [_columns(claim, ("source", "status", "at", "own_word")) for claim in page.claims],
        "parcels": [
            _columns(parcel, ("carrier", "tracking_no", "handed_over_at", "delivered_at")) for parcel in page.parcels
        ],
        "timeline": [
            _columns(entry, ("at", "kind", "source", "actor", "status_from", "status_to", "data"))
            for entry in page.timeline
        ],
        "sections": sections,
    }  # fmt: skip


def _columns(item: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}


def _receiver(receiver: Receiver | None) -> dict[str, Any] | None:
    if receiver is None:
        return None
    masked = {"name": receiver.name_masked, "phone": receiver.phone_masked, "detail": receiver.detail_masked}
    return masked | _columns(receiver, ("kind", "country", "province", "city", "district", "town"))
