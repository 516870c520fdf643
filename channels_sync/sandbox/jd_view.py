"""An order as JD shows it (protocol reference 3.5): all is text, amounts in yuan, "no time" is year 1 or 1970."""

import hashlib
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any

from channels_sync.sandbox import catalogue
from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.masking import masked_name, masked_receiver, oaid
from channels_sync.sandbox.trades import top_time, yuan

Row = dict[str, Any]

STATES = {
    "paid": ("WAIT_SELLER_STOCK_OUT", "等待出库"),
    "in_transit": ("WAIT_GOODS_RECEIVE_CONFIRM", "等待确认收货"),
    "delivered": ("WAIT_GOODS_RECEIVE_CONFIRM", "等待确认收货"),
    "completed": ("FINISHED_L", "完成"),
    "cancelled": ("TRADE_CANCELED", "取消"),
    "refunded": ("TRADE_CANCELED", "取消"),
}
"""What POP shops see; unpaid orders and presales whose balance is open are not shown at all."""
HOLDS = {"LOCKED": "已锁定", "POP_ORDER_PAUSE": "暂停", "PAUSE": "暂停"}
NO_PAYMENT = "0001-01-01 00:00:00"
NOT_ENDED = "1970-01-01 00:00:00"
PAYMENT_LAG = timedelta(seconds=60)
"""`actualPay` comes this much later than the payment."""
FLAGS = {"none": 0, "grey": 0, "red": 1, "yellow": 2, "green": 3, "blue": 4, "purple": 5}
SEALED = ("fullname", "mobile", "fullAddress")


def is_shown(draft: Row) -> bool:
    """Whether JD's order service shows this order."""
    return bool(draft["channel_hold"]) or draft["status"] in STATES


def order(draft: Row, credentials: Credentials, now: datetime, *, sealed: bool) -> Row:
    """Return the whole order; the caller projects it. `sealed`: contact data encrypted instead of masked."""
    hold = draft["channel_hold"]
    state, remark = (hold, HOLDS[hold]) if hold else STATES[draft["status"]]
    listed = sum(_list_price(line) * line["quantity"] for line in draft["lines"])
    taken = listed - draft["total_fen"] + draft["discount_fen"]
    paid_at = draft["paid_at"]
    is_late = bool(paid_at) and now - datetime.fromisoformat(paid_at) < PAYMENT_LAG
    return {
        "orderId": draft["external_no"],
        "parentOrderId": draft["raw"].get("parent", "0"),
        "directParentOrderId": draft["raw"].get("parent", "0"),
        "venderId": credentials.jd_vender_id,
        "orderType": "22",
        "payType": "4-在线支付",
        "orderTotalPrice": yuan(listed),
        "orderSellerPrice": yuan(listed - taken),
        "orderPayment": "0.00",
        "shouldPay": yuan(draft["total_fen"] - draft["discount_fen"] + draft["freight_fen"]),
        "actualPay": "" if is_late or not paid_at else yuan(draft["paid_fen"]),
        "freightPrice": yuan(draft["freight_fen"]),
        "sellerDiscount": yuan(taken),
        "balanceUsed": "0.00",
        "orderState": state,
        "orderStateRemark": remark,
        "orderStartTime": top_time(draft["created_at"]),
        "paymentConfirmTime": top_time(paid_at) if paid_at else NO_PAYMENT,
        "orderEndTime": top_time(draft["modified_at"]) if state in {"FINISHED_L", "TRADE_CANCELED"} else NOT_ENDED,
        "modified": top_time(draft["modified_at"]),
        "orderRemark": draft["buyer_remark"],
        "venderRemark": draft["seller_remark"],
        "consigneeInfo": _consignee(draft, credentials, sealed=sealed),
        "itemInfoList": [_item(line) for line in draft["lines"]],
        "couponDetailList": _coupons(draft),
        "waybill": draft["raw"].get("waybill", ""),
        "logisticsId": draft["raw"].get("logistics_id", ""),
        "pin": masked_name(draft["buyer"]["nickname"]),
        "open_id_buyer": draft["buyer"]["id"],
        "xid_buyer": f"o*{draft['buyer']['id']}",
        "storeOrder": "",
        "storeId": "0",
        "idSopShipmenttype": "0",
        "scDT": "",
        "returnOrder": "0",
    }


def project(whole: Row, asked: str) -> Row:
    """Return only the fields asked for."""
    names = {name.strip() for name in asked.split(",")}
    return {name: value for name, value in whole.items() if name in names}


def sku_id(sku: str) -> str:
    """Return JD's number of an article."""
    return str(100_000_000_000 + catalogue.by_sku()[sku].item_id % 10_000_000_000)


def skus() -> dict[str, str]:
    """Return the own SKU by JD's number, for every article that is sold."""
    return {sku_id(article.sku): article.sku for article in catalogue.articles()}


def _item(line: Row) -> Row:
    return {
        "skuId": sku_id(line["sku"]),
        "outerSkuId": line["sku"],
        "skuName": line["title"],
        "jdPrice": yuan(_list_price(line)),
        "itemTotal": str(line["quantity"]),
        "wareId": sku_id(line["sku"])[:-1],
        "productNo": line["sku"].partition("-")[0],
        "giftPoint": "0",
        "newStoreId": "0",
    }


def _coupons(draft: Row) -> list[Row]:
    """Return what single items and the whole order were reduced by."""
    found = [
        {
            "orderId": draft["external_no"],
            "skuId": sku_id(line["sku"]),
            "couponType": "30-单品促销优惠",
            "couponPrice": yuan((_list_price(line) - line["unit_price_fen"]) * line["quantity"]),
        }
        for line in draft["lines"]
        if _list_price(line) > line["unit_price_fen"]
    ]
    if draft["discount_fen"]:
        found.append(
            {
                "orderId": draft["external_no"],
                "skuId": "",
                "couponType": "100-店铺优惠",
                "couponPrice": yuan(draft["discount_fen"]),
            }
        )
    return found


def _list_price(line: Row) -> int:
    return max(catalogue.by_sku()[line["sku"]].list_fen, int(line["unit_price_fen"]))


def _consignee(draft: Row, credentials: Credentials, *, sealed: bool) -> Row:
    receiver = draft["receiver"]
    shown = masked_receiver(receiver)
    is_abroad = receiver["country"] not in {"CN", "HK", "MO"}
    region = [receiver[name] for name in ("province", "city", "district", "town")]
    if is_abroad:
        region = ["海外", receiver["country"], receiver["city"], receiver["district"]]
    contact = {"fullname": shown["name"], "mobile": shown["phone"], "fullAddress": "".join(region) + shown["detail"]}
    if sealed:
        clear = {"fullname": receiver["name"], "mobile": receiver["phone"], "fullAddress": receiver["detail"]}
        contact = {f"encrypt_{name}": _seal(clear[name], credentials) for name in SEALED}
    names = ("province", "city", "county", "town")
    return {**contact, "telephone": "", **dict(zip(names, region, strict=True)), "oaid": oaid(draft, credentials)}


def _seal(clear: str, credentials: Credentials) -> str:
    digest = hashlib.sha512(f"{credentials.jd_app_secret}\n{clear}".encode()).digest()
    return b64encode(digest).decode()
