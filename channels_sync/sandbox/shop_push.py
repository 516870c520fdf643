"""The company's own mini-program shop: pushes its plain orders to the hub until the hub has taken them."""

import http.client
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from channels_sync.sandbox.store import Store

TIMEOUT = 30.0
"""Seconds that one push may take."""
LONGEST_PAUSE = 30.0
REFUSED = frozenset({400, 413, 415, 422})
"""Answers that no repetition will change; a batch is put aside after `PATIENCE` of them."""
PATIENCE = 5
KEEP = 500
"""Batches done that stay readable."""


@dataclass(frozen=True, slots=True)
class Hub:
    """Where the shop pushes to: base address, token, the shop's code there."""

    url: str
    token: str
    shop: str


class ShopPush:
    """Sends orders in batches. A batch and its idempotency key are kept before the first try and survive a restart."""

    def __init__(self, store: Store, hub: Hub, now: Callable[[], datetime], size: int = 200) -> None:
        self._store = store
        self._hub = hub
        self._now = now
        self._size = min(size, 1_000)
        self._failures = self._refusals = 0
        self.last_error = ""

    def step(self) -> float:
        """Push one batch if there is one; return the seconds to wait before the next step."""
        batch = self._open_batch() or self._new_batch()
        if batch is None:
            return 1.0
        key, body = batch
        try:
            status, answer = self._post(key, body)
        except (OSError, http.client.HTTPException) as error:
            return self._failed(key, f"{type(error).__name__}: {error}")
        if 200 <= status < 300:
            self._accepted(key, answer)
            return 0.0
        self._refusals = self._refusals + 1 if status in REFUSED else 0
        if self._refusals >= PATIENCE:
            self._put_aside(key, f"HTTP {status}: {answer[:500]}")
            return 1.0
        return self._failed(key, f"HTTP {status}: {answer[:200]}")

    def _open_batch(self) -> tuple[str, str] | None:
        rows = self._store.query("SELECT * FROM batches WHERE state = 'open' ORDER BY number LIMIT 1")
        return (rows[0]["key"], rows[0]["body"]) if rows else None

    def _new_batch(self) -> tuple[str, str] | None:
        with self._store.transaction() as db:
            rows = db.execute(
                "SELECT external_no, revision, draft FROM orders"
                " WHERE shop = 'mini' AND pushed < revision AND due <= ? ORDER BY due LIMIT ?",
                (int(self._now().timestamp()), self._size),
            ).fetchall()
            if not rows:
                return None
            drafts = ",".join(row["draft"] for row in rows)
            body = f'{{"shop":{json.dumps(self._hub.shop)},"orders":[{drafts}]}}'
            revisions = json.dumps([[row["external_no"], row["revision"]] for row in rows])
            number = db.execute("SELECT coalesce(max(number), 0) + 1 FROM batches").fetchone()[0]
            key = str(uuid.uuid4())
            db.execute(
                "INSERT INTO batches (key, number, body, revisions) VALUES (?, ?, ?, ?)", (key, number, body, revisions)
            )
        return key, body

    def _post(self, key: str, body: str) -> tuple[int, str]:
        parts = urlsplit(self._hub.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT)
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Token {self._hub.token}",
            "Idempotency-Key": key,
        }
        try:
            connection.request("POST", f"{parts.path.rstrip('/')}/api/v1/intake/", body.encode(), headers)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()

    def _accepted(self, key: str, answer: str) -> None:
        with self._store.transaction() as db:
            row = db.execute("SELECT number, revisions FROM batches WHERE key = ?", (key,)).fetchone()
            self._mark_pushed(row["revisions"])
            # The body was kept for repetition only; the orders hold it.
            db.execute("UPDATE batches SET state = 'done', body = '', answer = ? WHERE key = ?", (answer[:2000], key))
            db.execute("DELETE FROM batches WHERE state = 'done' AND number <= ?", (row["number"] - KEEP,))
        self._failures = self._refusals = 0
        self.last_error = ""

    def _put_aside(self, key: str, error: str) -> None:
        with self._store.transaction() as db:
            row = db.execute("SELECT revisions FROM batches WHERE key = ?", (key,)).fetchone()
            self._mark_pushed(row["revisions"])
            db.execute("UPDATE batches SET state = 'refused', answer = ? WHERE key = ?", (error, key))
        self._refusals, self.last_error = 0, error

    def _mark_pushed(self, revisions: str) -> None:
        pairs: list[Any] = json.loads(revisions)
        with self._store.transaction() as db:
            db.executemany(
                "UPDATE orders SET pushed = max(pushed, ?) WHERE external_no = ?", [(r, number) for number, r in pairs]
            )

    def _failed(self, key: str, error: str) -> float:
        self.last_error = error
        self._failures += 1
        with self._store.transaction() as db:
            db.execute("UPDATE batches SET tries = tries + 1, answer = ? WHERE key = ?", (error, key))
        return float(min(2.0 ** min(self._failures, 10) / 2, LONGEST_PAUSE))
