"""An order as a WeChat shop shows it (protocol reference 5.2): fen, unix seconds, mostly virtual numbers."""

import hashlib
from typing import Any

from channels_sync.sandbox import catalogue
from channels_sync.sandbox.masking import masked_phone
from channels_sync.sandbox.orders import discount_shares
from channels_sync.sandbox.store import unix

Row = dict[str, Any]

VIRTUAL_SHARE = 0.9
"""Part of the orders whose phone is hidden behind a virtual number."""
_STATUS = {"unpaid": 10, "paid": 20, "in_transit": 30, "completed": 100, "cancelled": 250, "refunded": 250}
_AFTERSALE = {
    "asked": "MERCHANT_PROCESSING",
    "agreed": "USER_WAIT_RETURN",
    "done": "MERCHANT_REFUND_SUCCESS",
    "refused": "MERCHANT_REJECT_REFUND",
}


def order_view(draft: Row) -> Row:
    """Return the whole order as `order/get` answers it."""
    status = status_of(draft)
    sales = aftersales(draft)
    price = draft["total_fen"] - draft["discount_fen"] + draft["freight_fen"]
    pay: Row = {"prepay_time": unix(draft["created_at"]), "payment_method": 1}
    if draft["paid_at"]:
        pay |= {"pay_time": unix(draft["paid_at"]), "transaction_id": f"42{draft['external_no']}"}
    return {
        "order_id": draft["external_no"],
        "openid": draft["buyer"]["id"],
        "unionid": f"union-{draft['buyer']['id']}",
        "status": status,
        "create_time": unix(draft["created_at"]),
        "update_time": unix(draft["modified_at"]),
        "order_detail": {
            "product_infos": [_product(draft, place) for place in range(len(draft["lines"]))],
            "price_info": {
                "product_price": draft["total_fen"],
                "order_price": price,
                "freight": draft["freight_fen"],
                "discounted_price": draft["discount_fen"],
                "is_discounted": draft["discount_fen"] > 0,
                "original_order_price": draft["total_fen"] + draft["freight_fen"],
                "merchant_receieve_price": price,
            },
            "pay_info": pay,
            "delivery_info": {
                "address_info": address_of(draft),
                "delivery_product_info": draft["raw"].get("parcels", []),
                "deliver_method": 0,
            },
            "ext_info": {"customer_notes": draft["buyer_remark"], "merchant_notes": draft["seller_remark"]},
        },
        "aftersale_detail": {
            "on_aftersale_order_cnt": sum(1 for sale in sales if sale["status"] in _OPEN),
            "aftersale_order_list": [{"aftersale_order_id": sale["after_sale_order_id"]} for sale in sales],
        },
    }


def status_of(draft: Row) -> int:
    """Return the platform's number; an order with only a part of its pieces sent is 21."""
    sent = draft["raw"].get("parcels")
    refunded = {product_key(line) for line in draft["lines"] if line["refund"] == "done"}
    if draft["status"] == "in_transit" and sent and left_to_ship(draft).keys() - refunded:
        return 21
    return _STATUS[draft["status"]]


def left_to_ship(draft: Row) -> dict[tuple[str, str], int]:
    """Return the pieces that are in no parcel yet, by product and SKU."""
    left: dict[tuple[str, str], int] = {}
    for line in draft["lines"]:
        key = product_key(line)
        left[key] = left.get(key, 0) + line["quantity"]
    for parcel in draft["raw"].get("parcels", []):
        for product in parcel["product_infos"]:
            left[product["product_id"], product["sku_id"]] -= product["product_cnt"]
    return {key: count for key, count in left.items() if count > 0}


def aftersales(draft: Row) -> list[Row]:
    """Return the after-sales of an order as `getaftersaleorder` answers them."""
    # A change of an after-sale need not move the order's own time.
    changed = draft["raw"].get("aftersale_at") or draft["modified_at"]
    shares = discount_shares(draft["lines"], draft["discount_fen"])
    return [
        {
            "after_sale_order_id": f"2{draft['external_no'][1:]}{place}",
            "order_id": draft["external_no"],
            "openid": draft["buyer"]["id"],
            "status": _AFTERSALE[line["refund"]],
            "type": "REFUND",
            "product_info": {
                "product_id": product_key(line)[0], "sku_id": product_key(line)[1], "count": line["quantity"],
            },
            "refund_info": {"amount": line["unit_price_fen"] * line["quantity"] - shares[place]},
            "create_time": unix(draft["created_at"]),
            "update_time": unix(changed),
        }
        for place, line in enumerate(draft["lines"])
        if line["refund"] != "none"
    ]  # fmt: skip


_OPEN = {_AFTERSALE["asked"], _AFTERSALE["agreed"]}


def product_key(line: Row) -> tuple[str, str]:
    """Return the product id and SKU id of a line."""
    item_id = catalogue.by_sku()[line["sku"]].item_id
    return str(item_id), str(item_id * 10 + 1)


def seen_draft(draft: Row) -> Row:
    """Return the draft that an intake would make of this order: token, virtual number, no IP, nickname or flag."""
    address = address_of(draft)
    virtual = address["use_tel_number"] == 1
    receiver = {
        **draft["receiver"],
        "phone": address["tel_number_ext_info"]["virtual_tel_number"] if virtual else address["tel_number"],
        "town": "",
        "detail": address["detail_info"],
        "kind": "virtual" if virtual else "plain" if address["tel_number"] else "",
        "oaid": address["hash_code"],
    }
    lines = [
        {**line, "line_no": f"{item_id}:{sku_id}", "item_id": item_id, "sku_id": sku_id}
        for line in draft["lines"]
        for item_id, sku_id in [product_key(line)]
    ]
    return {**draft, "receiver": receiver, "lines": lines, "buyer": {"id": draft["buyer"]["id"]}, "flag": "none"}


def _product(draft: Row, place: int) -> Row:
    line = draft["lines"][place]
    product_id, sku_id = product_key(line)
    share = discount_shares(draft["lines"], draft["discount_fen"])[place]
    paid = line["unit_price_fen"] * line["quantity"] - share
    article = catalogue.by_sku()[line["sku"]]
    found = {
        "product_id": product_id,
        "sku_id": sku_id,
        "sku_code": line["sku"],
        "out_product_id": "",
        "out_sku_id": "",
        "title": line["title"],
        "sku_cnt": line["quantity"],
        "sale_price": line["unit_price_fen"],
        "market_price": max(article.list_fen, line["unit_price_fen"]),
        "real_price": paid,
        "on_aftersale_sku_cnt": line["quantity"] if line["refund"] in {"asked", "agreed"} else 0,
        "finish_aftersale_sku_cnt": line["quantity"] if line["refund"] == "done" else 0,
        "sku_attrs": [],
        "sku_deliver_info": {"stock_type": 0},
        "is_free_gift": False,
    }
    if share:
        found |= {"is_discounted": True, "estimate_price": paid}
    if draft["ship_by"]:
        found["delivery_deadline"] = unix(draft["ship_by"])
    return found


def address_of(draft: Row) -> Row:
    """Return `address_info` of a shop that has masking switched off, with the order's first virtual number."""
    receiver = draft["receiver"]
    parts = [receiver[name] for name in ("name", "phone", "province", "city", "district", "town", "detail")]
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    address = {
        "user_name": receiver["name"],
        "postal_code": receiver["postcode"],
        "province_name": receiver["province"],
        "city_name": receiver["city"],
        "county_name": receiver["district"],
        "detail_info": receiver["town"] + receiver["detail"],
        "hash_code": digest.hex()[:32],
        "tel_number": "",
        "use_tel_number": 0,
    }
    if digest[0] / 256 >= VIRTUAL_SHARE:
        return {**address, "tel_number": receiver["phone"]}
    number = int.from_bytes(digest[1:8])
    return {
        **address,
        "use_tel_number": 1,
        "tel_number_ext_info": {
            "real_tel_number": masked_phone(receiver["phone"]),
            "virtual_tel_number": f"17{number % 10**9:09d}-{number // 10**9 % 9000 + 1000}",
            "virtual_tel_expire_time": unix(draft["created_at"]) + 30 * 86400,
        },
    }
