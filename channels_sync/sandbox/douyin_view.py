"""An order as the Douyin open platform shows it (protocol reference 4.5): fen, unix seconds, sealed receivers."""

from datetime import datetime
from typing import Any

from channels_sync.sandbox import catalogue
from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.douyin_seal import seal
from channels_sync.sandbox.masking import masked_receiver, oaid
from channels_sync.sandbox.orders import discount_shares

Row = dict[str, Any]

STARS = {"none": 0, "grey": 0, "purple": 1, "cyan": 2, "blue": 2, "green": 3, "orange": 4, "yellow": 4, "red": 5}
COLOURS = {0: "grey", 1: "purple", 2: "cyan", 3: "green", 4: "orange", 5: "red"}
WORDS = {1: "待支付", 105: "已支付", 2: "备货中", 101: "部分发货", 3: "已发货", 4: "已取消", 5: "已完成"}
_STATES = {"unpaid": 1, "presale_deposit": 1, "paid": 2, "cancelled": 4, "refunded": 4, "completed": 5}
_AFTER_SALE = {"none": 0, "asked": 6, "agreed": 7, "done": 12, "refused": 27}
_REFUNDED = {"in_transit": 22, "completed": 39}
"""`main_status` of an order that was refunded as a whole after shipping, and after receipt."""
_TRADE_PRESALE = 2


def order_state(draft: Row) -> int:
    """Return `order_status`."""
    if draft["channel_hold"]:
        return 105
    if draft["status"] in _STATES:
        return _STATES[draft["status"]]
    refunded = {line_id(draft, place) for place, line in enumerate(draft["lines"]) if line["refund"] == "done"}
    return 101 if unshipped(draft).keys() - refunded else 3


def main_state(draft: Row) -> int:
    """Return `main_status`, which tells a little more."""
    if draft["status"] == "presale_deposit":
        return 103
    if draft["status"] in _REFUNDED and all(line["refund"] == "done" for line in draft["lines"]):
        return _REFUNDED[draft["status"]]
    return 21 if draft["status"] == "refunded" else order_state(draft)


def unshipped(draft: Row) -> dict[str, int]:
    """Return the pieces that are in no parcel yet, by line; nothing once a parcel took the whole order."""
    parcels = draft["raw"].get("parcels", [])
    left = {line_id(draft, place): line["quantity"] for place, line in enumerate(draft["lines"])}
    for parcel in parcels:
        for number, count in parcel["lines"].items():
            left[number] -= count
    return {number: count for number, count in left.items() if count > 0}


def line_id(draft: Row, place: int) -> str:
    """Return the number of a line; the first line has that of its order."""
    return str(int(draft["external_no"]) + place)


def shop_order(draft: Row, credentials: Credentials, *, with_masks: bool) -> Row:
    """Return one order. `with_masks` as applications with the permission see it; others get cipher texts only."""
    state = order_state(draft)
    return {
        "order_id": draft["external_no"],
        "shop_id": int(credentials.douyin_shop_id),
        "shop_name": credentials.douyin_shop_name,
        "order_status": state,
        "order_status_desc": WORDS[state],
        "main_status": main_state(draft),
        "order_type": 0,
        "biz": 2,
        "b_type": 2,
        "pay_type": 1 if draft["paid_at"] else 0,
        "create_time": unix(draft["created_at"]),
        "pay_time": unix(draft["paid_at"]),
        "update_time": unix(draft["modified_at"]),
        "finish_time": unix(draft["modified_at"]) if state in {4, 5} else 0,
        "exp_ship_time": unix(draft["ship_by"]),
        "ship_time": unix(draft["modified_at"]) if state == 3 else 0,
        "appointment_ship_time": 0,
        "buyer_words": draft["buyer_remark"],
        "seller_words": draft["seller_remark"],
        "seller_remark_stars": STARS[draft["flag"]],
        "doudian_open_id": draft["buyer"]["id"],
        "open_id": "",
        "cancel_reason": "用户取消" if state == 4 else "",
        "shop_order_tag_ui": [],
        "user_tag_ui": [],
        "logistics_info": [_parcel(parcel) for parcel in draft["raw"].get("parcels", [])],
        "order_phase_list": _phases(draft),
        "sku_order_list": [_line(draft, place, state) for place in range(len(draft["lines"]))],
        **_amounts(draft),
        **_receiver(draft, credentials, with_masks=with_masks),
    }


def after_sales(draft: Row) -> list[Row]:
    """Return the refunds of an order as `afterSale.List` lists them; a withdrawn one stays, as closed."""
    asked = draft["raw"].get("refund_at") or draft["modified_at"]
    changed = max(draft["raw"].get("decided_at") or asked, asked)
    lines = [(place, line) for place, line in enumerate(draft["lines"]) if line["refund"] != "none"]
    if not lines and draft["raw"].get("refund_at"):
        lines = [(0, {**draft["lines"][0], "refund": "withdrawn"})]
    return [
        {
            "aftersale_info": {
                "aftersale_id": str(int(draft["external_no"]) + place)[::-1],
                "aftersale_type": 2,
                "aftersale_status": _AFTER_SALE.get(line["refund"], 28),
                "refund_status": 3 if line["refund"] == "done" else 1,
                "refund_amount": line["paid_fen"],
                "related_id": line_id(draft, place),
                "apply_time": unix(asked),
                "update_time": unix(changed),
            },
            "order_info": {
                "shop_order_id": draft["external_no"],
                "related_order_info": [{"sku_order_id": line_id(draft, place), "item_num": line["quantity"]}],
            },
        }
        for place, line in lines
    ]


def unix(text: str | None) -> int:
    """Return an ISO time as unix seconds, 0 for none."""
    return int(datetime.fromisoformat(text).timestamp()) if text else 0


def _amounts(draft: Row) -> Row:
    discount = draft["discount_fen"]
    return {
        "order_amount": draft["total_fen"] + draft["freight_fen"],
        "pay_amount": draft["total_fen"] - discount + draft["freight_fen"],
        "post_amount": draft["freight_fen"],
        "modify_amount": 0,
        "promotion_amount": discount,
        "promotion_shop_amount": discount,
        "promotion_platform_amount": 0,
        "promotion_talent_amount": 0,
        "promotion_pay_amount": 0,
        "shop_cost_amount": discount,
    }


def _line(draft: Row, place: int, state: int) -> Row:
    line = draft["lines"][place]
    article = catalogue.by_sku()[line["sku"]]
    whole = line["unit_price_fen"] * line["quantity"]
    share = discount_shares(draft["lines"], draft["discount_fen"])[place]
    return {
        "order_id": line_id(draft, place),
        "parent_order_id": draft["external_no"],
        "order_status": state,
        "trade_type": _TRADE_PRESALE if draft["presale"] != "none" else 0,
        "pre_sale_type": 0,
        "product_id": article.item_id,
        "product_id_str": str(article.item_id),
        "sku_id": sku_id(article),
        "code": article.sku,
        "out_sku_id": "",
        "product_name": line["title"],
        "spec": [],
        "item_num": line["quantity"],
        "goods_price": article.list_fen,
        "origin_amount": line["unit_price_fen"],
        "sum_amount": whole,
        "promotion_amount": share,
        "promotion_pay_amount": 0,
        "order_amount": whole,
        "pay_amount": whole - share,
        "exp_ship_time": unix(draft["ship_by"]),
        "given_product_type": "",
        "inventory_list": [{"warehouse_id": "0", "count": line["quantity"], "warehouse_type": 0}],
        "after_sale_info": {
            "after_sale_status": _AFTER_SALE[line["refund"]],
            "after_sale_type": 2 if line["refund"] != "none" else 0,
            "refund_status": 3 if line["refund"] == "done" else int(line["refund"] != "none"),
        },
    }


def sku_id(article: catalogue.Article) -> int:
    """Return the platform's number of an article's only specification."""
    return article.item_id * 10 + 1


def _phases(draft: Row) -> list[Row]:
    """Return deposit and balance of a presale."""
    if draft["presale"] == "none":
        return []
    whole = draft["total_fen"] - draft["discount_fen"] + draft["freight_fen"]
    deposit = draft["total_fen"] // 10
    paid = (True, draft["presale"] == "balance_paid")
    return [
        {
            "phase_order_id": str(int(draft["external_no"]) + 50 + place),
            "current_phase": place + 1,
            "total_phase": 2,
            "pay_success": paid[place],
            "phase_pay_amount": amount,
            "phase_open_time": unix(draft["created_at"]),
            "phase_close_time": 0,
        }
        for place, amount in enumerate((deposit, whole - deposit))
    ]


def _parcel(parcel: Row) -> Row:
    return {
        "tracking_no": parcel["tracking_no"],
        "company": parcel["company"],
        "company_name": parcel["company"],
        "ship_time": parcel["at"],
        "delivery_id": parcel["id"],
        "product_info": [
            {"sku_order_id": number, "product_count": count} for number, count in sorted(parcel["lines"].items())
        ],
    }


def _receiver(draft: Row, credentials: Credentials, *, with_masks: bool) -> Row:
    receiver, number = draft["receiver"], draft["external_no"]
    region = {
        "province": {"name": receiver["province"], "id": ""},
        "city": {"name": receiver["city"], "id": ""},
        "town": {"name": receiver["district"], "id": ""},
        "street": {"name": receiver["town"], "id": ""},
    }
    found = {
        "post_tel": "",
        "post_receiver": "",
        "encrypt_post_tel": seal("phone", receiver["phone"], number, credentials),
        "encrypt_post_receiver": seal("name", receiver["name"], number, credentials),
        "post_addr": {
            **region, "detail": "", "encrypt_detail": seal("detail", receiver["detail"], number, credentials),
        },
        "open_address_id": oaid(draft, credentials),
    }  # fmt: skip
    if with_masks:
        masked = masked_receiver(receiver)
        found |= {
            "mask_post_tel": masked["phone"],
            "mask_post_receiver": masked["name"],
            "mask_post_addr": {**region, "detail": masked["detail"]},
        }
    return found
