"""A JD order as an OrderDraft (protocol reference 3.5; states and traps: domain reference 4.5 and 4.6)."""

from datetime import datetime, timedelta
from typing import Any

from channels_sync.connectors import cash
from channels_sync.connectors.fields import moment, text
from channels_sync.connectors.jd.amounts import order_amounts, read_lines
from channels_sync.connectors.jd.given_back import mark_refunds
from channels_sync.connectors.jd.receiver import read_receiver
from channels_sync.connectors.jd.refunds import state_of
from channels_sync.connectors.jd.rows import NOTE_KEY, REFUSED_KEY, number_of, refunds_of, version_of
from orderhub.core.draft import OrderDraft, read_draft
from orderhub.core.errors import FieldError
from orderhub.core.money import fen_from_yuan
from orderhub.core.words import Hold

Order = dict[str, Any]

STATUSES = {
    "NOT_PAY": "unpaid",
    "WAIT_SELLER_STOCK_OUT": "paid",
    "WAIT_SELLER_DELIVERY": "paid",
    "PAUSE": "paid",
    "POP_ORDER_PAUSE": "paid",
    "SUSPEND": "paid",
    "LOCKED": "paid",
    "LOCK": "paid",
    "WAIT_SEND_CODE": "paid",
    "WAIT_DELIVERY": "paid",
    "WAIT_SHIPMENTS": "paid",
    "WAIT_GOODS_RECEIVE_CONFIRM": "in_transit",
    "FINISHED_L": "completed",
    "FINISH": "completed",
    "TRADE_CANCELED": "cancelled",
    "PARENT_TRADE_CANCELED": "cancelled",
    "CANCEL": "cancelled",
}
"""The words of POP shops and of the self-operated list. A word that is not here is kept and held: paid, not shipped."""
TO_SHIP = frozenset({"WAIT_SELLER_STOCK_OUT", "WAIT_SELLER_DELIVERY"})
"""The only states in which JD lets a shop ship; in every other paid state the order is held under that state's word."""
LOC = "75"
"""Order type of goods that are a code to be redeemed, not a parcel."""
FLAGS = {"0": "grey", "1": "red", "2": "yellow", "3": "green", "4": "blue", "5": "purple"}
CASH_ON_DELIVERY = "1"
SHIP_WITHIN = timedelta(hours=48)
"""JD's usual promise (domain reference 4.5), for orders that have no payment to count from."""
KEPT = (
    "parentOrderId", "directParentOrderId", "orderType", "payType", "orderStateRemark", "storeOrder", "storeId",
    "idSopShipmenttype", "scDT", "returnOrder", "waybill", "logisticsId", "orderEndTime",
)  # fmt: skip


def read_order(order: Any) -> OrderDraft:
    """Return the draft of one order. Raises FieldError with JD's or the draft's field path."""
    if not isinstance(order, dict):
        raise FieldError("", "an order must be an object")
    if order.get(REFUSED_KEY):
        raise FieldError("orderId", f"JD refuses the details: {order[REFUSED_KEY]}")
    created = moment(order, "orderStartTime", required=True)
    moment(order, "modified", required=True)
    paid_at = moment(order, "paymentConfirmTime")
    lines = read_lines(order)
    status, presale = _status(order, paid_at)
    if status in {"unpaid", "presale_deposit"}:
        paid_at = None
    is_owed = _is_cash(order) and cash.is_owed(status)
    amounts, source = order_amounts(order, lines, is_paid=status != "unpaid" and not is_owed)
    is_placed = mark_refunds(refunds_of(order), lines, is_over=status == "refunded")
    return read_draft(
        {
            "external_no": number_of(order),
            "status": status,
            "channel_status": text(order, "orderState"),
            "channel_hold": _hold(order, is_placed=is_placed) if status == "paid" else "",
            "created_at": created,
            "modified_at": version_of(order),
            "paid_at": paid_at,
            "ship_by": _ship_by(order, created, paid_at) if status == "paid" else None,
            "buyer": _buyer(order),
            "receiver": read_receiver(order),
            "lines": lines,
            **amounts,
            "buyer_remark": text(order, "orderRemark"),
            "seller_remark": text(order, "venderRemark"),
            "flag": FLAGS.get(text(order, NOTE_KEY), "none"),
            "presale": presale,
            "raw": _raw(order, source),
        }
    )


def _raw(order: Order, paid_from: str) -> dict[str, Any]:
    """Return what the draft has no field for; a person must see why a refund is taken for asked that nobody asked."""
    untold = next((text(refund, "reason") for refund in refunds_of(order) if refund.get("kind") == "unknown"), "")
    found = {**{name: order.get(name) for name in KEPT}, "paid_from": paid_from, "refunds_unknown": untold}
    return {name: value for name, value in found.items() if value}


def _status(order: Order, paid_at: datetime | None) -> tuple[str, str]:
    """Return the status and the step of a presale."""
    word = text(order, "orderState")
    if not word:
        raise FieldError("orderState", "required")
    status = STATUSES.get(word, "paid")
    if status == "unpaid" and _is_part_paid(order):
        return "presale_deposit", "deposit"
    if word == "TRADE_CANCELED" and (paid_at is not None or _is_refunded(order)):
        return "refunded", "none"
    return status, "none"


def _is_part_paid(order: Order) -> bool:
    """An order that waits for payment although something was paid waits for the balance of a presale."""
    try:
        return fen_from_yuan(text(order, "actualPay") or "0") > 0
    except ValueError:
        return False


def _is_refunded(order: Order) -> bool:
    return any(state_of(refund) == "done" for refund in refunds_of(order))


def _hold(order: Order, *, is_placed: bool) -> str:
    word = text(order, "orderState")
    if word not in TO_SHIP:
        return word[:64]
    if text(order, "orderType").partition("-")[0] == LOC:
        return "LOC"
    # 京仓订单 and 云仓订单 leave from a warehouse of JD; the shop's own must not send them once more.
    if elsewhere := text(order, "storeOrder").strip():
        return elsewhere[:64]
    if not is_placed:
        return Hold.PART_REFUNDED.value
    return cash.HOLD if _is_cash(order) else ""


def _is_cash(order: Order) -> bool:
    return text(order, "payType").partition("-")[0] == CASH_ON_DELIVERY


def _ship_by(order: Order, created: datetime | None, paid_at: datetime | None) -> datetime | None:
    """Return the appointed time of dispatch; None lets the shop's own hours since payment decide."""
    try:
        appointed = moment(order, "scDT")
    except FieldError:
        appointed = None
    since = paid_at or created
    if appointed is not None and since is not None and appointed > since:
        return appointed
    if paid_at is None and created is not None and _is_cash(order):
        return created + SHIP_WITHIN
    return None


def _buyer(order: Order) -> dict[str, str]:
    names = [text(order, name) for name in ("open_id_buyer", "xid_buyer", "pin")]
    return {"id": next((name for name in names if name), "")[:128], "nickname": names[2][:200]}
