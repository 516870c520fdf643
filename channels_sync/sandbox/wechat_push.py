"""The message push of a WeChat shop: encrypted events, told again as the platform does (protocol reference 5.5)."""

import base64
import hashlib
import http.client
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.store import Store

REPEATS = (0, 0, 10, 60, 300, 1800, 3600, 3600, 3600)
"""Seconds to wait before each repetition: ten deliveries at most, over some 3.6 hours."""
TIMEOUT = 5.0
METHOD = "wechat.push"
"""Under this name faults are set for the push: `disconnect` loses an event, `duplicates` tells it twice, `slow` holds
it back for `seconds`, `out_of_order` until the next one was told."""
ORDER_ID = "gh_sandbox"
BLOCK = 32


@dataclass(slots=True)
class _Event:
    body: str
    tries: int = 0
    due: float = field(default=0.0)


class WechatPush:
    """Tells one address of new, changed and shipped orders."""

    def __init__(
        self, store: Store, credentials: Credentials, faults: Faults, url: str, now: Callable[[], datetime]
    ) -> None:
        self._store, self._credentials, self._faults, self._url, self._now = store, credentials, faults, url, now
        self._waiting: list[_Event] = []
        self._held: list[_Event] = []
        self.told = self.given_up = self.lost = 0
        self.last_error = ""

    def step(self) -> float:
        """Tell one event if one is due; return the seconds to wait before the next step."""
        moment = self._now().timestamp()
        due = next((event for event in self._waiting if event.due <= moment), None) or self._next_event()
        if due is None:
            return 0.0 if self._release() else 0.5
        if due in self._waiting:
            self._waiting.remove(due)
        return self._carry_out(due, moment)

    def _carry_out(self, due: _Event, moment: float) -> float:
        """Tell one event, or what a fault makes of that."""
        fault = self._faults.take(METHOD, "disconnect", "duplicates", "out_of_order", "slow")
        kind = fault.kind if fault else ""
        if kind == "disconnect":
            self.lost += 1
            return 0.0
        if fault and kind == "slow":
            due.due = moment + fault.seconds
            self._waiting.append(due)
            return 0.0
        if kind == "out_of_order":
            self._held.append(due)
            return 0.0
        if not self._tell(due.body):
            return self._put_off(due, moment)
        self.told += 1
        if kind == "duplicates" and self._tell(due.body):
            self.told += 1
        self._release()
        return 0.0

    def _release(self) -> int:
        """Let the events that were held back be told next; return how many."""
        count = len(self._held)
        self._waiting += self._held
        self._held.clear()
        return count

    def _put_off(self, event: _Event, moment: float) -> float:
        if event.tries >= len(REPEATS):
            self.given_up += 1
        else:
            event.due = moment + REPEATS[event.tries]
            event.tries += 1
            self._waiting.append(event)
        return 0.05

    def _next_event(self) -> _Event | None:
        """Return the event of the next order that changed since it was told of, and mark it as told."""
        with self._store.transaction() as db:
            row = db.execute(
                "SELECT external_no, revision, pushed, draft FROM orders"
                " WHERE shop = 'wechat' AND pushed < revision AND due <= ? ORDER BY due LIMIT 1",
                (int(self._now().timestamp()),),
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE orders SET pushed = revision WHERE external_no = ?", (row["external_no"],))
        return _Event(self._body(json.loads(row["draft"]), is_new=row["pushed"] == 0))

    def _body(self, draft: dict[str, Any], *, is_new: bool) -> str:
        moment = int(self._now().timestamp())
        name, field_name, more = _event(draft, is_new=is_new)
        # The platform writes 64-bit numbers here.
        body = {"order_id": int(draft["external_no"]), **more}
        event = {
            "ToUserName": ORDER_ID, "FromUserName": "OPENID", "CreateTime": moment, "MsgType": "event", "Event": name,
            field_name: body,
        }  # fmt: skip
        return json.dumps(event, ensure_ascii=False)

    def _tell(self, body: str) -> bool:
        query, sealed = seal(body, self._credentials, int(self._now().timestamp()))
        parts = urlsplit(self._url)
        connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT)
        try:
            connection.request(
                "POST", f"{parts.path}?{urlencode(query)}", sealed.encode(), {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            answer = response.read()
            self.last_error = "" if response.status == 200 else f"HTTP {response.status}"
            return response.status == 200 and answer in {b"success", b""}
        except (OSError, http.client.HTTPException) as error:
            self.last_error = f"{type(error).__name__}: {error}"
            return False
        finally:
            connection.close()


def seal(body: str, credentials: Credentials, moment: int) -> tuple[dict[str, str], str]:
    """Return the query and the body of an encrypted push, both signed."""
    key = base64.b64decode(credentials.wechat_push_key + "=")
    text = body.encode()
    clear = secrets.token_bytes(16) + len(text).to_bytes(4) + text + credentials.wechat_app_id.encode()
    fill = BLOCK - len(clear) % BLOCK
    machine = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    sealed = base64.b64encode(machine.update(clear + bytes([fill]) * fill) + machine.finalize()).decode()
    timestamp, nonce = str(moment), secrets.token_hex(8)
    token = credentials.wechat_push_token
    query = {
        "signature": _sign(token, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        "encrypt_type": "aes",
        "msg_signature": _sign(token, timestamp, nonce, sealed),
    }
    return query, json.dumps({"ToUserName": ORDER_ID, "Encrypt": sealed})


def _event(draft: dict[str, Any], *, is_new: bool) -> tuple[str, str, dict[str, Any]]:
    """Return the name of the event, the name of its body and what the body says beside the order."""
    if any(line["refund"] != "none" for line in draft["lines"]):
        more = {"status": "MERCHANT_PROCESSING", "after_sale_order_id": f"2{draft['external_no'][1:]}0"}
        return "channels_ec_aftersale_update", "finder_shop_aftersale_status_update", more
    if draft["status"] == "cancelled":
        return "channels_ec_order_cancel", "order_info", {"cancel_type": 1}
    if draft["status"] == "in_transit":
        return "channels_ec_order_deliver", "order_info", {"finish_delivery": 1}
    if draft["status"] == "unpaid":
        return "channels_ec_order_new", "order_info", {}
    if is_new:
        return "channels_ec_order_pay", "order_info", {}
    return "channels_ec_order_ext_info_update", "order_info", {"type": 1}


def _sign(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()
