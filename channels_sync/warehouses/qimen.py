"""Qimen (奇门), the warehouse protocol of the Chinese market (protocol reference 2; developer metadata of TOP).

A warehouse decides by `flag` alone; its codes are its own. What "I have this order already" and "try again later" look
like is therefore configurable: settings `repeat_words` and `retry_words` of the warehouse.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_sync.connectors import http
from channels_sync.connectors.base import CredentialField
from channels_sync.connectors.taobao.client import sign, top_error, top_time
from channels_sync.warehouses.base import (
    PushAnswer,
    PushLine,
    PushOrder,
    PushReceiver,
    WarehouseAccess,
    WarehouseAdapter,
    warehouses,
)
from orderhub.core.errors import HubError, TemporaryError
from orderhub.core.money import yuan

XML = "text/xml;charset=utf-8"
METHOD = "taobao.qimen.deliveryorder.create"
PLATFORM_CODES = {"taobao": "TB", "jd": "JD", "douyin": "DYXD"}
"""Qimen has no code for WeChat shops, files and own shops."""
REPEAT_WORDS = ("已存在", "重复", "already exist", "duplicate")
RETRY_WORDS = ("系统繁忙", "稍后", "超时", "timeout", "timed out", "try again")
COUNTRIES = {"CN": "CN", "中国": "CN"}


class QimenAdapter(WarehouseAdapter):
    """Pushes delivery orders through the Qimen gateway."""

    key = "qimen"
    label = gettext_lazy("Qimen")
    credential_fields = (
        CredentialField("app_key", gettext_lazy("App key")),
        CredentialField("app_secret", gettext_lazy("App secret"), is_secret=True),
        CredentialField("customer_id", gettext_lazy("Customer id")),
    )

    def create_order(self, access: WarehouseAccess, order: PushOrder) -> PushAnswer:
        """Send `deliveryorder.create`; a warehouse that has the order already counts as success."""
        root = call(access, METHOD, tostring(document(access, order), encoding="utf-8", xml_declaration=True))
        if _text(root, "flag") == "success":
            return PushAnswer(_text(root, "deliveryOrderId"), _text(root, "warehouseCode"), _text(root, "message"))
        code, message = _text(root, "code"), _text(root, "message")
        said = f"{code} {message}"
        if _has_word(said, _words(access, "repeat_words", REPEAT_WORDS)):
            return PushAnswer(message=message, is_repeat=True)
        text = _("The warehouse refused the order: %(message)s (%(code)s)") % {"message": message, "code": code}
        if _has_word(said, _words(access, "retry_words", RETRY_WORDS)):
            raise TemporaryError(text)
        raise HubError(text)


warehouses.add(QimenAdapter.key, QimenAdapter())


def call(access: WarehouseAccess, method: str, body: bytes) -> Element:
    """POST one signed request and return the root of the answer. Raises HubError.

    The signature covers the very bytes that are sent. One try: the outbox repeats what failed.
    """
    secret = access.setting("app_secret")
    query = {
        "method": method,
        "timestamp": top_time(datetime.now(UTC)),
        "format": "xml",
        "app_key": access.setting("app_key"),
        "v": "2.0",
        "sign_method": "md5",
        "customerId": access.setting("customer_id"),
    }
    query["sign"] = sign(query, secret, body=body)
    answer = http.post(settings.QIMEN_GATEWAY_URL, content=body, content_type=XML, query=query, secrets=[secret])
    try:
        root: Element = fromstring(answer.body)
    except DefusedXmlException as error:
        raise HubError(_("The answer of the warehouse holds forbidden XML.")) from error
    except (ParseError, ValueError) as error:
        raise TemporaryError(_("The answer of the warehouse was cut short or is not XML.")) from error
    if root.tag == "error_response":
        code = _text(root, "code")
        message = _text(root, "sub_msg") or _text(root, "msg")
        raise top_error(int(code) if code.isascii() and code.isdigit() else -1, _text(root, "sub_code"), message)
    if not _text(root, "flag"):
        raise TemporaryError(_("The answer of the warehouse says neither success nor failure."))
    return root


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
        "countryCode": COUNTRIES.get(receiver.country, receiver.country),
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


def _text(root: Element, name: str) -> str:
    return (root.findtext(name) or "").strip()


def _words(access: WarehouseAccess, name: str, default: Iterable[str]) -> list[str]:
    words = access.settings.get(name)
    return [str(word) for word in words] if isinstance(words, list) else list(default)


def _has_word(text: str, words: Iterable[str]) -> bool:
    folded = text.casefold()
    return any(word and word.casefold() in folded for word in words)
