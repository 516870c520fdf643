"""What the hub tells a WeChat shop: stock, shipments, the seller's note (protocol reference 5.3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.connectors.exchange import Memo, Shipment, StockWrite, WriteResult
from channels_sync.connectors.wechat.client import WechatClient
from channels_sync.connectors.wechat.lines import line_keys
from channels_sync.connectors.wechat.pull import ORDER
from orderhub.core.errors import HubError, TemporaryError

STOCK = "/channels/ec/product/stock/update"
SHIP = "/channels/ec/order/delivery/send"
NOTE = "/channels/ec/order/merchantnotes/update"
SET = 3
"""`diff_type` that sets the stock: the platform knows no idempotency key, and a value may be set twice."""
PARCEL = 1
"""`deliver_type` of a parcel with a waybill."""
OTHER = "OTHER"
CARRIERS = {
    "SF": "SF", "YTO": "YTO", "ZTO": "ZTO", "STO": "STO", "YUNDA": "YUNDA", "YD": "YUNDA", "JT": "JTSD",
    "JTSD": "JTSD", "JD": "JD", "EMS": "EMS", "POSTB": "EMS", "DBL": "DBKD", "DBKD": "DBKD", "CNSD": "CNSD",
    "KYE": "KYSY", "KYSY": "KYSY", "ZJS": "ZJS",
}  # fmt: skip
"""Common carrier code -> the platform's `delivery_id`; others are told as OTHER."""


def write_stock(client: WechatClient, rows: Sequence[StockWrite]) -> list[WriteResult]:
    """Set the stock of several items, each with a call of its own; one result for each."""
    good = [row for row in rows if row.item_id and row.sku_id]
    bodies = [
        {"product_id": row.item_id, "sku_id": row.sku_id, "diff_type": SET, "num": max(row.quantity, 0)} for row in good
    ]
    answers = dict(zip([id(row) for row in good], client.many(STOCK, bodies), strict=True))
    missing = HubError(_("The channel item has no product id and SKU id."))
    results = []
    for row in rows:
        answer = answers.get(id(row), missing)
        results.append(WriteResult(row.key, answer if isinstance(answer, HubError) else None))
    return results


def ship(client: WechatClient, shipment: Shipment) -> None:
    """Tell a parcel. What is told already is not told again: the order is read before, and after an unclear answer."""
    order = _order(client, shipment.external_no)
    if _has_parcel(order, shipment.tracking_no):
        return
    parcel = {
        "delivery_id": CARRIERS.get(shipment.carrier.upper(), OTHER),
        "waybill_id": shipment.tracking_no,
        "deliver_type": PARCEL,
        "product_infos": _products(order, shipment),
    }
    try:
        client.call(SHIP, {"order_id": shipment.external_no, "delivery_list": [parcel]}, tries=1)
    except TemporaryError:
        if not _has_parcel(_order(client, shipment.external_no), shipment.tracking_no):
            raise


def write_memo(client: WechatClient, memo: Memo) -> None:
    """Set the seller's note; the platform has no flag."""
    client.call(NOTE, {"order_id": memo.external_no, "merchant_notes": memo.remark})


def _order(client: WechatClient, number: str) -> Mapping[str, Any]:
    order = client.call(ORDER, {"order_id": number}).get("order")
    detail = order.get("order_detail") if isinstance(order, dict) else None
    if not isinstance(detail, dict):
        raise TemporaryError(_("The answer of the platform has no known envelope."))
    return detail


def _has_parcel(detail: Mapping[str, Any], tracking_no: str) -> bool:
    delivery = detail.get("delivery_info")
    parcels = delivery.get("delivery_product_info") if isinstance(delivery, dict) else None
    return any(str(parcel.get("waybill_id")) == tracking_no for parcel in parcels or () if isinstance(parcel, dict))


def _products(detail: Mapping[str, Any], shipment: Shipment) -> list[dict[str, Any]]:
    """Return the pieces of a parcel: the given lines, or all that was not given back. Raises HubError for unknown
    lines."""
    rows = [row for row in detail.get("product_infos") or () if isinstance(row, dict)]
    if not shipment.lines:
        return [_product(row, left) for row in rows if (left := _whole(row))]
    by_line = dict(zip(line_keys(rows), rows, strict=True))
    unknown = [line.line_no for line in shipment.lines if line.line_no not in by_line]
    if unknown:
        raise HubError(_("The order has no line %(line)s on the platform.") % {"line": unknown[0]})
    return [_product(by_line[line.line_no], line.quantity) for line in shipment.lines]


def _product(row: Mapping[str, Any], quantity: int) -> dict[str, Any]:
    return {"product_id": str(row.get("product_id")), "sku_id": str(row.get("sku_id")), "product_cnt": quantity}


def _whole(row: Mapping[str, Any]) -> int:
    """Return the pieces of a line that are still to be shipped: those given back are not."""
    ordered, back = (int(row.get(name) or 0) for name in ("sku_cnt", "finish_aftersale_sku_cnt"))
    return max(ordered - back, 0)
