"""A Douyin shop order as an OrderDraft (protocol reference 4.5; states and traps: domain reference 4.5 and 4.6)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from channels_sync.connectors import cash
from channels_sync.connectors.douyin.receiver import receiver_of, sealed_of
from channels_sync.connectors.fields import text, whole
from orderhub.core.draft import OrderDraft, read_draft
from orderhub.core.errors import FieldError
from orderhub.core.money import MAX_FEN

Order = Mapping[str, Any]

REFUSED_KEY = "hub_refused"
"""Put into an order whose details the platform refuses; its reader makes a reject of it."""
STATUSES = {
    "1": "unpaid",
    "103": "presale_deposit",
    "105": "paid",
    "2": "paid",
    "16": "paid",
    "17": "paid",
    "25": "paid",
    "26": "paid",
    "101": "in_transit",
    "3": "in_transit",
    "5": "completed",
    "4": "cancelled",
    "21": "refunded",
    "22": "refunded",
    "39": "refunded",
}
"""`order_status` and `main_status`. A part shipped outside the hub counts as shipped, so that nothing is sent twice;
16, 17, 25, 26 (refund asked, agreed, withdrawn, refused before shipping) are paid orders whose lines tell the rest."""
ENDED = frozenset({"21", "22", "39"})
"""Main states of an order whose refund is finished: before shipping, after it, after receipt."""
SHIPPED = frozenset({"in_transit", "completed"})
CASH_ON_DELIVERY = "0"
"""`pay_type` of an order that is paid to the courier; also that of one that is not paid yet."""
RISK_REVIEW = "105"
"""Paid and under the platform's risk review; it ships only from state 2 on."""
REFUNDS = {
    "0": "none",
    "6": "asked",
    "7": "agreed",
    "11": "agreed",
    "12": "done",
    "13": "agreed",
    "14": "none",
    "27": "refused",
    "28": "none",
    "29": "refused",
    "51": "done",
    "53": "done",
}
"""`after_sale_status`; 28 is also what a withdrawn one becomes. A number that is not here counts as asked: an open
refund stops the push."""
REFUND_PAID = "3"
KEPT_GOODS = frozenset({"6", "7", "8"})
"""`after_sale_type` of claims that leave the buyer the goods: price protection, something sent after, repair. Public
copies of the field list name them; the platform's SDK ends at 5."""
BY_STATE = {"16": "asked", "17": "agreed"}
FLAGS = {0: "grey", 1: "purple", 2: "cyan", 3: "green", 4: "orange", 5: "red"}
"""`seller_remark_stars`; red is 5 here and 1 on Taobao."""
EARLIEST_SECONDS = 86_400
"""What lies before the second day of 1970 is the platform's "no time", as 0 is."""
KEPT = (
    "main_status", "pay_type", "order_type", "cancel_reason", "order_phase_list", "shop_order_tag_ui", "user_tag_ui",
    "appointment_ship_time", "promise_info",
)  # fmt: skip


def number_of(order: Any) -> str:
    """Return the number of a shop order as text; lists at times hang an `A` on it."""
    return str(order.get("order_id") or "").removesuffix("A") if isinstance(order, Mapping) else ""


def read_order(order: Any) -> OrderDraft:
    """Return the draft of one shop order. Raises FieldError with the platform's or the draft's field path."""
    if not isinstance(order, dict):
        raise FieldError("", "an order must be an object")
    if order.get(REFUSED_KEY):
        raise FieldError("order_id", f"the platform refuses the details: {order[REFUSED_KEY]}")
    lines = _lines(order)
    presale, deposit = _presale(order)
    paid_at = moment_of(order, "pay_time")
    status, hold = _status(order, [line for line, _sum in lines], presale, is_paid=paid_at is not None)
    if status in SHIPPED and all(line["refund"] == "done" for line, _sum in lines):
        lines = _refunded_in_part(order, lines)
    is_unpaid = status in {"unpaid", "presale_deposit"}
    is_owed = is_unpaid or (_is_cash(order) and cash.is_owed(status))
    if is_unpaid:
        paid_at = None
    if is_owed:
        lines = [({**line, "paid_fen": 0}, total) for line, total in lines]
    return read_draft(
        {
            "external_no": number_of(order),
            "status": status,
            "channel_status": _channel_status(order),
            "channel_hold": hold,
            "created_at": moment_of(order, "create_time", required=True),
            "modified_at": moment_of(order, "update_time", required=True),
            "paid_at": paid_at,
            "ship_by": _ship_by(order),
            "buyer": {"id": text(order, "doudian_open_id") or text(order, "open_id")},
            "receiver": receiver_of(order),
            "lines": [line for line, _sum in lines],
            **_amounts(
                order, sum(total for _line, total in lines), deposit, is_paid=paid_at is not None and not is_owed
            ),
            "buyer_remark": text(order, "buyer_words"),
            "seller_remark": text(order, "seller_words"),
            "flag": _flag(order),
            "presale": presale,
            "raw": _raw(order),
        }
    )


def _raw(order: Order) -> dict[str, Any]:
    """Return what the draft has no field for: cipher texts, gifts and the parts of bundles by line, labels."""
    rows = order["sku_order_list"]
    found = {
        **{name: order[name] for name in KEPT if order.get(name)},
        "sealed": sealed_of(order),
        "gifts": [text(row, "order_id") for row in rows if row.get("given_product_type") == "FREE"],
        "bundles": {text(row, "order_id"): row["bundle_sku_info"] for row in rows if row.get("bundle_sku_info")},
    }
    return {name: value for name, value in found.items() if value}


def moment_of(holder: Order, name: str, *, required: bool = False) -> datetime | None:
    """Return a time given in unix seconds, None where the platform says that there is none. Raises FieldError."""
    value = holder.get(name)
    text = str(value or 0)
    digits = text.removeprefix("-")
    if isinstance(value, bool) or not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        raise FieldError(name, f"not a time in unix seconds: {str(value)[:40]!r}")
    if int(text) < EARLIEST_SECONDS:
        if required:
            raise FieldError(name, f"no time: {text}" if value else "required")
        return None
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise FieldError(name, f"not a time in unix seconds: {text}") from error


def _status(order: Order, lines: Sequence[dict[str, Any]], presale: str, *, is_paid: bool) -> tuple[str, str]:
    """Return the status and the platform's hold. A state that nobody knows yet is held, never shipped."""
    state, main = text(order, "order_status"), text(order, "main_status")
    if main in ENDED:
        return "refunded", ""
    if state not in STATUSES:
        if not state:
            raise FieldError("order_status", "required")
        return ("paid", f"unknown:{state}"[:64]) if is_paid else ("unpaid", "")
    status = STATUSES[state]
    if state == "4" and is_paid and all(line["refund"] == "done" for line in lines):
        return "refunded", ""
    is_deposit = presale == "deposit" and status in {"unpaid", "presale_deposit", "paid"}
    if is_deposit or (main == "103" and status == "unpaid"):
        return "presale_deposit", ""
    return status, _hold(order, state) if status == "paid" else ""


def _hold(order: Order, state: str) -> str:
    """Return the code of the hold: risk review, told by the state or by a label of the order, or money to collect."""
    if state == RISK_REVIEW:
        return "risk_review"
    labels = order.get("shop_order_tag_ui")
    for label in labels if isinstance(labels, list) else ():
        if isinstance(label, dict) and ("risk" in str(label.get("key", "")) or "风控" in str(label.get("text", ""))):
            return "risk_review"
    return cash.HOLD if _is_cash(order) else ""


def _is_cash(order: Order) -> bool:
    return text(order, "pay_type") == CASH_ON_DELIVERY


def _channel_status(order: Order) -> str:
    state, main = text(order, "order_status"), text(order, "main_status")
    return (state if main in {"", "0", state} else f"{state}/{main}")[:64]


def _presale(order: Order) -> tuple[str, int]:
    """Return how far a presale in two payments has come, and what of it is paid, in fen."""
    phases = order.get("order_phase_list")
    phases = [phase for phase in phases if isinstance(phase, dict)] if isinstance(phases, list) else []
    paid = [phase for phase in phases if text(phase, "pay_success").lower() in {"true", "1"}]
    if not paid:
        return "none", 0
    total = max((int(_fen(phase, "total_phase", "order_phase_list") or 0) for phase in phases), default=0)
    whole = max(total, len(phases), 2)
    amount = sum(_fen(phase, "phase_pay_amount", "order_phase_list") or 0 for phase in paid)
    return ("balance_paid" if len(paid) >= whole else "deposit"), amount


def _flag(order: Order) -> str:
    """Star 0 is what every order has; it is a grey flag only where the seller wrote something."""
    try:
        number = int(order.get("seller_remark_stars") or 0)
    except (TypeError, ValueError, OverflowError):
        return "none"
    return FLAGS.get(number, "none") if number or order.get("seller_words") else "none"


def _lines(order: Order) -> list[tuple[dict[str, Any], int]]:
    """Return each line with what is due for it before the order's own discount, in fen."""
    rows = order.get("sku_order_list")
    if not isinstance(rows, list) or not rows:
        raise FieldError("sku_order_list", "the order has no lines")
    by_state = BY_STATE.get(text(order, "main_status")) or BY_STATE.get(text(order, "order_status")) or "none"
    return [_line(row, f"sku_order_list[{place}]", by_state) for place, row in enumerate(rows)]


def _line(row: Any, path: str, by_state: str) -> tuple[dict[str, Any], int]:
    if not isinstance(row, dict):
        raise FieldError(path, "a line must be an object")
    quantity = whole(row, "item_num", path)
    total = _fen(row, "sum_amount", path)
    if total is None:
        total = (_fen(row, "origin_amount", path) or 0) * quantity
    if total > MAX_FEN:
        raise FieldError(f"{path}.origin_amount", "price and pieces give no believable amount")
    sku = next((str(row[name]) for name in ("code", "out_sku_id", "sku_id", "product_id_str") if row.get(name)), "")
    line = {
        "line_no": text(row, "order_id"),
        "sku": sku,
        "title": _title(row),
        "quantity": quantity,
        "unit_price_fen": (total + quantity // 2) // quantity,
        "paid_fen": max((_fen(row, "pay_amount", path) or 0) - (_fen(row, "promotion_pay_amount", path) or 0), 0),
        "refund": _refund(row, by_state),
        "item_id": text(row, "product_id_str") or text(row, "product_id"),
        "sku_id": text(row, "sku_id"),
        "spec": _spec(row)[:500],
    }
    return line, total


def _refunded_in_part(order: Order, lines: list[tuple[dict[str, Any], int]]) -> list[tuple[dict[str, Any], int]]:
    """Return the lines of an order that goes on although each had a refund: had all of it gone back, its main state
    would say so. Lines that are over by their own state stay done."""
    return [
        (line if ENDED & {text(row, "main_status"), text(row, "order_status")} else {**line, "refund": "none"}, total)
        for row, (line, total) in zip(order["sku_order_list"], lines, strict=True)
    ]


def _title(row: Order) -> str:
    return " ".join(filter(None, [text(row, "product_name"), _spec(row)]))[:500]


def _spec(row: Order) -> str:
    specs = row.get("spec")
    values = (
        [str(spec.get("value") or "") for spec in specs if isinstance(spec, dict)] if isinstance(specs, list) else []
    )
    return " ".join(filter(None, values))


def _refund(row: Order, by_state: str) -> str:
    info = row.get("after_sale_info")
    info = info if isinstance(info, dict) else {}
    if text(info, "after_sale_type") in KEPT_GOODS:
        return by_state
    if text(info, "refund_status") == REFUND_PAID:
        return "done"
    word = REFUNDS.get(text(info, "after_sale_status") or "0", "asked")
    return by_state if word == "none" else word


def _amounts(order: Order, total: int, deposit: int, *, is_paid: bool) -> dict[str, int]:
    """What the buyer really pays is `pay_amount` less what the payment channel gives (`promotion_pay_amount`)."""
    paid = max((_fen(order, "pay_amount") or 0) - (_fen(order, "promotion_pay_amount") or 0), 0)
    discount = (_fen(order, "promotion_amount") or 0) - (_fen(order, "modify_amount", signed=True) or 0)
    return {
        "total_fen": total,
        "discount_fen": max(discount, 0),
        "freight_fen": _fen(order, "post_amount") or 0,
        "paid_fen": paid if is_paid else deposit,
    }


def _ship_by(order: Order) -> datetime | None:
    """Return the platform's latest time to ship: the order's, else the earliest of its lines, else the appointed one.

    After an agreed change the platform moves `exp_ship_time` itself. None lets the shop's own hours decide.
    """
    lines = [row for row in order.get("sku_order_list") or () if isinstance(row, dict)]
    for name in ("exp_ship_time", "appointment_ship_time"):
        moments = [moment for holder in (order, *lines) if (moment := _promise(holder, name))]
        if own := _promise(order, name):
            return own
        if moments:
            return min(moments)
    return None


def _promise(holder: Order, name: str) -> datetime | None:
    try:
        return moment_of(holder, name)
    except FieldError:
        return None


def _fen(holder: Order, name: str, path: str = "", *, signed: bool = False) -> int | None:
    """Return an amount in fen, None where there is none. Raises FieldError for a negative or unbelievable one."""
    value = holder.get(name)
    if value is None or value == "":
        return None
    text = str(value)
    digits = text.removeprefix("-") if signed else text
    if isinstance(value, bool) or not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise FieldError(f"{path}.{name}" if path else name, f"not an amount in fen: {text[:40]!r}")
    if abs(int(text)) > MAX_FEN:
        raise FieldError(f"{path}.{name}" if path else name, f"not a believable amount: {text[:40]}")
    return int(text)
