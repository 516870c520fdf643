"""JD: the gateway `routerjson` and the authorisation server (protocol reference 3), below `/jd/`."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.faults import Faults, number_in
from channels_sync.sandbox.jd_errors import GatewayError, parse_time
from channels_sync.sandbox.jd_orders import Orders
from channels_sync.sandbox.jd_refunds import RefundLists
from channels_sync.sandbox.jd_tokens import JdTokens
from channels_sync.sandbox.jd_writes import Writes
from channels_sync.sandbox.replies import Reply, json_reply
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.top import broken, delayed

CLOCK_TOLERANCE = 360
"""Seconds by which a request's timestamp may be off."""
_BROKEN = ("http500", "timeout", "disconnect", "slow", "truncated")


class JdGateway:
    """Answers `/jd/routerjson` and `/jd/oauth2/…`. `now` is the platform's clock."""

    prefix = "/jd/"

    def __init__(self, store: Store, credentials: Credentials, faults: Faults, now: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._faults = faults
        self._now = now
        self._tokens = JdTokens(store, credentials, now)
        orders = Orders(store, credentials, faults, now)
        refunds = RefundLists(store, faults, now)
        writes = Writes(store, orders, faults, now)
        self._methods: dict[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]] = {
            "jingdong.pop.order.search": orders.search,
            "jingdong.pop.order.enSearch": orders.search,
            "jingdong.pop.order.get": orders.get,
            "jingdong.pop.order.enGet": orders.get,
            "jingdong.order.venderRemark.queryByOrderId": orders.note,
            "jingdong.pop.afs.soa.refundapply.queryPageList": refunds.applications,
            "jingdong.asc.serviceAndRefund.view": refunds.services,
            "jingdong.ware.stock.sku.set": writes.stock,
            "jingdong.stock.read.findSkuStock": writes.shown_stock,
            "jingdong.pop.order.shipment": writes.ship,
            "jingdong.pop.order.modifyVenderRemark": writes.note,
        }

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        """Answer one request; parameters may come in the query, the form or both."""
        del method, headers
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        params = {**query, **form}
        if path.startswith("/jd/oauth2/"):
            name = path.removeprefix("/jd/oauth2/")
            return self._faulty(f"oauth2.{name}", lambda: self._tokens.answer(name, params))
        if path == "/jd/routerjson":
            about = number_in(params.get("360buy_param_json", ""))
            return self._faulty(params.get("method", ""), lambda: self._call(params), about)
        return json_reply({"error": "not here: /jd/routerjson, /jd/oauth2/access_token"}, 404)

    def _faulty(self, method: str, call: Callable[[], dict[str, Any]], about: str = "") -> Reply:
        fault = self._faults.take(method, *_BROKEN, about=about)
        if fault and fault.kind not in {"slow", "truncated"}:
            return broken(fault)
        try:
            reply = json_reply(call())
        except GatewayError as error:
            reply = json_reply(error.body())
        return delayed(reply, fault)

    def _call(self, params: Mapping[str, str]) -> dict[str, Any]:
        self._check_caller(params)
        method = params["method"]
        self._raise_fault(method)
        token = params.get("access_token", "")
        if not token:
            raise GatewayError("18", "Missing Access Token", "缺少 access_token")
        if not self._tokens.is_valid(token):
            raise GatewayError("19", "Invalid Access Token", "无效 access_token")
        try:
            args = json.loads(params.get("360buy_param_json") or "{}")
        except ValueError:
            args = None
        if not isinstance(args, dict):
            raise GatewayError("62", "Invalid JSON", "参数 360buy_param_json 不是 JSON")
        # The misspelling is JD's.
        return {f"{method.replace('.', '_')}_responce": {"code": "0", **self._methods[method](method, args)}}

    def _check_caller(self, params: Mapping[str, str]) -> None:
        """Check the system parameters: what is missing first, the signature last."""
        if not params.get("v"):
            raise GatewayError("4", "Missing Version", "缺少版本参数")
        if params["v"] != "2.0":
            raise GatewayError("5", "Unsupported Version", "不支持的版本号")
        if not params.get("method"):
            raise GatewayError("14", "Missing Method", "缺少方法名参数")
        if params["method"] not in self._methods:
            raise GatewayError("15", "Invalid Method", "不存在的方法名")
        if params.get("app_key") != self._credentials.jd_app_key:
            raise GatewayError("21", "Invalid App Key", "无效 app_key")
        self._check_clock(params.get("timestamp", ""), params["method"])
        if not params.get("sign"):
            raise GatewayError("11", "Missing Signature", "缺少签名参数")
        if not hmac.compare_digest(self._signature(params).encode(), params["sign"].encode()):
            raise GatewayError("12", "Invalid Signature", "无效签名")

    def _check_clock(self, text: str, method: str) -> None:
        if not text:
            raise GatewayError("7", "Missing Timestamp", "缺少时间戳参数")
        skew = self._faults.take(method, "clock_skew")
        now = self._now() + timedelta(seconds=skew.seconds if skew else 0)
        moment = parse_time(text)
        if moment is None or abs((now - moment).total_seconds()) > CLOCK_TOLERANCE:
            raise GatewayError("8", "Invalid Timestamp", "非法的时间戳参数")

    def _signature(self, params: Mapping[str, str]) -> str:
        """Return the signature by JD's rule: the secret around all names and values in the order of their names."""
        secret = self._credentials.jd_app_secret
        named = sorted(name for name in params if name != "sign")
        text = secret + "".join(f"{name}{params[name]}" for name in named) + secret
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()

    def _raise_fault(self, method: str) -> None:
        fault = self._faults.take(method, "throttle", "expired_token", "remote_error")
        if fault is None:
            return
        if fault.kind == "expired_token":
            raise GatewayError("19", "Invalid Access Token", "无效 access_token")
        if fault.kind == "remote_error":
            raise GatewayError("65", "System Timeout", "系统处理超时")
        raise GatewayError("2", "App Call Limited", "应用调用次数超限")
