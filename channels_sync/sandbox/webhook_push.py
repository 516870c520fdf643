"""A shop system that posts its orders signed (`docs/channels/webhook.md`), in status words of its own."""

import hashlib
import hmac
import http.client
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from channels_sync.sandbox import hooks
from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.store import Store

METHOD = "webhook.push"
"""Under this name faults are set: `disconnect` (not sent), `answer_lost`, `duplicates` (sent twice),
`out_of_order` (the message before comes once more behind the new one). What is not answered with 200 is sent again."""
WORDS = {"unpaid": "WAIT_PAY", "paid": "PAID", "presale_deposit": "DEPOSIT", "cancelled": "CLOSED"}
"""The system's own words; every other status goes out as the hub calls it."""
MESSAGE = 50
"""Orders of one message."""
LONGEST_PAUSE = 30.0


class WebhookPush:
    """Tells one address of new and changed orders until it has taken them."""

    def __init__(
        self, store: Store, credentials: Credentials, faults: Faults, now: Callable[[], datetime], url: str
    ) -> None:
        self._store, self._credentials, self._faults, self._now, self._url = store, credentials, faults, now, url
        self._before = b""
        self._failures = 0
        self.last_error = ""

    def step(self) -> float:
        """Send one message if there is something to tell; return the seconds to wait before the next step."""
        rows = self._store.query(
            "SELECT external_no, revision, draft FROM orders"
            " WHERE shop = 'webhook' AND pushed < revision AND due <= ? ORDER BY due LIMIT ?",
            int(self._now().timestamp()), MESSAGE,
        )  # fmt: skip
        if not rows:
            return 1.0
        body = json.dumps({"orders": [_shown(json.loads(row["draft"])) for row in rows]}, ensure_ascii=False).encode()
        if not self._told(body):
            self._failures += 1
            return min(2.0 ** min(self._failures, 10) / 2, LONGEST_PAUSE)
        with self._store.transaction() as db:
            db.executemany(
                "UPDATE orders SET pushed = max(pushed, ?) WHERE external_no = ?",
                [(row["revision"], row["external_no"]) for row in rows],
            )
        self._before, self._failures, self.last_error = body, 0, ""
        return 0.0

    def _told(self, body: bytes) -> bool:
        fault = self._faults.take(METHOD, "disconnect", "answer_lost", "duplicates", "out_of_order")
        kind = fault.kind if fault else ""
        if kind == "disconnect":
            self.last_error = "the connection was lost"
            return False
        is_taken = self._send(body)
        if kind == "duplicates":
            is_taken = self._send(body)
        if kind == "out_of_order" and self._before:
            self._send(self._before)
        if kind == "answer_lost":
            self.last_error = "the answer was lost"
            return False
        return is_taken

    def _send(self, body: bytes) -> bool:
        moment = str(int(self._now().timestamp()))
        mac = hmac.digest(self._credentials.webhook_secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Timestamp": moment,
            "X-Hub-Signature": f"sha256={mac.hex()}",
        }
        try:
            status, answer = hooks.post(self._url, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self.last_error = f"{type(error).__name__}: {error}"
            return False
        if status != 200:
            self.last_error = f"HTTP {status}: {answer[:200].decode('utf-8', 'replace')}"
        return status == 200


def _shown(draft: dict[str, Any]) -> dict[str, Any]:
    return {**draft, "status": WORDS.get(draft["status"], draft["status"])}
