"""The warehouse behind Qimen (protocol reference section 2): takes delivery orders and keeps what it is told."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.floor import Floor
from channels_sync.sandbox.masking import oaid
from channels_sync.sandbox.replies import Reply, xml_reply
from channels_sync.sandbox.signatures import is_signed
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.top import CLOCK_TOLERANCE, broken, delayed
from channels_sync.sandbox.top_errors import TopError, parse_time
from channels_sync.sandbox.trades import SHANGHAI

Params = Mapping[str, str]

REQUIRED = (
    "deliveryOrder/deliveryOrderCode", "deliveryOrder/orderType", "deliveryOrder/warehouseCode",
    "deliveryOrder/createTime", "deliveryOrder/placeOrderTime", "deliveryOrder/operateTime", "deliveryOrder/shopNick",
    "deliveryOrder/logisticsCode",
    *(f"deliveryOrder/senderInfo/{name}" for name in ("name", "mobile", "province", "city", "detailAddress")),
    *(f"deliveryOrder/receiverInfo/{name}" for name in ("name", "mobile", "province", "city", "detailAddress")),
)  # fmt: skip
"""Elements without which a delivery order is refused (protocol reference 2.4)."""
REQUIRED_IN_LINE = ("ownerCode", "itemCode", "planQty", "actualPrice")


class Refused(Exception):  # noqa: N818  (a refusal is an answer of the warehouse, not a fault of the program)
    """The warehouse says no; its codes are its own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Warehouse:
    """Answers `/router/qimen/service`. With `repeat_is_success`, a known delivery order code is answered as success."""

    def __init__(self, store: Store, credentials: Credentials, faults: Faults, now: Callable[[], datetime]) -> None:
        self._store = store
        self._credentials = credentials
        self._faults = faults
        self._now = now
        self.repeat_is_success = False
        self.floor: Floor | None = None
        """Who works on what was taken and tells the hub; without it an order stays where it is."""
        self._methods: dict[str, Callable[[str, Element], dict[str, Any]]] = {
            "deliveryorder.create": self._create,
            "deliveryorder.query": self._query,
        }

    def answer(self, params: Params, body: str) -> Reply:
        """Return the reply to one request: query parameters and the raw XML text."""
        method = params.get("method", "")
        fault = self._faults.take(method, "http500", "timeout", "disconnect", "slow", "truncated")
        if fault and fault.kind not in {"slow", "truncated"}:
            return broken(fault)
        try:
            reply = xml_reply("response", {"flag": "success", "code": "0", "message": "ok", **self._call(params, body)})
        except TopError as error:
            reply = xml_reply("error_response", error.body())
        except Refused as refusal:
            reply = xml_reply("response", {"flag": "failure", "code": refusal.code, "message": refusal.message})
        return delayed(reply, fault)

    def _call(self, params: Params, body: str) -> dict[str, Any]:
        self._check_caller(params, body)
        fault = self._faults.take(params["method"], "throttle", "failure")
        if fault and fault.kind == "throttle":
            raise TopError(
                7, "App Call Limited", "", f"This ban will last for {max(int(fault.seconds), 1)} more seconds"
            )
        if fault:
            raise Refused("S999", fault.message)
        call = self._methods.get(params["method"].removeprefix("taobao.qimen."))
        if call is None:
            raise TopError(22, "Invalid Method")
        try:
            root: Element = fromstring(body)
        except (ParseError, DefusedXmlException) as error:
            raise Refused("S001", f"报文无法解析: {error}") from error
        return call(body, root)

    def _check_caller(self, params: Params, body: str) -> None:
        if not params.get("method"):
            raise TopError(21, "Missing Method")
        if params.get("app_key") != self._credentials.qimen_app_key:
            raise TopError(29, "Invalid app Key")
        moment = parse_time(params.get("timestamp", ""))
        skew = self._faults.take(params["method"], "clock_skew")
        now = self._now() + timedelta(seconds=skew.seconds if skew else 0)
        if moment is None or abs((now - moment).total_seconds()) > CLOCK_TOLERANCE:
            raise TopError(31, "Invalid Timestamp")
        if not params.get("sign"):
            raise TopError(24, "Missing Signature")
        if not is_signed(params, self._credentials.qimen_secret, body):
            raise TopError(25, "Invalid signature")
        if params.get("customerId") != self._credentials.customer_id:
            raise TopError(41, "Invalid arguments:customerId", "isv.invalid-customer-id")

    def _create(self, body: str, root: Element) -> dict[str, Any]:
        """Take a delivery order once. Raises Refused with the reason."""
        self._check_document(root)
        code = _text(root, "deliveryOrder/deliveryOrderCode")
        now = self._now().astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
        with self._store.transaction() as db:
            known = db.execute("SELECT delivery_id FROM deliveries WHERE code = ?", (code,)).fetchone()
            if known:
                db.execute("UPDATE deliveries SET times = times + 1, last_body = ? WHERE code = ?", (body, code))
            else:
                number = db.execute("SELECT count(*) FROM deliveries").fetchone()[0] + 1
                values = (code, f"WMS{number:010d}", self._credentials.customer_id, now, body, body)
                db.execute("INSERT INTO deliveries VALUES (?, ?, ?, ?, 1, ?, ?)", values)
                if self.floor:
                    self.floor.take(code, values[1], root)
        if known and not self.repeat_is_success:
            raise Refused("S003", f"发货单已存在: {code}")
        return {
            "createTime": now,
            "deliveryOrderId": known["delivery_id"] if known else values[1],
            "warehouseCode": _text(root, "deliveryOrder/warehouseCode"),
            "logisticsCode": _text(root, "deliveryOrder/logisticsCode"),
        }

    def _check_document(self, root: Element) -> None:
        missing = [path for path in REQUIRED if not _text(root, path)]
        lines = root.findall("orderLines/orderLine")
        missing += [
            f"orderLine[{i}]/{n}" for i, line in enumerate(lines) for n in REQUIRED_IN_LINE if not _text(line, n)
        ]
        if missing or not lines:
            raise Refused("S001", f"缺少必填字段: {', '.join(missing) or 'orderLines'}")
        if _text(root, "deliveryOrder/warehouseCode") not in {self._credentials.warehouse_code, "OTHER"}:
            raise Refused("S002", "仓库编码不存在")
        self._check_receiver(root, lines)

    def _check_receiver(self, root: Element, lines: list[Element]) -> None:
        """Refuse a masked receiver that nobody could deliver to: no token, or the token of another order."""
        if "*" not in _text(root, "deliveryOrder/receiverInfo/mobile"):
            return
        token = _text(root, "deliveryOrder/receiverInfo/oaid")
        if not token:
            raise Refused("S004", "收件人已脱敏, 缺少 oaid")
        orders = [self._store.get(_text(line, "sourceOrderCode")) for line in lines]
        if any(order and oaid(order.draft, self._credentials) != token for order in orders):
            raise Refused("S005", "oaid 与订单不匹配")

    def _query(self, body: str, root: Element) -> dict[str, Any]:
        """Tell what is known of one delivery order."""
        del body
        code = _text(root, "orderCode")
        rows = self._store.query("SELECT * FROM deliveries WHERE code = ?", code)
        if not rows:
            raise Refused("S006", f"发货单不存在: {code}")
        told: Element = fromstring(rows[0]["body"])
        lines = told.findall("orderLines/orderLine")
        return {
            "totalLines": len(lines),
            "deliveryOrder": {
                "deliveryOrderCode": code,
                "deliveryOrderId": rows[0]["delivery_id"],
                "warehouseCode": _text(told, "deliveryOrder/warehouseCode"),
                "orderType": _text(told, "deliveryOrder/orderType"),
                "status": "CANCELED" if self.floor and self.floor.is_given_back(code) else "ACCEPT",
            },
            "orderLines": {
                "orderLine": [
                    {name: _text(line, name) for name in ("orderLineNo", "itemCode", "planQty")} for line in lines
                ]
            },
        }


def _text(root: Element, path: str) -> str:
    return (root.findtext(path) or "").strip()
