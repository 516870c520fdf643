"""The warehouse at work: what it took is accepted, picked, packed and handed over, and the hub is told of each step
by Qimen's callbacks (protocol reference 2.5 and 2.6), signed here and repeated until the hub says success."""

import http.client
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from channels_sync.sandbox import hooks
from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.replies import element
from channels_sync.sandbox.signatures import expected_sign
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.trades import SHANGHAI

Row = dict[str, Any]
Pieces = dict[str, int]
"""Pieces by order line number."""

CARRIERS = {"YTO": "YT", "ZTO": "ZT", "STO": "ST", "SF": "SF", "YUNDA": "YD"}
"""Carriers of this warehouse and how their tracking numbers begin."""
NODES = (("ACCEPT", 0.05), ("PICK", 0.35), ("PACKAGE", 0.7), ("READY", 0.85))
"""Steps before the hand-over, each with its part of the way."""
GIVES_BACK = ("REJECT", "CANCELED", "CLOSED")
"""Steps with which a warehouse gives an order back: refused, cancelled, closed."""
GIVEN_BACK_AT = 0.5
CALLS_A_STEP = 50
MOST_TRIES = 10
LONGEST_PAUSE = 300.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS warehouse_calls (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL, method TEXT NOT NULL, node TEXT NOT NULL, body TEXT NOT NULL,
    due REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'open',
    answer TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS warehouse_calls_open ON warehouse_calls (due, id) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS warehouse_calls_code ON warehouse_calls (code)
"""


@dataclass(slots=True)
class Pace:
    """How the warehouse works: seconds from taking an order to its hand-over, and parts of the orders from 0 to 1."""

    seconds: float = 60.0
    split: float = 0.1
    """Orders of several pieces that leave in two parcels, half of them in two confirmations."""
    doubled: float = 0.02
    """Callbacks that are made twice."""
    late: float = 0.02
    """Steps that are told after the hand-over."""
    gives_back: float = 0.0
    """Orders that are given back in the middle of the work, each in one of the ways of `GIVES_BACK`."""
    sign_seconds: float = 600.0
    """From the hand-over until the receiver has signed."""
    complete_seconds: float = 600.0
    """From then until the platform closes the order."""


class Floor:
    """Plans the callbacks of each delivery order when it is taken, and makes them to `url` when their time has come."""

    def __init__(
        self,
        store: Store,
        credentials: Credentials,
        faults: Faults,
        now: Callable[[], datetime],
        url: str,
        seed: int = 11,
    ) -> None:
        self._store, self._credentials, self._faults, self._now = store, credentials, faults, now
        self._url, self._seed = url, seed
        self.pace = Pace()
        self.last_error = ""
        with store.transaction() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)

    def take(self, code: str, delivery_id: str, root: Element) -> None:
        """Plan the work on one delivery order; call it in the transaction that takes the order."""
        calls = _Plan(self.pace, Random(f"{self._seed}/{code}"), self._now(), code, delivery_id, root).calls()  # noqa: S311
        with self._store.transaction() as db:
            db.executemany(
                "INSERT INTO warehouse_calls (code, method, node, body, due) VALUES (?, ?, ?, ?, ?)",
                [(code, method, node, body, due.timestamp()) for method, node, body, due in calls],
            )

    def give_back(self, code: str, node: str = "REJECT", info: str = "") -> bool:
        """Give one delivery order back now: what was still planned for it is dropped. False for one that is unknown."""
        if node not in GIVES_BACK:
            raise ValueError(f"node must be one of {', '.join(GIVES_BACK)}")
        rows = self._store.query("SELECT delivery_id, body FROM deliveries WHERE code = ?", code)
        if not rows:
            return False
        plan = _Plan(self.pace, Random(), self._now(), code, rows[0]["delivery_id"], fromstring(rows[0]["body"]))  # noqa: S311
        body = plan.node(node, self._now(), info)
        with self._store.transaction() as db:
            db.execute("UPDATE warehouse_calls SET state = 'dropped' WHERE code = ? AND state = 'open'", (code,))
            db.execute(
                "INSERT INTO warehouse_calls (code, method, node, body, due) VALUES (?, ?, ?, ?, ?)",
                (code, "orderprocess.report", node, body, self._now().timestamp()),
            )
        return True

    def is_given_back(self, code: str) -> bool:
        """Tell whether a delivery order was given back; its code stays taken all the same."""
        calls = self.calls(code) if code else []
        return any(call["node"] in GIVES_BACK and call["tries"] for call in calls)

    def step(self) -> float:
        """Make the callbacks that are due; return the seconds to wait before the next step."""
        return 0.0 if self._make_due(self._now().timestamp()) else 0.5

    def catch_up(self) -> int:
        """Make every planned callback now, whatever its time, with its repetitions; return how many calls were made."""
        made = 0
        while more := self._make_due(float("inf")):
            made += more
        return made

    def calls(self, code: str = "", limit: int = 1000) -> list[Row]:
        """Return planned and made callbacks, latest first; empty `code` matches all."""
        query = "SELECT * FROM warehouse_calls WHERE ? IN ('', code) ORDER BY id DESC LIMIT ?"
        return [dict(row) for row in self._store.query(query, code, limit)]

    def _make_due(self, until: float) -> int:
        query = "SELECT * FROM warehouse_calls WHERE state = 'open' AND due <= ? ORDER BY due, id LIMIT ?"
        due = [dict(row) for row in self._store.query(query, until, CALLS_A_STEP)]
        if len(due) > 1 and self._faults.take("qimen.callback", "out_of_order"):
            due.reverse()
        return sum(self._make(call) for call in due)

    def _make(self, call: Row) -> int:
        """Make one callback, more than once when a fault says so; return how many calls that were."""
        fault = self._faults.take(call["method"], "disconnect", "answer_lost", "duplicates")
        kind = fault.kind if fault else ""
        times = 1 + fault.orders if fault and kind == "duplicates" else 1
        told, answer = False, "the call was lost"
        if kind != "disconnect":
            told, answer = [self._told(call) for _ in range(times)][-1]
        if kind == "answer_lost":
            told, answer = False, "the answer was lost"
        self._note(call, answer, told=told)
        return times

    def _told(self, call: Row) -> tuple[bool, str]:
        query = {
            "method": call["method"], "timestamp": _clock(self._now()), "format": "xml",
            "app_key": self._credentials.qimen_app_key, "v": "2.0", "sign_method": "md5",
            "customerId": self._credentials.customer_id,
        }  # fmt: skip
        query["sign"] = expected_sign(query, self._credentials.qimen_secret, body=call["body"])
        headers = {"Content-Type": "text/xml;charset=utf-8"}
        try:
            status, answer = hooks.post(f"{self._url}?{urlencode(query)}", headers, call["body"].encode())
        except (OSError, http.client.HTTPException) as error:
            return False, f"{type(error).__name__}: {error}"
        return status == 200 and _is_success(answer), f"HTTP {status}: {answer[:300].decode(errors='replace')}"

    def _note(self, call: Row, answer: str, *, told: bool) -> None:
        tries = call["tries"] + 1
        state = "done" if told else "open" if tries < MOST_TRIES else "lost"
        due = self._now().timestamp() + min(2.0**tries, LONGEST_PAUSE)
        with self._store.transaction() as db:
            db.execute(
                "UPDATE warehouse_calls SET tries = ?, state = ?, answer = ?, due = ? WHERE id = ?",
                (tries, state, answer, due, call["id"]),
            )
            if told and call["node"] == "SIGN":
                self._plan_end(call["code"])
        self.last_error = "" if told else answer

    def _plan_end(self, code: str) -> None:
        """Let the platforms close the orders of a delivery that was received."""
        (row,) = self._store.query("SELECT body FROM deliveries WHERE code = ?", code)
        numbers = {line.findtext("sourceOrderCode") or "" for line in fromstring(row["body"]).iter("orderLine")}
        at = int(self._now().timestamp() + self.pace.complete_seconds)
        for number in sorted(numbers):
            order = self._store.get(number)
            if order and order.draft["status"] in {"paid", "in_transit"}:
                self._store.plan(number, ("complete", at))


class _Plan:
    """The callbacks of one delivery order with their times."""

    def __init__(self, pace: Pace, rng: Random, now: datetime, code: str, delivery_id: str, root: Element) -> None:
        self._pace, self._rng, self._now = pace, rng, now
        self._code, self._delivery_id = code, delivery_id
        self._warehouse = root.findtext("deliveryOrder/warehouseCode") or ""
        self._asked = root.findtext("deliveryOrder/logisticsCode") or ""
        self._lines = {
            line.findtext("orderLineNo") or str(place): line
            for place, line in enumerate(root.findall("orderLines/orderLine"), start=1)
        }
        self._confirmed = 0

    def calls(self) -> Iterator[tuple[str, str, str, datetime]]:
        """Yield method, node, body and time of each call; some of them twice or late."""
        for method, node, body, part in self._in_order():
            is_late = node in {"PICK", "PACKAGE", "READY"} and self._rng.random() < self._pace.late
            due = self._now + timedelta(seconds=self._pace.seconds * (1.3 if is_late else part))
            if node == "SIGN":
                due += timedelta(seconds=self._pace.sign_seconds)
            for _ in range(1 + (self._rng.random() < self._pace.doubled)):
                yield self._named(method), node, body, due

    def _in_order(self) -> Iterator[tuple[str, str, str, float]]:
        gives_back = self._pace.gives_back > 0 and self._rng.random() < self._pace.gives_back
        for node, part in NODES:
            if gives_back and part > GIVEN_BACK_AT:
                break
            yield "orderprocess.report", node, self.node(node, self._at(part)), part
        if gives_back:
            node = self._rng.choice(GIVES_BACK)
            yield "orderprocess.report", node, self.node(node, self._at(GIVEN_BACK_AT), "仓库退回"), GIVEN_BACK_AT
            return
        parcels = self._parcels()
        if len(parcels) > 1 and self._rng.random() < 0.5:
            yield (
                "deliveryorder.confirm",
                "PARTDELIVERED",
                self._confirm(parcels[:1], self._at(0.95), is_final=False),
                0.95,
            )
            parcels = parcels[1:]
        yield "deliveryorder.confirm", "DELIVERED", self._confirm(parcels, self._at(1.0), is_final=True), 1.0
        signed = self._at(1.0) + timedelta(seconds=self._pace.sign_seconds)
        yield "orderprocess.report", "SIGN", self.node("SIGN", signed), 1.0

    def _named(self, method: str) -> str:
        """Warehouse systems name their callbacks with and without the prefix."""
        return f"taobao.qimen.{method}" if self._rng.random() < 0.5 else method

    def _at(self, part: float) -> datetime:
        return self._now + timedelta(seconds=self._pace.seconds * part)

    def _parcels(self) -> list[Pieces]:
        pieces = [number for number, line in self._lines.items() for _ in range(int(line.findtext("planQty") or 0))]
        if len(pieces) < 2 or self._rng.random() >= self._pace.split:
            return [_counted(pieces)]
        cut = self._rng.randrange(1, len(pieces))
        return [_counted(pieces[:cut]), _counted(pieces[cut:])]

    def node(self, node: str, at: datetime, info: str = "") -> str:
        """Return the body of `orderprocess.report` for one step."""
        order = {"orderCode": self._code, "orderId": self._delivery_id, "warehouseCode": self._warehouse}
        process = {"processStatus": node, "operateTime": _clock(at), "operatorName": "仓库", "operateInfo": info}
        return element("request", {"order": order, "process": process})

    def _confirm(self, parcels: Sequence[Pieces], at: datetime, *, is_final: bool) -> str:
        self._confirmed += 1
        head = {
            "deliveryOrderCode": self._code, "deliveryOrderId": self._delivery_id, "warehouseCode": self._warehouse,
            "orderType": "JYCK", "status": "DELIVERED" if is_final else "PARTDELIVERED",
            "outBizCode": f"{self._delivery_id}-{self._confirmed}", "confirmType": "0" if is_final else "1",
            "orderConfirmTime": _clock(at), "operateTime": _clock(at),
        }  # fmt: skip
        sent: Pieces = {}
        for parcel in parcels:
            for number, count in parcel.items():
                sent[number] = sent.get(number, 0) + count
        packages = [self._package(parcel) for parcel in parcels]
        lines = [self._line(number, count) for number, count in sent.items()]
        body = {"deliveryOrder": head, "packages": {"package": packages}, "orderLines": {"orderLine": lines}}
        return element("request", body)

    def _package(self, parcel: Pieces) -> Row:
        carrier = self._asked if self._asked in CARRIERS and self._rng.random() < 0.7 else self._rng.choice([*CARRIERS])
        items = [
            {"itemCode": self._lines[number].findtext("itemCode"), "quantity": count, "orderLineNo": number}
            for number, count in parcel.items()
        ]
        return {
            "logisticsCode": carrier,
            "expressCode": f"{CARRIERS[carrier]}{self._rng.randrange(10**12, 10**13)}",
            "weight": f"{self._rng.randint(200, 3000) / 1000:.3f}",
            "items": {"item": items},
        }

    def _line(self, number: str, count: int) -> Row:
        line = self._lines[number]
        return {
            "orderLineNo": number,
            "orderSourceCode": line.findtext("sourceOrderCode") or "",
            "subSourceCode": line.findtext("subSourceOrderCode") or "",
            "itemCode": line.findtext("itemCode") or "",
            "planQty": line.findtext("planQty") or "",
            "actualQty": count,
        }


def _counted(pieces: Sequence[str]) -> Pieces:
    return {number: pieces.count(number) for number in dict.fromkeys(pieces)}


def _clock(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _is_success(answer: bytes) -> bool:
    try:
        return bool(fromstring(answer).findtext("flag") == "success")
    except ParseError:
        return False
