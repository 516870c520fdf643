"""The Douyin gateway, as the protocol reference section 4 describes it: checks, envelope, faults, dispatch.

Its signing code is its own: secret, the five fields by name, secret; HMAC-SHA256 keyed with the secret, or MD5 where no
`sign_method` says otherwise; lower-case hexadecimal.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.douyin_errors import DouyinError
from channels_sync.sandbox.douyin_orders import Orders
from channels_sync.sandbox.douyin_stock import Stock
from channels_sync.sandbox.douyin_tokens import Tokens
from channels_sync.sandbox.douyin_writes import Writes
from channels_sync.sandbox.faults import Fault, Faults, number_in
from channels_sync.sandbox.replies import Reply, json_reply
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.top import broken, delayed
from channels_sync.sandbox.trades import SHANGHAI

Answer = dict[str, Any]
Method = Callable[[Mapping[str, Any]], Answer]

CLOCK_TOLERANCE = 600
"""Seconds by which a timestamp may be off; the platform's own figure is not public."""
_OPEN = frozenset({"token.create", "token.refresh"})


class DouyinGateway:
    """Answers everything below its prefix. `now` is the platform's clock."""

    prefix = "/douyin/"

    def __init__(self, store: Store, credentials: Credentials, faults: Faults, now: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._faults = faults
        self._now = now
        self.tokens = Tokens(store, credentials, now)
        self.orders = Orders(store, credentials, faults, now)
        self.writes = Writes(store, credentials, now)
        stock = Stock(store, now)
        self._methods: dict[str, Method] = {
            "token.create": self.tokens.create,
            "token.refresh": self.tokens.refresh,
            "order.searchList": self.orders.search,
            "order.orderDetail": self.orders.detail,
            "afterSale.List": self.orders.refunds,
            "order.batchSensitive": self.writes.mask,
            "order.batchDecrypt": self.writes.decrypt,
            "order.logisticsCompanyList": self.writes.carriers,
            "order.logisticsAdd": self.writes.ship,
            "order.logisticsAddMultiPack": self.writes.ship_parts,
            "order.addOrderRemark": self.writes.remark,
            "sku.stockNum": stock.read,
            "sku.syncStock": stock.write,
            "sku.syncStockBatch": stock.write_many,
        }

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        """Return the reply to one request."""
        name = path.removeprefix(self.prefix).strip("/").replace("/", ".")
        about = number_in(body.decode("utf-8", "replace"))
        fault = self._faults.take(name, "http500", "timeout", "disconnect", "slow", "truncated", about=about)
        if fault and fault.kind not in {"slow", "truncated"}:
            return broken(fault)
        new_form = headers.get("x-open-no-old-err-code") == "1"
        try:
            text = body.decode("utf-8", "replace") or query.get("param_json", "")
            self._check_caller(method, name, query, text)
            self._raise_fault(name)
            reply = _reply(10000, "success", "", "", self._call(name, query, text), new_form=new_form)
        except DouyinError as error:
            reply = _reply(error.code, _MAIN.get(error.code, "业务处理失败"), error.sub_code, error.message, None,
                           new_form=new_form)  # fmt: skip
        return delayed(reply, fault)

    def _call(self, name: str, query: Mapping[str, str], text: str) -> Answer:
        if name not in _OPEN:
            if not query.get("access_token"):
                raise DouyinError(40001, "isv.access-token-missing", "认证失败,access_token不能为空")
            self.tokens.check(query["access_token"])
        if name not in self._methods:
            raise DouyinError(70000, "isv.api-offline", "该接口已下线")
        try:
            params = json.loads(text or "{}")
        except ValueError as error:
            raise DouyinError(40003, "isv.parameter-format-invalid", "业务参数json解析失败") from error
        if not isinstance(params, dict):
            raise DouyinError(40003, "isv.parameter-format-invalid", "业务参数json解析失败")
        return self._methods[name](params)

    def _check_caller(self, verb: str, name: str, query: Mapping[str, str], text: str) -> None:
        if verb != "POST":
            raise DouyinError(40003, "isv.parameter-invalid", "仅支持POST")
        if query.get("app_key") != self._credentials.douyin_app_key:
            raise DouyinError(40001, "isv.app-id-missing", "认证失败,app_key不存在")
        if query.get("method") != name or query.get("v") != "2":
            raise DouyinError(40003, "isv.parameter-invalid", "method 或 v 错误")
        self._check_clock(query.get("timestamp", ""), name)
        if not query.get("sign"):
            raise DouyinError(40001, "isv.signature-missing", "获取签名失败")
        expected = expected_sign(query, text, self._credentials.douyin_secret)
        if not hmac.compare_digest(expected.encode(), query["sign"].encode()):
            raise DouyinError(40003, "isv.signature-invalid", "签名校验失败")

    def _check_clock(self, text: str, name: str) -> None:
        moment = _moment(text)
        if moment is None:
            raise DouyinError(40003, "isv.timestamp-format-error", "时间戳格式错误")
        skew = self._faults.take(name, "clock_skew")
        now = self._now() + timedelta(seconds=skew.seconds if skew else 0)
        if abs((now - moment).total_seconds()) > CLOCK_TOLERANCE:
            raise DouyinError(40003, "isv.timestamp-invalid", "时间戳不合法")

    def _raise_fault(self, name: str) -> None:
        fault: Fault | None = self._faults.take(name, "throttle", "expired_token", "remote_error")
        if fault is None:
            return
        if fault.kind == "throttle":
            raise DouyinError(60000, "isv.traffic-limited", "请求被限流,请稍后重试")
        if fault.kind == "expired_token":
            raise DouyinError(40003, "isv.access-token-expired", "access_token已过期")
        raise DouyinError(20000, "isp.service-error:20005", "系统繁忙，请稍后重试")


def expected_sign(query: Mapping[str, str], text: str, secret: str) -> str:
    """Return the signature that a request must carry."""
    fields = {"app_key": query.get("app_key", ""), "method": query.get("method", ""), "param_json": text,
              "timestamp": query.get("timestamp", ""), "v": query.get("v", "")}  # fmt: skip
    whole = secret + "".join(f"{name}{fields[name]}" for name in sorted(fields)) + secret
    if query.get("sign_method") == "hmac-sha256":
        return hmac.new(secret.encode(), whole.encode(), hashlib.sha256).hexdigest()
    return hashlib.md5(whole.encode(), usedforsecurity=False).hexdigest()


_MAIN = {
    20000: "服务不可用",
    30001: "操作权限不足",
    40001: "缺少必选参数",
    40002: "缺少必选参数",
    40003: "非法的参数",
    40004: "非法的参数",
    50001: "平台处理失败",
    60000: "请求被限流",
    70000: "接口已下线",
}


def _reply(code: int, message: str, sub_code: str, sub_message: str, data: Any, *, new_form: bool) -> Reply:
    """Return the envelope; the fields of the old one go along unless the caller says that it does not want them."""
    value = {"code": code, "msg": message, "sub_code": sub_code, "sub_msg": sub_message,
             "log_id": secrets.token_hex(16), "data": data}  # fmt: skip
    if not new_form:
        value |= {"err_no": 0 if code == 10000 else code, "message": sub_message or message}
    return json_reply(value)


def _moment(text: str) -> datetime | None:
    """Return a timestamp: unix seconds, or a text of GMT+8."""
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return datetime.fromtimestamp(int(text), UTC)
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        return None
