"""A TOP trade as an OrderDraft (protocol reference 1.7; states and traps: domain reference 4.5 and 4.6)."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from channels_sync.connectors.taobao.client import SHANGHAI
from channels_sync.connectors.taobao.pull import REFUSED_KEY, number_of
from orderhub.core.draft import OrderDraft, read_draft
from orderhub.core.errors import FieldError
from orderhub.core.money import MAX_FEN, fen_from_yuan

Trade = Mapping[str, Any]

STATUSES = {
    "TRADE_NO_CREATE_PAY": "unpaid",
    "WAIT_BUYER_PAY": "unpaid",
    "PAY_PENDING": "unpaid",
    "WAIT_PRE_AUTH_CONFIRM": "unpaid",
    "WAIT_SELLER_SEND_GOODS": "paid",
    "PAID_FORBID_CONSIGN": "paid",
    "SELLER_CONSIGNED_PART": "in_transit",
    "WAIT_BUYER_CONFIRM_GOODS": "in_transit",
    "TRADE_BUYER_SIGNED": "delivered",
    "TRADE_FINISHED": "completed",
    "TRADE_CLOSED": "refunded",
    "TRADE_CLOSED_BY_TAOBAO": "cancelled",
}
"""The platform's words; a part shipped outside the hub counts as shipped, so that nothing is sent twice."""
HOLDS = frozenset({"PAID_FORBID_CONSIGN"})
"""Paid, but the platform forbids shipping for now."""
REFUNDS = {
    "": "none",
    "NO_REFUND": "none",
    "WAIT_SELLER_AGREE": "asked",
    "WAIT_BUYER_RETURN_GOODS": "agreed",
    "WAIT_SELLER_CONFIRM_GOODS": "agreed",
    "SELLER_REFUSE_BUYER": "refused",
    "CLOSED": "none",
    "SUCCESS": "done",
}
"""A closed refund was withdrawn. A word that is not here counts as asked: an open refund stops the push."""
FLAGS = {0: "grey", 1: "red", 2: "yellow", 3: "green", 4: "blue", 5: "purple"}
DEPOSIT_PAID = frozenset({"FRONT_PAID_FINAL_NOPAID", "FRONT_PAID_FRONT_FORFEITED"})
NO_TIME = ("0001-", "1970-01-01", "0000-")
"""What platforms send for "no time"."""
KEPT = ("type", "mark_desc", "ob_tag", "step_trade_status", "step_paid_fee", "est_con_time", "promise_collect_time")
_PROMISED_IN = re.compile(r"(\d{1,3})\s*(小时|天)")
_PROMISED_AT = re.compile(r"\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2}:\d{2})?")


def read_trade(trade: Any) -> OrderDraft:
    """Return the draft of one trade. Raises FieldError with the platform's or the draft's field path."""
    if not isinstance(trade, dict):
        raise FieldError("", "a trade must be an object")
    if trade.get(REFUSED_KEY):
        raise FieldError("tid", f"the platform refuses the details: {trade[REFUSED_KEY]}")
    lines = _lines(trade)
    paid_at = _time(trade, "pay_time")
    status = _status(trade, paid=paid_at is not None)
    if status in {"unpaid", "presale_deposit"}:
        paid_at = None
    return read_draft(
        {
            "external_no": number_of(trade),
            "status": status,
            "channel_status": _text(trade, "status"),
            "channel_hold": _text(trade, "status") if trade["status"] in HOLDS else "",
            "created_at": _time(trade, "created", required=True),
            "modified_at": _time(trade, "modified", required=True),
            "paid_at": paid_at,
            "ship_by": _ship_by(trade, paid_at),
            "buyer": {"id": _text(trade, "buyer_open_uid"), "nickname": _text(trade, "buyer_nick")},
            "receiver": _receiver(trade),
            "lines": [line for line, _total in lines],
            **_amounts(trade, sum(total for _line, total in lines), is_paid=paid_at is not None),
            "buyer_remark": _text(trade, "buyer_message"),
            "seller_remark": _text(trade, "seller_memo"),
            "flag": _flag(trade),
            "presale": _presale(trade),
            "raw": {name: trade[name] for name in KEPT if trade.get(name)},
        }
    )


def _status(trade: Trade, *, paid: bool) -> str:
    word = _text(trade, "status")
    if word not in STATUSES:
        raise FieldError("status", f"unknown status {word[:60]!r}")
    if word == "TRADE_CLOSED" and not paid:
        return "cancelled"
    if STATUSES[word] == "unpaid" and _text(trade, "step_trade_status") == "FRONT_PAID_FINAL_NOPAID":
        return "presale_deposit"
    return STATUSES[word]


def _presale(trade: Trade) -> str:
    step = _text(trade, "step_trade_status")
    if step in DEPOSIT_PAID:
        return "deposit"
    return "balance_paid" if step == "FRONT_PAID_FINAL_PAID" else "none"


def _flag(trade: Trade) -> str:
    """Flag 0 is what every trade has; it is a grey flag only where the seller wrote something."""
    try:
        number = int(trade.get("seller_flag") or 0)
    except (TypeError, ValueError):
        return "none"
    return FLAGS.get(number, "none") if number or trade.get("seller_memo") else "none"


def _receiver(trade: Trade) -> dict[str, str]:
    names = {
        "name": "receiver_name", "province": "receiver_state", "city": "receiver_city",
        "district": "receiver_district", "town": "receiver_town", "detail": "receiver_address",
        "postcode": "receiver_zip", "oaid": "oaid",
    }  # fmt: skip
    receiver = {ours: _text(trade, theirs) for ours, theirs in names.items()}
    receiver["phone"] = _text(trade, "receiver_mobile") or _text(trade, "receiver_phone")
    if not any(receiver.values()):
        raise FieldError("receiver_name", "the trade has no receiver")
    country = _text(trade, "receiver_country")
    receiver["country"] = "CN" if country in {"", "中国", "CN", "China"} else country
    return receiver


def _lines(trade: Trade) -> list[tuple[dict[str, Any], int]]:
    """Return each line with what is due for it before the order's own discount, in fen."""
    wrapper = trade.get("orders")
    rows = wrapper.get("order") if isinstance(wrapper, dict) else wrapper
    if not isinstance(rows, list) or not rows:
        raise FieldError("orders.order", "the trade has no lines")
    return [_line(row, f"orders.order[{place}]") for place, row in enumerate(rows)]


def _line(row: Any, path: str) -> tuple[dict[str, Any], int]:
    if not isinstance(row, dict):
        raise FieldError(path, "a line must be an object")
    quantity = _whole(row, "num", path)
    total = _line_total(row, quantity, path)
    paid = _fen(row, "divide_order_fee", path)
    if paid is None:
        paid = _fen(row, "payment", path) or 0
    sku = next((str(row[name]) for name in ("outer_sku_id", "outer_iid", "sku_id", "num_iid") if row.get(name)), "")
    line = {
        "line_no": str(row.get("oid_str") or row.get("oid") or ""),
        "sku": sku,
        "title": _text(row, "title"),
        "quantity": quantity,
        "unit_price_fen": (total + quantity // 2) // quantity,
        "paid_fen": paid,
        "refund": REFUNDS.get(str(row.get("refund_status") or ""), "asked"),
        "item_id": _text(row, "num_iid"),
        "sku_id": _text(row, "sku_id"),
        "spec": _text(row, "sku_properties_name")[:500],
    }
    return line, total


def _line_total(row: Trade, quantity: int, path: str) -> int:
    """Return what is due for a line: `total_fee` = price x num - what the campaign takes off + the seller's change."""
    total = _fen(row, "total_fee", path)
    if total is not None:
        return total
    price = _fen(row, "price", path)
    if price is None:
        raise FieldError(f"{path}.price", "required")
    change = _fen(row, "adjust_fee", path, signed=True) or 0
    total = price * quantity - (_fen(row, "discount_fee", path) or 0) + change
    if not 0 <= total <= MAX_FEN:
        raise FieldError(f"{path}.price", "price, discount and change give no believable amount")
    return total


def _amounts(trade: Trade, total: int, *, is_paid: bool) -> dict[str, int]:
    deposit = _fen(trade, "step_paid_fee") or 0
    return {
        "total_fen": total,
        "discount_fen": _fen(trade, "discount_fee") or 0,
        "freight_fen": _fen(trade, "post_fee") or 0,
        "paid_fen": (_fen(trade, "payment") or 0) if is_paid else deposit,
    }


def _ship_by(trade: Trade, paid_at: datetime | None) -> datetime | None:
    """Return the earliest promise of the trade and its lines: latest ship time, promised outbound time, presale date,
    then the promise in words. None lets the shop's own hours decide."""
    wrapper = trade.get("orders")
    rows = wrapper.get("order") if isinstance(wrapper, dict) else wrapper
    holders = [trade, *(row for row in rows or () if isinstance(row, dict))]
    for name in ("delivery_time", "promise_outbound_time", "send_time"):
        moments = [moment for holder in holders if (moment := _promise(holder, name))]
        if moments:
            return min(moments)
    words = [moment for holder in holders if (moment := _promise_in_words(holder, paid_at))]
    return min(words, default=None)


def _promise(holder: Trade, name: str) -> datetime | None:
    try:
        return _time(holder, name)
    except FieldError:
        return None


def _promise_in_words(holder: Trade, paid_at: datetime | None) -> datetime | None:
    text = _text(holder, "est_con_time")
    exact = _PROMISED_AT.search(text)
    if exact:
        moment = _promise({"at": exact.group()}, "at")
        whole_day = len(exact.group()) == 10
        return moment + timedelta(days=1, seconds=-1) if moment and whole_day else moment
    within = _PROMISED_IN.search(text)
    if within is None or paid_at is None:
        return None
    hours = int(within.group(1)) * (24 if within.group(2) == "天" else 1)
    return paid_at + timedelta(hours=hours)


def _time(holder: Trade, name: str, *, required: bool = False) -> datetime | None:
    """Return a time of the platform (GMT+8), None where it says that there is none. Raises FieldError."""
    text = str(holder.get(name) or "")
    if not text or text.startswith(NO_TIME):
        if required:
            raise FieldError(name, f"no time: {text!r}" if text else "required")
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise FieldError(name, f"not a time: {text[:40]!r}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


def _fen(holder: Trade, name: str, path: str = "", *, signed: bool = False) -> int | None:
    """Return an amount in fen, None where there is none. Raises FieldError for a negative or unbelievable one."""
    value = holder.get(name)
    if value is None or value == "":
        return None
    place = f"{path}.{name}" if path else name
    try:
        fen = fen_from_yuan(value)
    except ValueError as error:
        raise FieldError(place, str(error)) from error
    if fen > MAX_FEN or fen < (-MAX_FEN if signed else 0):
        raise FieldError(place, f"not a believable amount: {str(value)[:40]}")
    return fen


def _whole(holder: Trade, name: str, path: str) -> int:
    value = holder.get(name)
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 9 or int(text) < 1:
        raise FieldError(f"{path}.{name}", f"must be a whole number from 1, not {text[:40]!r}")
    return int(text)


def _text(holder: Trade, name: str) -> str:
    value = holder.get(name)
    return "" if value is None else str(value)
