"""The Taobao gateway (TOP), as the protocol reference section 1 describes it: envelope, checks, faults, dispatch."""

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.faults import Fault, Faults
from channels_sync.sandbox.replies import Reply, json_reply, simplified, xml_reply
from channels_sync.sandbox.signatures import METHODS, is_signed
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.top_errors import TopError, parse_time
from channels_sync.sandbox.top_messages import Messages
from channels_sync.sandbox.top_orders import Orders
from channels_sync.sandbox.top_receivers import Receivers
from channels_sync.sandbox.top_tokens import Tokens
from channels_sync.sandbox.top_writes import Writes

Params = Mapping[str, str]
Answer = dict[str, Any]

CLOCK_TOLERANCE = 600
"""Seconds by which a request's timestamp may be off (protocol reference 1.1)."""
_SCOPES = {
    "app": "accesscontrol.limited-by-app-access-count",
    "api": "accesscontrol.limited-by-api-access-count",
    "app_api": "accesscontrol.limited-by-app-api-access-count",
}


class TopGateway:
    """Answers `/router/rest`. `now` is the platform's clock."""

    def __init__(self, store: Store, credentials: Credentials, faults: Faults, now: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._faults = faults
        self._now = now
        self._tokens = Tokens(store, credentials)
        orders = Orders(store, credentials, faults, now)
        writes, messages = Writes(store, now), Messages(store, credentials, now)
        self.receivers = Receivers(store, credentials, now)
        self._open: dict[str, Callable[[Params], Answer]] = {
            "taobao.top.auth.token.create": self._tokens.create,
            "taobao.top.auth.token.refresh": self._tokens.refresh,
        }
        self._with_session: dict[str, Callable[[Params], Answer]] = {
            "taobao.trades.sold.increment.get": orders.increment,
            "taobao.trades.sold.get": orders.sold,
            "taobao.trade.fullinfo.get": orders.fullinfo,
            "taobao.refunds.receive.get": orders.refunds,
            "taobao.skus.quantity.update": writes.skus,
            "taobao.item.quantity.update": writes.item,
            "taobao.logistics.offline.send": writes.ship_prepaid,
            "taobao.logistics.online.send": writes.ship,
            "taobao.trade.memo.update": writes.memo,
            "taobao.tmc.messages.consume": messages.consume,
            "taobao.tmc.messages.confirm": messages.confirm,
            "taobao.top.oaid.decrypt": self.receivers.decrypt,
        }

    def answer(self, params: Params) -> Reply:
        """Return the reply to one request, given all its parameters from query and form."""
        method = params.get("method", "")
        fault = self._faults.take(method, "http500", "timeout", "disconnect", "slow", "truncated", "answer_lost")
        if fault and fault.kind in {"http500", "timeout", "disconnect"}:
            return broken(fault)
        try:
            self._raise_fault(method)
            reply = self._success(params, self._call(params))
        except TopError as error:
            reply = self._failure(params, error)
        if fault and fault.kind == "answer_lost":
            return Reply(drop=True)
        return delayed(reply, fault)

    def _call(self, params: Params) -> Answer:
        self._check_caller(params)
        method = params["method"]
        if method in self._open:
            return self._open[method](params)
        if method not in self._with_session:
            raise TopError(22, "Invalid Method")
        session = params.get("session")
        if not session:
            raise TopError(26, "Missing Session")
        if not self._tokens.is_valid(session):
            raise TopError(27, "Invalid session", "invalid-sessionkey", "SessionKey非法")
        return self._with_session[method](params)

    def _check_caller(self, params: Params) -> None:
        """Check the system parameters in the gateway's order: what is missing first, the signature last."""
        missing = {"method": (21, "Missing Method"), "app_key": (28, "Missing App Key"), "v": (32, "Missing Version")}
        for name, (code, text) in missing.items():
            if not params.get(name):
                raise TopError(code, text)
        if params["app_key"] != self._credentials.app_key:
            raise TopError(29, "Invalid app Key", "isv.appkey-not-exists")
        if params["v"] != "2.0":
            raise TopError(33, "Invalid Version")
        if params.get("format", "xml") not in {"json", "xml"}:
            raise TopError(23, "Invalid Format")
        self._check_clock(params.get("timestamp", ""), params["method"])
        if not params.get("sign"):
            raise TopError(24, "Missing Signature")
        if params.get("sign_method", "") not in METHODS or not is_signed(params, self._credentials.app_secret):
            raise TopError(25, "Invalid signature", "isv.invalid-signature")

    def _check_clock(self, text: str, method: str) -> None:
        if not text:
            raise TopError(30, "Missing Timestamp")
        # One SDK in use sends epoch milliseconds, and the gateway takes them.
        moment = datetime.fromtimestamp(int(text) / 1000, UTC) if text.isdigit() else parse_time(text)
        skew = self._faults.take(method, "clock_skew")
        now = self._now() + timedelta(seconds=skew.seconds if skew else 0)
        if moment is None or abs((now - moment).total_seconds()) > CLOCK_TOLERANCE:
            raise TopError(31, "Invalid Timestamp")

    def _raise_fault(self, method: str) -> None:
        fault = self._faults.take(method, "throttle", "expired_token", "remote_error")
        if fault is None:
            return
        if fault.kind == "expired_token":
            raise TopError(27, "Invalid session", "session-expired", "SessionKey已过期")
        if fault.kind == "remote_error":
            raise TopError(15, "Remote service error", "isp.remote-service-timeout", "服务超时")
        ban = f"This ban will last for {max(int(fault.seconds), 1)} more seconds"
        raise TopError(7, "App Call Limited", _SCOPES.get(fault.scope, _SCOPES["api"]), ban)

    def _success(self, params: Params, answer: Answer) -> Reply:
        root = params["method"].removeprefix("taobao.").replace(".", "_") + "_response"
        whole = {**answer, "request_id": _request_id()}
        if params.get("format", "xml") == "xml":
            return xml_reply(root, whole)
        return json_reply({root: simplified(whole) if params.get("simplify") == "true" else whole})

    def _failure(self, params: Params, error: TopError) -> Reply:
        value = {**error.body(), "request_id": _request_id()}
        if params.get("format", "xml") == "xml":
            return xml_reply("error_response", value)
        return json_reply({"error_response": value})


def broken(fault: Fault) -> Reply:
    """Return an answer that is none: an HTML error page, silence, or a closed connection."""
    if fault.kind == "http500":
        return Reply(b"<html><body><h1>500 Internal Server Error</h1></body></html>", "text/html", 500)
    return Reply(wait=fault.seconds if fault.kind == "timeout" else 0.0, drop=True)


def delayed(reply: Reply, fault: Fault | None) -> Reply:
    """Return the reply late or cut in half, if a fault says so."""
    if fault is None:
        return reply
    if fault.kind == "slow":
        return Reply(reply.body, reply.content_type, reply.status, wait=fault.seconds)
    return Reply(reply.body[: len(reply.body) // 2], reply.content_type, reply.status)


def _request_id() -> str:
    return secrets.token_hex(6)
