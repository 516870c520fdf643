"""Delivery orders as Qimen wants them: `deliveryorder.create` (protocol reference 2.4)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from channels_sync.connectors.taobao.client import top_time
from channels_sync.warehouses.base import PushLine, PushOrder, PushReceiver, WarehouseAccess
from orderhub.core.countries import is_china
from orderhub.core.errors import HubError
from orderhub.core.money import yuan

CREATE = "taobao.qimen.deliveryorder.create"
PLATFORM_CODES = {"taobao": "TB", "jd": "JD", "douyin": "DYXD"}
"""Qimen has no code for WeChat shops, files and own shops."""


def document(access: WarehouseAccess, order: PushOrder) -> Element:
    """Return the `<request>` of one delivery order."""
    root = Element("request")
    _fill(SubElement(root, "deliveryOrder"), _delivery_order(access, order))
    lines = SubElement(root, "orderLines")
    owner = access.setting("owner_code")
    for line in order.lines:
        _fill(SubElement(lines, "orderLine"), _order_line(order, line, owner))
    return root


def _delivery_order(access: WarehouseAccess, order: PushOrder) -> dict[str, Any]:
    items = sum(line.unit_price_fen * line.quantity for line in order.lines)
    is_masked = order.receiver.is_masked
    return {
        "deliveryOrderCode": order.code,
        "orderType": "JYCK",
        "warehouseCode": access.setting("warehouse_code"),
        "orderFlag": "PRESELL" if order.is_presale else "",
        "sourcePlatformCode": PLATFORM_CODES.get(order.platform, "OTHERS"),
        "createTime": top_time(order.created_at),
        "placeOrderTime": top_time(order.created_at),
        "payTime": top_time(order.paid_at) if order.paid_at else "",
        "operateTime": top_time(datetime.now(UTC)),
        "shopNick": order.shop_name,
        "buyerNick": order.buyer_nickname,
        "totalAmount": yuan(order.total_fen),
        "itemAmount": yuan(items),
        "discountAmount": yuan(order.discount_fen),
        "freight": yuan(order.freight_fen),
        "gotAmount": yuan(order.paid_fen),
        "arAmount": yuan(0),
        "logisticsCode": access.settings.get("carrier") or "OTHER",
        "isUrgency": "Y" if order.is_urgent else "N",
        "latestDeliveryTime": top_time(order.ship_by) if order.ship_by else "",
        "buyerMessage": order.buyer_remark[:500],
        "sellerMessage": order.seller_remark[:500],
        "oaidOrderSourceCode": order.external_no if is_masked and order.receiver.oaid else "",
        "senderInfo": _sender(access),
        "receiverInfo": _receiver(order.receiver),
    }


def _sender(access: WarehouseAccess) -> dict[str, str]:
    sender = access.settings.get("sender")
    if not isinstance(sender, Mapping):
        raise HubError(f"warehouse {access.code}: sender is not set")
    names = {
        "name": "name", "mobile": "mobile", "province": "province", "city": "city", "area": "district",
        "town": "town", "detailAddress": "detail",
    }  # fmt: skip
    return {theirs: str(sender.get(ours) or "") for theirs, ours in names.items()}


def _receiver(receiver: PushReceiver) -> dict[str, str]:
    return {
        "name": receiver.name,
        "mobile": receiver.phone,
        "province": receiver.province,
        "city": receiver.city or receiver.province,
        "area": receiver.district,
        "town": receiver.town,
        "detailAddress": receiver.detail,
        "zipCode": receiver.postcode,
        "countryCode": "CN" if receiver.country and is_china(receiver.country) else receiver.country,
        "oaid": receiver.oaid if receiver.is_masked else "",
    }


def _order_line(order: PushOrder, line: PushLine, owner: str) -> dict[str, str]:
    return {
        "orderLineNo": line.line_no,
        "sourceOrderCode": order.external_no,
        "subSourceOrderCode": line.line_no,
        "ownerCode": owner,
        "itemCode": line.sku,
        "itemName": line.title[:200],
        "inventoryType": "ZP",
        "planQty": str(line.quantity),
        "retailPrice": yuan(line.unit_price_fen),
        "actualPrice": yuan(line.paid_fen // line.quantity if line.quantity else 0),
    }


def _fill(parent: Element, values: Mapping[str, Any]) -> None:
    """Add an element for every value that is not empty: an empty one would be a statement."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            _fill(SubElement(parent, name), value)
        elif value:
            SubElement(parent, name).text = _xml_text(value)


def _xml_text(text: str) -> str:
    """Return a text without the characters that XML 1.0 cannot hold."""
    return "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
