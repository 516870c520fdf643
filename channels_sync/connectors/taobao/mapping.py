"""A TOP trade as an OrderDraft (protocol reference 1.7; states and traps: domain reference 4.5 and 4.6)."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from channels_sync.connectors import cash
from channels_sync.connectors.fields import fen, moment, text, whole
from channels_sync.connectors.taobao.pull import REFUSED_KEY, number_of
from orderhub.core.draft import OrderDraft, read_draft
from orderhub.core.errors import FieldError
from orderhub.core.money import MAX_FEN
from orderhub.core.told import URGED

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
"""The platform's words; a word that is not here is kept, and held once it is paid. A part shipped outside the
hub counts as shipped, so that nothing is sent twice."""
CLOSED = frozenset({"TRADE_CLOSED", "TRADE_CLOSED_BY_TAOBAO"})
"""States of a trade, and of a line, of which nothing is to be sent any more."""
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
"""A closed refund was withdrawn; one that succeeded ends its line only where the line is closed. A word that is not
here counts as asked: an open refund stops the push."""
FLAGS = {0: "grey", 1: "red", 2: "yellow", 3: "green", 4: "blue", 5: "purple"}
CASH_ON_DELIVERY = "cod"
"""`type` of a trade that is paid to the courier. Its `pay_time`, where there is one, is no payment."""
DEPOSIT_PAID = frozenset({"FRONT_PAID_FINAL_NOPAID", "FRONT_PAID_FRONT_FORFEITED"})
KEPT = ("type", "mark_desc", "ob_tag", "step_trade_status", "step_paid_fee", "est_con_time", "promise_collect_time")
URGED_TAG = "lg"
"""What `ob_tag` says once the buyer pressed 催发货."""
_PROMISED_IN = re.compile(r"(\d{1,3})\s*(小时|天)")
_PROMISED_AT = re.compile(r"\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2}:\d{2})?")


def read_trade(trade: Any) -> OrderDraft:
    """Return the draft of one trade. Raises FieldError with the platform's or the draft's field path."""
    if not isinstance(trade, dict):
        raise FieldError("", "a trade must be an object")
    if trade.get(REFUSED_KEY):
        raise FieldError("tid", f"the platform refuses the details: {trade[REFUSED_KEY]}")
    lines = _lines(trade)
    paid_at = moment(trade, "pay_time")
    status = _status(trade, paid=paid_at is not None)
    if status in {"unpaid", "presale_deposit"}:
        paid_at = None
    is_owed = is_cash(trade) and cash.is_owed(status)
    is_paid = paid_at is not None and not is_owed
    return read_draft(
        {
            "external_no": number_of(trade),
            "status": status,
            "channel_status": text(trade, "status")[:64],
            "channel_hold": _hold(trade) if status == "paid" else "",
            "created_at": moment(trade, "created", required=True),
            "modified_at": moment(trade, "modified", required=True),
            "paid_at": paid_at,
            "ship_by": _ship_by(trade, paid_at),
            "buyer": {"id": text(trade, "buyer_open_uid"), "nickname": text(trade, "buyer_nick")},
            "receiver": _receiver(trade),
            "lines": [line if is_paid else {**line, "paid_fen": 0} for line, _total in lines],
            **_amounts(trade, sum(total for _line, total in lines), is_paid=is_paid),
            "buyer_remark": text(trade, "buyer_message"),
            "seller_remark": text(trade, "seller_memo"),
            "flag": _flag(trade),
            "presale": _presale(trade),
            "raw": _raw(trade),
        }
    )


def _raw(trade: Trade) -> dict[str, Any]:
    kept = {name: trade[name] for name in KEPT if trade.get(name)}
    return {**kept, URGED: True} if URGED_TAG in text(trade, "ob_tag").split(",") else kept


def _status(trade: Trade, *, paid: bool) -> str:
    word = text(trade, "status")
    if not word:
        raise FieldError("status", "required")
    if word == "TRADE_CLOSED" and not paid:
        return "cancelled"
    status = STATUSES.get(word, "paid" if paid else "unpaid")
    if status == "unpaid" and text(trade, "step_trade_status") == "FRONT_PAID_FINAL_NOPAID":
        return "presale_deposit"
    return status


def _hold(trade: Trade) -> str:
    """Return the platform's word against shipping. A state that nobody knows yet is held, never shipped."""
    word = text(trade, "status")
    if word not in STATUSES:
        return f"unknown:{word}"[:64]
    if word in HOLDS:
        return word
    return cash.HOLD if is_cash(trade) else ""


def is_cash(trade: Trade) -> bool:
    """Tell whether the courier collects the money of a trade."""
    return text(trade, "type") == CASH_ON_DELIVERY


def _presale(trade: Trade) -> str:
    step = text(trade, "step_trade_status")
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
    receiver = {ours: text(trade, theirs) for ours, theirs in names.items()}
    receiver["phone"] = text(trade, "receiver_mobile") or text(trade, "receiver_phone")
    if not any(receiver.values()):
        raise FieldError("receiver_name", "the trade has no receiver")
    country = text(trade, "receiver_country")
    receiver["country"] = "CN" if country in {"", "中国", "CN", "China"} else country
    return receiver


def _lines(trade: Trade) -> list[tuple[dict[str, Any], int]]:
    """Return each line with what is due for it before the order's own discount, in fen: nothing for one that was closed
    without being paid."""
    wrapper = trade.get("orders")
    rows = wrapper.get("order") if isinstance(wrapper, dict) else wrapper
    if not isinstance(rows, list) or not rows:
        raise FieldError("orders.order", "the trade has no lines")
    is_over = text(trade, "status") in CLOSED
    return [_line(row, f"orders.order[{place}]", is_over=is_over) for place, row in enumerate(rows)]


def _line(row: Any, path: str, *, is_over: bool) -> tuple[dict[str, Any], int]:
    if not isinstance(row, dict):
        raise FieldError(path, "a line must be an object")
    quantity = whole(row, "num", path)
    total = _line_total(row, quantity, path)
    paid = fen(row, "divide_order_fee", path)
    if paid is None:
        paid = fen(row, "payment", path) or 0
    refund, is_unpaid = _refund(row, is_over=is_over)
    sku = next((str(row[name]) for name in ("outer_sku_id", "outer_iid", "sku_id", "num_iid") if row.get(name)), "")
    line = {
        "line_no": str(row.get("oid_str") or row.get("oid") or ""),
        "sku": sku,
        "title": text(row, "title"),
        "quantity": quantity,
        "unit_price_fen": (total + quantity // 2) // quantity,
        "paid_fen": 0 if is_unpaid else paid,
        "refund": refund,
        "item_id": text(row, "num_iid"),
        "sku_id": text(row, "sku_id"),
        "spec": text(row, "sku_properties_name")[:500],
    }
    return line, 0 if is_unpaid else total


def _refund(row: Trade, *, is_over: bool) -> tuple[str, bool]:
    """Return the refund of a line, and whether the line was closed without being paid while the trade goes on.

    A refund that succeeded and leaves its line open gave a part of the money back: the article is sent, or stays with
    the buyer. Of a trade that is over as a whole its own state says the rest.
    """
    word = REFUNDS.get(text(row, "refund_status"), "asked")
    if is_over:
        return word, False
    if text(row, "status") in CLOSED:
        return "done", word != "done"
    return ("none" if word == "done" else word), False


def _line_total(row: Trade, quantity: int, path: str) -> int:
    """Return what is due for a line: `total_fee` = price x num - what the campaign takes off + the seller's change."""
    total = fen(row, "total_fee", path)
    if total is not None:
        return total
    price = fen(row, "price", path)
    if price is None:
        raise FieldError(f"{path}.price", "required")
    change = fen(row, "adjust_fee", path, signed=True) or 0
    total = price * quantity - (fen(row, "discount_fee", path) or 0) + change
    if not 0 <= total <= MAX_FEN:
        raise FieldError(f"{path}.price", "price, discount and change give no believable amount")
    return total


def _amounts(trade: Trade, total: int, *, is_paid: bool) -> dict[str, int]:
    deposit = fen(trade, "step_paid_fee") or 0
    return {
        "total_fen": total,
        "discount_fen": fen(trade, "discount_fee") or 0,
        "freight_fen": fen(trade, "post_fee") or 0,
        "paid_fen": (fen(trade, "payment") or 0) if is_paid else deposit,
    }


def _ship_by(trade: Trade, paid_at: datetime | None) -> datetime | None:
    """Return the earliest promise of the trade and its lines: latest ship time, promised outbound time, presale date,
    then the promise in words. None lets the shop's own hours decide."""
    wrapper = trade.get("orders")
    rows = wrapper.get("order") if isinstance(wrapper, dict) else wrapper
    holders = [trade, *(row for row in rows or () if isinstance(row, dict))]
    for name in ("delivery_time", "promise_outbound_time", "send_time"):
        moments = [promised for holder in holders if (promised := _promise(holder, name))]
        if moments:
            return min(moments)
    words = [promised for holder in holders if (promised := _promise_in_words(holder, paid_at))]
    return min(words, default=None)


def _promise(holder: Trade, name: str) -> datetime | None:
    try:
        return moment(holder, name)
    except FieldError:
        return None


def _promise_in_words(holder: Trade, paid_at: datetime | None) -> datetime | None:
    words = text(holder, "est_con_time")
    exact = _PROMISED_AT.search(words)
    if exact:
        promised = _promise({"at": exact.group()}, "at")
        whole_day = len(exact.group()) == 10
        return promised + timedelta(days=1, seconds=-1) if promised and whole_day else promised
    within = _PROMISED_IN.search(words)
    if within is None or paid_at is None:
        return None
    hours = int(within.group(1)) * (24 if within.group(2) == "天" else 1)
    return paid_at + timedelta(hours=hours)
