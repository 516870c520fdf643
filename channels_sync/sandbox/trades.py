"""An order as a TOP trade (protocol reference 1.7; amounts by the platform's own field descriptions).

Line: `price` is the list price, `total_fee` = price x num - discount_fee (what the campaign takes off), `payment`
equals it when a trade has several lines and equals the trade's payment when it has one, `divide_order_fee` is what
remains after the share of the order's discount (`part_mjz_discount`).
"""

from datetime import datetime, timedelta, timezone
from typing import Any

from channels_sync.sandbox import catalogue
from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.masking import masked_name, masked_receiver, oaid
from channels_sync.sandbox.orders import discount_shares

Row = dict[str, Any]

SHANGHAI = timezone(timedelta(hours=8))
FULLINFO_ONLY = frozenset({"buyer_message", "seller_memo"})
"""The lists say only that there is a message (protocol reference 1.7)."""
OAID_ASKS = frozenset({"receiver_name", "receiver_address", "created", "receiver_mobile", "receiver_phone"})
"""`oaid` comes back only when all of these are asked for."""

_STATUS = {
    "unpaid": "WAIT_BUYER_PAY",
    "presale_deposit": "WAIT_BUYER_PAY",
    "paid": "WAIT_SELLER_SEND_GOODS",
    "in_transit": "WAIT_BUYER_CONFIRM_GOODS",
    "completed": "TRADE_FINISHED",
    "cancelled": "TRADE_CLOSED_BY_TAOBAO",
    "refunded": "TRADE_CLOSED",
}
_REFUND = {
    "none": "NO_REFUND",
    "asked": "WAIT_SELLER_AGREE",
    "agreed": "WAIT_BUYER_RETURN_GOODS",
    "done": "SUCCESS",
    "refused": "SELLER_REFUSE_BUYER",
}
FLAGS = {"none": 0, "grey": 0, "red": 1, "yellow": 2, "green": 3, "blue": 4, "purple": 5}
_COUNTRIES = {"CN": "中国", "HK": "中国", "MO": "中国"}


def trade(draft: Row, credentials: Credentials) -> Row:
    """Return the whole trade with every field; the caller projects it."""
    number = int(draft["external_no"])
    status = status_of(draft)
    found = {
        "tid": number,
        "tid_str": str(number),
        "status": status,
        "type": type_of(draft),
        "title": credentials.seller_nick,
        "seller_nick": credentials.seller_nick,
        "num": sum(line["quantity"] for line in draft["lines"]),
        "created": top_time(draft["created_at"]),
        "modified": top_time(draft["modified_at"]),
        "seller_flag": FLAGS[draft["flag"]],
        "seller_memo": draft["seller_remark"],
        "buyer_message": draft["buyer_remark"],
        "has_buyer_message": bool(draft["buyer_remark"]),
        "buyer_nick": masked_name(draft["buyer"]["nickname"]),
        "buyer_open_uid": draft["buyer"]["id"],
        "shipping_type": "express",
        "mark_desc": "发货强管控" if draft["channel_hold"] else "",
        "orders": {"order": [_line(draft, index, status) for index in range(len(draft["lines"]))]},
        **_amounts(draft),
        **_receiver(draft, credentials),
    }
    if draft["paid_at"]:
        found["pay_time"] = top_time(draft["paid_at"])
    if status.startswith("TRADE_CLOSED"):
        found["end_time"] = found["modified"]
    if draft["presale"] != "none":
        paid = draft["presale"] == "balance_paid"
        found["step_trade_status"] = "FRONT_PAID_FINAL_PAID" if paid else "FRONT_PAID_FINAL_NOPAID"
        found["step_paid_fee"] = yuan(draft["paid_fen"])
    return found


def status_of(draft: Row) -> str:
    """Return the platform's word; a trade with only a part of its lines sent has one of its own."""
    parcels = draft["raw"].get("parcels")
    to_ship = {oid for oid, line in zip(oids(draft), draft["lines"], strict=True) if line["refund"] != "done"}
    if draft["status"] == "in_transit" and parcels and to_ship - parcels.keys():
        return "SELLER_CONSIGNED_PART"
    return str(draft["channel_hold"] or _STATUS[draft["status"]])


def type_of(draft: Row) -> str:
    """Return the platform's word for how a trade is paid; `cod` only where somebody made it so."""
    return str(draft["raw"].get("type") or ("fixed" if draft["presale"] == "none" else "step"))


def oids(draft: Row) -> list[str]:
    """Return the number of each line: the trade's own when it has one line."""
    number = int(draft["external_no"])
    count = len(draft["lines"])
    return [str(number)] if count == 1 else [str(number + place) for place in range(1, count + 1)]


def project(whole: Row, asked: str, *, full: bool, with_oaid: bool = False) -> Row:
    """Return only the fields asked for (`orders` or `orders.title` for lines), as the gateway does."""
    names = {name.strip() for name in asked.split(",") if name.strip()}
    line_names = {name.partition(".")[2] for name in names if name.startswith("orders.")}
    found = {
        name: value
        for name, value in whole.items()
        if name in names and name not in {"orders", "oaid"} and (full or name not in FULLINFO_ONLY) and value != ""
    }
    if "orders" in names:
        found["orders"] = whole["orders"]
    elif line_names:
        lines = whole["orders"]["order"]
        found["orders"] = {"order": [{k: v for k, v in line.items() if k in line_names} for line in lines]}
    if names >= OAID_ASKS or with_oaid:
        found["oaid"] = whole["oaid"]
    return found


def refund_rows(draft: Row, credentials: Credentials) -> list[Row]:
    """Return the refunds of a trade as `taobao.refunds.receive.get` lists them; one that was withdrawn is closed."""
    whole, raw = trade(draft, credentials), draft["raw"]
    asked = top_time(raw.get("refund_at") or draft["modified_at"])
    moved = top_time(raw.get("decided_at") or raw.get("refund_at") or draft["modified_at"])
    lines = whole["orders"]["order"]
    if "refund_at" in raw and all(line["refund_status"] == "NO_REFUND" for line in lines):
        oid = str(lines[0]["oid"])
        lines = [{**lines[0], "refund_status": "CLOSED", "refund_id": oid[::-1]}]
    return [
        {
            "refund_id": line["refund_id"],
            "tid": whole["tid"],
            "oid": line["oid"],
            "status": line["refund_status"],
            "order_status": line["status"],
            "refund_fee": line["divide_order_fee"],
            "total_fee": line["total_fee"],
            "num": line["num"],
            "title": line["title"],
            "buyer_nick": whole["buyer_nick"],
            "buyer_open_uid": whole["buyer_open_uid"],
            "created": asked,
            "modified": max(asked, moved),
            "good_status": "BUYER_NOT_RECEIVED",
            "has_good_return": False,
            "reason": "不想要了",
        }
        for line in lines
        if line["refund_status"] != "NO_REFUND"
    ]


def top_time(text: str) -> str:
    """Return an ISO time as the platforms write it: `yyyy-MM-dd HH:mm:ss` in GMT+8."""
    return datetime.fromisoformat(text).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def yuan(fen: int) -> str:
    """Return 12900 as `129.00`."""
    return f"{fen // 100}.{fen % 100:02d}"


def _amounts(draft: Row) -> Row:
    listed = sum(_list_price(line) * line["quantity"] for line in draft["lines"])
    payment = draft["total_fen"] - draft["discount_fen"] + draft["freight_fen"]
    return {
        "total_fee": yuan(listed),
        "discount_fee": yuan(draft["discount_fen"]),
        "adjust_fee": "0.00",
        "post_fee": yuan(draft["freight_fen"]),
        "payment": yuan(payment),
        "received_payment": "0.00",
    }


def _line(draft: Row, index: int, status: str) -> Row:
    line = draft["lines"][index]
    single = len(draft["lines"]) == 1
    article = catalogue.by_sku()[line["sku"]]
    whole = line["unit_price_fen"] * line["quantity"]
    share = discount_shares(draft["lines"], draft["discount_fen"])[index]
    payment = draft["total_fen"] - draft["discount_fen"] + draft["freight_fen"] if single else whole
    number = int(oids(draft)[index])
    listed = _list_price(line)
    found = {
        "oid": number,
        "oid_str": str(number),
        "num_iid": article.item_id,
        "sku_id": str(article.item_id * 10 + 1),
        "outer_iid": article.sku.partition("-")[0],
        "outer_sku_id": article.sku,
        "title": article.title,
        "sku_properties_name": "规格:默认",
        "num": line["quantity"],
        "price": yuan(listed),
        "discount_fee": yuan(listed * line["quantity"] - whole),
        "adjust_fee": "0.00",
        "total_fee": yuan(whole),
        "payment": yuan(payment),
        "part_mjz_discount": yuan(share),
        "divide_order_fee": yuan(whole - share),
        "refund_status": _REFUND[line["refund"]],
        "status": status,
        "seller_type": "B",
        "is_oversold": False,
    }
    parcel = draft["raw"].get("parcels", {}).get(str(number))
    if parcel:
        found |= {"invoice_no": parcel["number"], "logistics_company": parcel["company"]}
    if status == "SELLER_CONSIGNED_PART":
        found["status"] = "WAIT_BUYER_CONFIRM_GOODS" if parcel else "WAIT_SELLER_SEND_GOODS"
    if line["refund"] == "done":
        found["status"] = "TRADE_CLOSED"
    if draft["ship_by"]:
        found["delivery_time"] = top_time(draft["ship_by"])
    if line["refund"] != "none":
        found["refund_id"] = str(number)[::-1]
    return found


def _list_price(line: Row) -> int:
    """Return the list price; a unit price above it can only be a wrong list price."""
    return max(catalogue.by_sku()[line["sku"]].list_fen, int(line["unit_price_fen"]))


def _receiver(draft: Row, credentials: Credentials) -> Row:
    receiver = masked_receiver(draft["receiver"])
    return {
        "receiver_name": receiver["name"],
        "receiver_country": _COUNTRIES.get(receiver["country"], receiver["country"]),
        "receiver_state": receiver["province"],
        "receiver_city": receiver["city"],
        "receiver_district": receiver["district"],
        "receiver_town": receiver["town"],
        "receiver_address": receiver["detail"],
        "receiver_mobile": receiver["phone"],
        "receiver_zip": receiver["postcode"],
        "oaid": oaid(draft, credentials),
    }
