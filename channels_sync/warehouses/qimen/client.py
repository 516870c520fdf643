"""Calls to the Qimen gateway, and the XML of both directions (protocol reference 2.1 to 2.3)."""

from datetime import UTC, datetime
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from django.conf import settings
from django.utils.translation import gettext as _

from channels_sync.connectors import http
from channels_sync.connectors.taobao.client import sign, top_error, top_time
from channels_sync.warehouses.base import WarehouseAccess
from orderhub.core.errors import HubError, TemporaryError

XML = "text/xml;charset=utf-8"


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
        code = text_of(root, "code")
        message = text_of(root, "sub_msg") or text_of(root, "msg")
        raise top_error(int(code) if code.isascii() and code.isdigit() else -1, text_of(root, "sub_code"), message)
    if not text_of(root, "flag"):
        raise TemporaryError(_("The answer of the warehouse says neither success nor failure."))
    return root


def text_of(root: Element, path: str) -> str:
    """Return the text at a path, empty where there is none."""
    return (root.findtext(path) or "").strip()
