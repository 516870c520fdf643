"""What a warehouse behind Qimen calls back (protocol reference 2.2, 2.5, 2.6).

The callback's query holds `method` and `sign`; the signature covers the query and the raw body. Method names come with
and without the prefix, elements in any order, dates in GMT+8.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from decimal import Decimal, InvalidOperation
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from django.utils.translation import gettext as _

from channels_sync.connectors.exchange import PushAnswer, PushRefusedError, PushRequest
from channels_sync.connectors.fields import SHANGHAI
from channels_sync.connectors.taobao.client import sign
from channels_sync.warehouses.base import (
    Confirmed,
    Report,
    Reported,
    Step,
    StockChanged,
    WarehouseAccess,
)
from channels_sync.warehouses.qimen.client import XML, text_of
from orderhub.core.draft import EARLIEST
from orderhub.core.errors import FieldError, HubError
from orderhub.core.parcels import Pieces, ToldParcel
from orderhub.core.words import Status

PREFIX = "taobao.qimen."
CONFIRM, STEP, LACK = "deliveryorder.confirm", "orderprocess.report", "itemlack.report"
STOCK_CHANGE, STOCK_TAKE = "stockchange.report", "inventory.report"
METHODS = frozenset({CONFIRM, STEP, LACK, STOCK_CHANGE, STOCK_TAKE})
STATUSES = {
    "ACCEPT": Status.WMS_ACCEPTED,
    "PRINT": Status.WMS_ACCEPTED,
    "PICK": Status.PICKING,
    "CHECK": Status.PICKING,
    "PACKAGE": Status.PACKED,
    "WEIGH": Status.PACKED,
    "READY": Status.AWAITING_PICKUP,
    "DELIVERED": Status.IN_TRANSIT,
    "SIGN": Status.DELIVERED,
    "REFUSE": Status.RETURNING,
    "TMSCANCELED": Status.RETURNING,
    "REJECT": Status.WMS_FAILED,
    "CANCELED": Status.WMS_FAILED,
    "CLOSED": Status.WMS_FAILED,
}
"""What a step says in the words of the one status. PARTDELIVERED is told better by the confirmation; the others say
nothing of where the order stands."""
PROBLEMS = frozenset({"EXCEPTION", "REJECT", "CANCELED", "CLOSED", "REFUSE", "TMSCANCELFAILED"})
NOT_SHIPPED = frozenset({"NEW", "ACCEPT", "EXCEPTION", "CANCELED", "CLOSED", "REJECT", "CANCELEDFAIL"})
"""States of a confirmation that hands nothing over."""
SOLD = "JYCK"
"""What leaves with a delivery order of the kind that the hub sends; exchanges (HHCK) and what is sent once more (BFCK)
are never the hub's."""
SELLABLE = frozenset({"", "ZP"})
MOST_PIECES = 1_000_000


def accepted(access: WarehouseAccess, request: PushRequest) -> list[Reported]:
    """Return what one callback tells, after its signature was found right. Raises PushRefusedError."""
    told = request.query.get("sign", "")
    expected = sign(
        {name: value for name, value in request.query.items() if name != "sign"},
        access.setting("app_secret"), body=request.body,
    )  # fmt: skip
    if not hmac.compare_digest(expected.encode(), told.encode()):
        raise PushRefusedError("sign-check-failure", 200)
    customer = request.query.get("customerId", "")
    if customer and customer != access.setting("customer_id"):
        raise PushRefusedError("another customerId", 200)
    method = request.query.get("method", "").removeprefix(PREFIX)
    if method not in METHODS:
        raise PushRefusedError(f"method {method[:60]} is not offered", 200)
    root = _root(request.body)
    if method in {STOCK_CHANGE, STOCK_TAKE}:
        return list(_items(method, root))
    return [_single(method, root, request.body)]


def read(method: str, body: bytes) -> Report:
    """Return what a stored callback says. Raises HubError with the element and the reason."""
    root = _root(body)
    if method == CONFIRM:
        return _confirmed(root)
    if method == STEP:
        return _step(root)
    return _lack(root) if method == LACK else _stock(root, method)


def answer(error: HubError | None) -> PushAnswer:
    """Return Qimen's answer: success, or failure with the reason."""
    root = Element("response")
    flag, code, message = ("failure", "refused", str(error)) if error else ("success", "0", "ok")
    if str(error) == "sign-check-failure":
        code, message = "sign-check-failure", "Illegal request"
    for name, text in (("flag", flag), ("code", code), ("message", message)):
        SubElement(root, name).text = text
    return PushAnswer(tostring(root, encoding="utf-8"), XML)


def _root(body: bytes) -> Element:
    try:
        root: Element = fromstring(body)
    except DefusedXmlException as error:
        raise PushRefusedError("forbidden XML", 200) from error
    except (ParseError, ValueError) as error:
        raise PushRefusedError("the body is not XML", 200) from error
    return root


def _single(method: str, root: Element, body: bytes) -> Reported:
    if method == STEP:
        code = text_of(root, "order/orderCode")
        marks = [text_of(root, f"process/{name}") for name in ("processStatus", "operateTime", "expressCode")]
    elif method == CONFIRM:
        code = text_of(root, "deliveryOrder/deliveryOrderCode")
        # Without a key of its own a warehouse confirms an order once.
        marks = [text_of(root, "deliveryOrder/outBizCode") or _digest(body)]
    else:
        code, marks = text_of(root, "deliveryOrderCode"), [text_of(root, "outBizCode") or _digest(body)]
    if not 0 < len(code) <= 120:
        raise PushRefusedError("the delivery order has no code", 200)
    return Reported(_key(method, code, *marks), method, code, body)


def _items(method: str, root: Element) -> Iterator[Reported]:
    """Yield one report for each article, so that each counts once, however a warehouse groups them when it repeats."""
    common = [text_of(root, name) for name in ("outBizCode", "checkOrderCode", "currentPage")]
    seen: Counter[str] = Counter()
    for item in root.findall("items/item"):
        alone = Element("request")
        SubElement(alone, "items").append(deepcopy(item))
        body = tostring(alone, encoding="utf-8")
        names = ("outBizCode", "orderCode", "itemCode", "inventoryType")
        own = [text_of(item, name) for name in names]
        mark = _key(method, *common, *own) if any((common[0], common[1], own[0])) else _key(method, _digest(body))
        seen[mark] += 1
        yield Reported(mark if seen[mark] == 1 else f"{mark[:190]}#{seen[mark]}", method, own[1][:120], body)


def _step(root: Element) -> Step:
    node = text_of(root, "process/processStatus")
    if not node:
        raise FieldError("process.processStatus", _("is missing"))
    return Step(
        node=node[:40],
        status=STATUSES.get(node, ""),
        at=_time(text_of(root, "process/operateTime")),
        info=text_of(root, "process/operateInfo")[:200],
        tracking_no=text_of(root, "process/expressCode")[:64],
        is_problem=node in PROBLEMS,
    )


def _lack(root: Element) -> Step:
    """A shortage found while picking: told in the timeline, the pieces are still promised to the buyer."""
    missing = [
        f"{text_of(item, 'itemCode')} × {text_of(item, 'lackQty')}"
        for item in root.findall("items/item")
    ]  # fmt: skip
    return Step("LACK", at=_time(text_of(root, "createTime")), info=", ".join(missing)[:200], is_problem=True)


def _confirmed(root: Element) -> Report:
    state = text_of(root, "deliveryOrder/status")
    at = _time(text_of(root, "deliveryOrder/orderConfirmTime")) or _time(text_of(root, "deliveryOrder/operateTime"))
    if state in NOT_SHIPPED:
        return Step(state, STATUSES.get(state, ""), at, is_problem=state in PROBLEMS)
    parcels = [_parcel(package, place) for place, package in enumerate(root.findall("packages/package"))]
    lines = root.findall("orderLines/orderLine")
    return Confirmed(
        at=at,
        is_final=text_of(root, "deliveryOrder/confirmType") != "1" and state != "PARTDELIVERED",
        parcels=parcels,
        lines=[
            _pieces(line, "actualQty", f"orderLines[{place}]")
            for place, line in enumerate(lines)
            if text_of(line, "actualQty")
        ],
    )


def _parcel(package: Element, place: int) -> ToldParcel:
    path = f"packages[{place}]"
    number = text_of(package, "expressCode")
    if not 0 < len(number) <= 64:
        raise FieldError(f"{path}.expressCode", _("must be a text of 1 to 64 characters"))
    items = package.findall("items/item")
    return ToldParcel(
        carrier=text_of(package, "logisticsCode").upper()[:50],
        tracking_no=number,
        weight_grams=_grams(text_of(package, "weight")),
        lines=[_pieces(item, "quantity", f"{path}.items[{spot}]") for spot, item in enumerate(items)],
    )


def _pieces(item: Element, name: str, path: str) -> Pieces:
    number = text_of(item, "orderLineNo") or text_of(item, "subSourceCode")
    return Pieces(number[:64], text_of(item, "itemCode")[:100], _whole(text_of(item, name), f"{path}.{name}", least=0))


def _stock(root: Element, method: str) -> Report:
    item = root.find("items/item")
    if item is None:
        raise FieldError("items", _("is missing"))
    sku = text_of(item, "itemCode")
    if not 0 < len(sku) <= 100:
        raise FieldError("items.itemCode", _("must be a text of 1 to 100 characters"))
    if text_of(item, "inventoryType") not in SELLABLE:
        return None
    delta = _whole(text_of(item, "quantity"), "items.quantity", least=-MOST_PIECES)
    reason = "stock take" if method == STOCK_TAKE else "stock change"
    return StockChanged(sku, delta, reason, for_order=text_of(item, "orderType") == SOLD) if delta else None


def _whole(text: str, path: str, *, least: int) -> int:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not least <= number <= MOST_PIECES or number != int(number):
        raise FieldError(path, _("must be a whole number"))
    return int(number)


def _grams(text: str) -> int | None:
    """Return kilograms as grams; a weight that is none is not worth losing a hand-over."""
    try:
        weight = Decimal(text or "0") * 1000
    except InvalidOperation:
        return None
    return int(weight) if weight.is_finite() and 0 < weight < 10**9 else None


def _time(text: str) -> datetime | None:
    """Return a time written in GMT+8, None for whatever is none: systems also write a date of the year 1 or 1970."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    return moment if moment > EARLIEST else None


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def _key(*parts: str) -> str:
    """Return a delivery key; one that would be too long is told by its digest."""
    key = "|".join(parts)
    return key if len(key) <= 180 else f"{parts[0]}|{_digest(key.encode())}"
