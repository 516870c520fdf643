"""The pushes of the Douyin platform (protocol reference 4.7): arrays of events, signed over the raw bytes, repeated
until they are answered with exactly the right words.

What happened is worked out from what was told before: one event for each thing that is different now.
"""

import hashlib
import http.client
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from channels_sync.sandbox import hooks
from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.douyin_view import after_sales, line_id, main_state, order_state
from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.store import Store

Row = dict[str, Any]

METHOD = "douyin.push"
"""The name under which faults of the push are set: duplicates, out_of_order, disconnect (the push is lost)."""
ACCEPTED = {"code": 0, "msg": "success"}
EVENTS = 20
"""Events of one push."""
MOST_TRIES = 10
"""The platform's schedule is not public: pauses double from one second to a minute, then the event is lost."""
LONGEST_PAUSE = 60
KEEP = 5_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS douyin_told (external_no TEXT PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS douyin_events (
    number INTEGER PRIMARY KEY, body TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open');
CREATE INDEX IF NOT EXISTS orders_to_tell_douyin ON orders (due) WHERE shop = 'douyin' AND pushed < revision;
"""
_STATE_TAGS = {105: "110", 2: "101", 101: "108", 3: "102", 4: "106", 5: "103"}


class DouyinPush:
    """Tells the hub at `url` what happens to the shop's orders."""

    def __init__(
        self, store: Store, credentials: Credentials, faults: Faults, now: Callable[[], datetime], url: str
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._faults = faults
        self._now = now
        self._url = url
        self.last_error = ""
        with store.transaction() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)

    def step(self) -> float:
        """Note what happened, push what is due; return the seconds to wait before the next step."""
        self._note()
        now = int(self._now().timestamp())
        rows = self._store.query(
            "SELECT * FROM douyin_events WHERE state = 'open' AND due <= ? ORDER BY number LIMIT ?", now, EVENTS
        )
        if not rows:
            return 1.0
        events = [json.loads(row["body"]) for row in rows]
        fault = self._faults.take(METHOD, "disconnect", "duplicates", "out_of_order", "slow")
        kind = fault.kind if fault else ""
        if fault and kind == "slow":
            self._hold([row["number"] for row in rows], now + max(round(fault.seconds), 1))
            return 0.0
        if kind == "disconnect":
            self._close([row["number"] for row in rows], "lost")
            return 0.0
        is_taken = self._send(events[::-1] if kind == "out_of_order" else events)
        if is_taken and kind == "duplicates":
            self._send(events)
        if is_taken:
            self._close([row["number"] for row in rows], "done")
            return 0.0
        self._put_off([(row["number"], row["tries"] + 1) for row in rows], now)
        return 1.0

    def open_events(self) -> int:
        """Return how many events wait for their answer."""
        return int(self._store.query("SELECT count(*) AS n FROM douyin_events WHERE state = 'open'")[0]["n"])

    def _send(self, events: list[Row]) -> bool:
        body = json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode()
        key, secret = self._credentials.douyin_app_key.encode(), self._credentials.douyin_secret.encode()
        headers = {
            "Content-Type": "application/json",
            "app-id": self._credentials.douyin_app_key,
            "event-sign": hashlib.md5(key + body + secret, usedforsecurity=False).hexdigest(),
        }
        try:
            status, answer = hooks.post(self._url, headers, body)
            if status == 200 and json.loads(answer) == ACCEPTED:
                self.last_error = ""
                return True
            self.last_error = f"HTTP {status}: {answer[:200].decode('utf-8', 'replace')}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.last_error = f"{type(error).__name__}: {error}"
        return False

    def _note(self) -> None:
        """Make events of the orders that changed since they were told."""
        now = int(self._now().timestamp())
        with self._store.transaction() as db:
            rows = db.execute(
                "SELECT external_no, revision, draft FROM orders WHERE shop = 'douyin' AND pushed < revision"
                " AND due <= ? ORDER BY due LIMIT 200",
                (now,),
            ).fetchall()
            for row in rows:
                draft, number = json.loads(row["draft"]), row["external_no"]
                told = db.execute("SELECT facts FROM douyin_told WHERE external_no = ?", (number,)).fetchone()
                facts = _facts(draft)
                for tag, data in self._happened(draft, json.loads(told["facts"]) if told else {}, facts):
                    event = {"tag": tag, "msg_id": f"{number}:{tag}:{now}:{row['revision']}",
                             "data": json.dumps(data, ensure_ascii=False)}  # fmt: skip
                    db.execute("INSERT INTO douyin_events (body, due) VALUES (?, ?)", (json.dumps(event), now))
                db.execute("INSERT OR REPLACE INTO douyin_told VALUES (?, ?)", (number, json.dumps(facts)))
                db.execute("UPDATE orders SET pushed = ? WHERE external_no = ?", (row["revision"], number))

    def _happened(self, draft: Row, before: Row, after: Row) -> list[tuple[str, Row]]:
        base = {"p_id": int(draft["external_no"]), "shop_id": int(self._credentials.douyin_shop_id)}
        whole = {**base, "s_ids": [int(line_id(draft, place)) for place in range(len(draft["lines"]))],
                 "order_status": order_state(draft), "main_status": main_state(draft), "order_type": 0}  # fmt: skip
        found: list[tuple[str, Row]] = [] if before else [("100", whole)]
        if after["state"] != before.get("state") and after["state"] in _STATE_TAGS:
            found.append((_STATE_TAGS[after["state"]], whole))
        if before and after["receiver"] != before["receiver"]:
            found.append(("105", base))
        if before and after["remark"] != before["remark"]:
            found.append(("113", {**base, "remark": draft["seller_remark"]}))
        if after["refunds"] != before.get("refunds", []):
            tags = {6: "200", 7: "201", 12: "206"}
            for refund in after_sales(draft):
                info = refund["aftersale_info"]
                data = {**base, "s_id": int(info["related_id"]), "aftersale_id": int(info["aftersale_id"])}
                found.append((tags.get(info["aftersale_status"], "207"), data))
        return found or [("109", whole)]

    def _close(self, numbers: list[int], state: str) -> None:
        with self._store.transaction() as db:
            db.executemany("UPDATE douyin_events SET state = ? WHERE number = ?", [(state, n) for n in numbers])
            db.execute("DELETE FROM douyin_events WHERE state = 'done' AND number <= ?", (max(numbers) - KEEP,))

    def _hold(self, numbers: list[int], until: int) -> None:
        with self._store.transaction() as db:
            db.executemany("UPDATE douyin_events SET due = ? WHERE number = ?", [(until, n) for n in numbers])

    def _put_off(self, tried: list[tuple[int, int]], now: int) -> None:
        with self._store.transaction() as db:
            for number, tries in tried:
                pause = min(2 ** (tries - 1), LONGEST_PAUSE)
                state = "lost" if tries >= MOST_TRIES else "open"
                db.execute(
                    "UPDATE douyin_events SET tries = ?, due = ?, state = ? WHERE number = ?",
                    (tries, now + pause, state, number),
                )


def _facts(draft: Row) -> Row:
    """Return what of an order is worth an event when it is different."""
    receiver = hashlib.sha256(json.dumps(draft["receiver"], sort_keys=True).encode()).hexdigest()
    return {
        "state": order_state(draft),
        "receiver": receiver,
        "remark": [draft["seller_remark"], draft["flag"]],
        "refunds": [line["refund"] for line in draft["lines"] if line["refund"] != "none"],
    }
