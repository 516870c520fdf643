"""A WeChat shop order as an OrderDraft (protocol reference 5.2; deadlines and traps: domain reference 4.5 and 4.6).

Fields as in the official SDK-free description and WxJava's channel module; `sku_cnt` and `pay_info` are what real
answers show where documents differ (protocol reference 15).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from channels_sync.connectors.wechat.lines import AFTERSALES_KEY, order_lines
from channels_sync.connectors.wechat.values import Node, fen, loose_time, node, nodes, text, time_of
from orderhub.core.draft import SHIP_BY_AGREED, OrderDraft, read_draft
from orderhub.core.errors import FieldError
from orderhub.core.opening import PARTS

REFUSED_KEY = "hub_refused"
"""Put into an order that the platform refuses to show; its reader makes a reject of it."""

STATUSES = {
    10: "unpaid",
    12: "unpaid",
    13: "unpaid",
    20: "paid",
    21: "in_transit",
    30: "in_transit",
    100: "completed",
    190: "cancelled",
    200: "refunded",
    250: "cancelled",
}
"""The platform's numbers. What is part shipped counts as shipped, so that nothing is sent twice."""
WAITING = {12: "gift_not_accepted", 13: "group_not_full"}
"""Paid already, but not yet to be shipped: a gift nobody has accepted, a group that is not full."""
ADDRESS_REVIEW = "address_under_review"
"""The buyer asked for another address and the shop has not answered."""
COUNTRIES = {"香港": "HK", "澳门": "MO", "台湾": "TW"}
WECHAT_PAY = "1"
KEPT = ("unionid", "is_present", "present_note")
KEPT_EXT = ("order_scene", "finder_id", "live_id")
MASKED_KEY, UNTIL_KEY = "masked", "virtual_phone_until"
"""Kept in the raw fields: which parts of the receiver came masked, and when the virtual number ends (ISO, UTC)."""


def read_order(order: Any) -> OrderDraft:
    """Return the draft of one order. Raises FieldError with the platform's or the draft's field path."""
    if not isinstance(order, dict):
        raise FieldError("", "an order must be an object")
    if order.get(REFUSED_KEY):
        raise FieldError("order_id", f"the platform refuses the details: {order[REFUSED_KEY]}")
    detail = node(order, "order_detail")
    code = _code(order)
    paid_at = _paid_at(detail)
    status = _status(code, detail)
    price = node(detail, "price_info")
    lines = order_lines(order, detail)
    total = sum(listed for _line, listed in lines)
    receiver = _receiver(detail, code)
    is_paid = paid_at is not None and status != "unpaid"
    return read_draft(
        {
            "external_no": number_of(order),
            "status": status,
            "channel_status": str(code),
            "channel_hold": _hold(code, status, detail),
            "created_at": time_of(order, "create_time", required=True),
            "modified_at": modified_at(order, required=True),
            "paid_at": paid_at if is_paid else None,
            "ship_by": _ship_by(detail),
            "buyer": {"id": text(order, "openid")},
            "receiver": receiver,
            "lines": [line if is_paid else {**line, "paid_fen": 0} for line, _listed in lines],
            **_amounts(price, total, is_paid=is_paid),
            "buyer_remark": text(node(detail, "ext_info"), "customer_notes"),
            "seller_remark": text(node(detail, "ext_info"), "merchant_notes"),
            "raw": _kept(order, detail, receiver),
        }
    )


def number_of(row: Any) -> str:
    """Return an order number as text: the platform sends 64-bit numbers and texts."""
    value = row.get("order_id") if isinstance(row, dict) else None
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def modified_at(order: Node, *, required: bool = False) -> datetime | None:
    """Return the latest change of an order or one of its after-sales, which have a time of their own.

    Raises FieldError when `required` and the platform names none.
    """
    try:
        moment = time_of(order, "update_time", required=required)
    except FieldError:
        if required:
            raise
        return None
    others = [loose_time(sale, "update_time") for sale in nodes(order, AFTERSALES_KEY)]
    return max([moment, *filter(None, others)]) if moment else None


def aftersale_numbers(order: Node) -> list[str]:
    """Return the numbers of an order's after-sales."""
    rows = nodes(node(order, "aftersale_detail"), "aftersale_order_list")
    return [str(row["aftersale_order_id"]) for row in rows if row.get("aftersale_order_id")]


def seems_paid_since(order: Node) -> bool:
    """Whether an order says unpaid although its payment is there: the detail lags behind for some seconds."""
    pay = node(node(order, "order_detail"), "pay_info")
    return text(order, "status") == "10" and loose_time(pay, "pay_time") is not None


def _code(order: Node) -> int:
    written = text(order, "status")
    if isinstance(order.get("status"), bool) or not written.isascii() or not written.isdigit() or len(written) > 9:
        raise FieldError("status", f"not a status: {written[:60]!r}")
    return int(written)


def _status(code: int, detail: Node) -> str:
    """Return the common status; a number that is not known goes by the evidence of what has happened."""
    paid = loose_time(node(detail, "pay_info"), "pay_time") is not None
    if code in WAITING:
        return "paid" if paid else "unpaid"
    if code == 250 and paid:
        return "refunded"
    if code in STATUSES:
        return STATUSES[code]
    if loose_time(node(detail, "ext_info"), "confirm_receipt_time"):
        return "completed"
    delivery = node(detail, "delivery_info")
    if loose_time(delivery, "ship_done_time") or nodes(delivery, "delivery_product_info"):
        return "in_transit"
    return "paid" if paid else "unpaid"


def _hold(code: int, status: str, detail: Node) -> str:
    """Return why a paid order must not be shipped now, in a word; empty when it may be."""
    if status != "paid":
        return ""
    if code in WAITING:
        return WAITING[code]
    if code not in STATUSES:
        return f"unknown_status_{code}"
    return ADDRESS_REVIEW if node(node(detail, "delivery_info"), "address_under_review") else ""


def _paid_at(detail: Node) -> datetime | None:
    """Return when money came in. Pay-later, lottery and points have a `pay_time` that is no payment."""
    pay = node(detail, "pay_info")
    if text(pay, "payment_method") not in {"", WECHAT_PAY}:
        return None
    return time_of(pay, "pay_time")


def _ship_by(detail: Node) -> datetime | None:
    """Return the earliest deadline of the lines. After an agreement with the buyer `delivery_deadline` stays old and
    the new time stands in `predict_delivery_time`. None lets the shop's own hours decide."""
    moments = []
    for row in nodes(detail, "product_infos"):
        agreed = loose_time(node(row, "sku_deliver_info"), "predict_delivery_time")
        moments.append(agreed or loose_time(row, "delivery_deadline"))
    return min(filter(None, moments), default=None)


def _is_agreed(detail: Node) -> bool:
    """Tell whether shop and buyer agreed on the time that `_ship_by` returns."""
    rows = nodes(detail, "product_infos")
    agreed = [loose_time(node(row, "sku_deliver_info"), "predict_delivery_time") for row in rows]
    return any(agreed) and _ship_by(detail) in agreed


def _receiver(detail: Node, code: int) -> dict[str, str]:
    address = node(node(detail, "delivery_info"), "address_info")
    if not address:
        if code in WAITING:
            return {"kind": "masked"}
        raise FieldError("order_detail.delivery_info.address_info", "the order has no receiver")
    names = {
        "name": "user_name", "province": "province_name", "city": "city_name", "district": "county_name",
        "postcode": "postal_code", "oaid": "hash_code",
    }  # fmt: skip
    receiver = {ours: text(address, theirs) for ours, theirs in names.items()}
    receiver["detail"] = text(address, "detail_info") + text(address, "house_number")
    receiver["country"] = next((code for name, code in COUNTRIES.items() if name in receiver["province"]), "CN")
    phones = node(address, "tel_number_ext_info")
    virtual = text(phones, "virtual_tel_number")
    is_virtual = bool(virtual) and str(address.get("use_tel_number")) == "1"
    plain = text(address, "tel_number") or virtual or text(phones, "real_tel_number")
    receiver["phone"] = virtual if is_virtual else plain
    return {**receiver, "kind": _kind(receiver, is_virtual=is_virtual)}


def _kind(receiver: Mapping[str, str], *, is_virtual: bool) -> str:
    """What was opened once shows its virtual number, while name and address stay masked; the token says nothing."""
    if masked_parts(receiver):
        return "masked"
    if is_virtual:
        return "virtual"
    return "plain" if receiver["phone"] else ""


def masked_parts(receiver: Mapping[str, str]) -> list[str]:
    """Return which of name, phone and detail came masked."""
    return [part for part in PARTS if "*" in receiver.get(part, "")]


def _amounts(price: Node, total: int, *, is_paid: bool) -> dict[str, int]:
    """Return the sums: `order_price` is what the buyer pays, after every discount and with the freight."""
    path = "order_detail.price_info"
    due = fen(price, "order_price", path)
    if due is None:
        raise FieldError(f"{path}.order_price", "required")
    freight = fen(price, "change_freight" if price.get("is_change_freight") else "freight", path) or 0
    return {
        "total_fen": total,
        "discount_fen": max(total + freight - due, 0),
        "freight_fen": freight,
        "paid_fen": due if is_paid else 0,
    }


def _kept(order: Node, detail: Node, receiver: Mapping[str, str]) -> dict[str, Any]:
    """Return what the draft has no field for and people or later steps may want."""
    kept = {name: order[name] for name in KEPT if order.get(name)}
    if masked := masked_parts(receiver):
        kept[MASKED_KEY] = masked
    kept |= {name: value for name in KEPT_EXT if (value := node(detail, "ext_info").get(name))}
    pay = node(detail, "pay_info")
    if text(pay, "payment_method") not in {"", WECHAT_PAY}:
        kept["payment_method"] = pay["payment_method"]
    presale = [
        row for row in nodes(detail, "product_infos") if text(node(row, "sku_deliver_info"), "stock_type") == "1"
    ]
    if presale:
        kept["full_payment_presale"] = True
    end = loose_time(
        node(node(node(detail, "delivery_info"), "address_info"), "tel_number_ext_info"), "virtual_tel_expire_time"
    )
    if end:
        kept[UNTIL_KEY] = end.isoformat()
    if _is_agreed(detail):
        kept[SHIP_BY_AGREED] = True
    return kept
