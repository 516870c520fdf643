"""What the sandbox remembers, in one SQLite file of its own, so that a second run goes on where the first stopped."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from channels_sync.sandbox.orders import SandboxOrder

Row = dict[str, Any]
TimeColumn = Literal["modified", "created"]
Changes = dict[str, tuple[str, int]]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    external_no TEXT PRIMARY KEY, shop TEXT NOT NULL, status TEXT NOT NULL,
    due INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
    draft TEXT NOT NULL, marks TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 1, pushed INTEGER NOT NULL DEFAULT 0,
    change TEXT NOT NULL DEFAULT '', change_at INTEGER);
CREATE INDEX IF NOT EXISTS orders_modified ON orders (shop, modified);
CREATE INDEX IF NOT EXISTS orders_created ON orders (shop, created);
CREATE INDEX IF NOT EXISTS orders_change ON orders (change_at) WHERE change_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS orders_to_push ON orders (due) WHERE shop = 'mini' AND pushed < revision;
CREATE INDEX IF NOT EXISTS orders_to_tell ON orders (shop, due) WHERE pushed < revision;
CREATE TABLE IF NOT EXISTS deliveries (
    code TEXT PRIMARY KEY, delivery_id TEXT NOT NULL, customer TEXT NOT NULL, received TEXT NOT NULL,
    times INTEGER NOT NULL, body TEXT NOT NULL, last_body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    key TEXT PRIMARY KEY, number INTEGER NOT NULL, body TEXT NOT NULL, revisions TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'open', answer TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS writes (
    id INTEGER PRIMARY KEY, platform TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS writes_key ON writes (platform, kind, key);
"""


@dataclass(frozen=True, slots=True)
class Window:
    """Which orders a list asks for; times are unix seconds, both ends belong to it."""

    shop: str
    column: TimeColumn
    start: int
    end: int
    now: int


class Store:
    """Orders, warehouse deliveries, push batches and loose facts. Safe for many threads; no path means memory."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        if path:
            # A lost last second after a power cut is fine here; a killed process loses nothing.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the lock and commit at the end, or roll back. May be nested: the outermost commits."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def add(self, orders: Iterable[SandboxOrder], changes: Changes | None = None) -> None:
        """Keep new orders; each shows from its `modified_at` on. `changes` maps numbers to (change, unix time)."""
        planned = changes or {}
        rows = [(*_columns(order), *planned.get(order.draft["external_no"], ("", None))) for order in orders]
        with self.transaction() as db:
            db.executemany(
                "INSERT INTO orders"
                " (external_no, shop, status, due, created, modified, draft, marks, change, change_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def get(self, external_no: str) -> SandboxOrder | None:
        """Return one order by its number."""
        rows = self._rows("SELECT * FROM orders WHERE external_no = ?", external_no)
        return _order(rows[0]) if rows else None

    def save(self, order: SandboxOrder) -> None:
        """Keep a changed order as its next revision."""
        number, _shop, status, due, _created, modified, draft, marks = _columns(order)
        with self.transaction() as db:
            db.execute(
                "UPDATE orders SET status = ?, due = ?, modified = ?, draft = ?, marks = ?, revision = revision + 1"
                " WHERE external_no = ?",
                (status, due, modified, draft, marks, number),
            )

    def plan(self, external_no: str, change: tuple[str, int] | None) -> None:
        """Set which change comes next and at what unix time, or that none does."""
        with self.transaction() as db:
            db.execute(
                "UPDATE orders SET change = ?, change_at = ? WHERE external_no = ?",
                (*(change or ("", None)), external_no),
            )

    def count(self, window: Window, statuses: tuple[str, ...] = ()) -> int:
        """Return how many orders the window holds."""
        where, values = _where(window, statuses)
        return int(self._rows(f"SELECT count(*) AS n FROM orders WHERE {where}", *values)[0]["n"])  # noqa: S608

    def page(
        self, window: Window, statuses: tuple[str, ...], offset: int, limit: int, *, oldest_first: bool = False
    ) -> list[SandboxOrder]:
        """Return one page of the window, latest first unless `oldest_first`."""
        where, values = _where(window, statuses)
        way = "ASC" if oldest_first else "DESC"
        query = (
            f"SELECT * FROM orders WHERE {where} ORDER BY {window.column} {way}, external_no {way}"  # noqa: S608
            " LIMIT ? OFFSET ?"
        )
        return [_order(row) for row in self._rows(query, *values, limit, offset)]

    def due_changes(self, now: int, limit: int = 200) -> list[tuple[SandboxOrder, str]]:
        """Return orders whose next change has come, with its name."""
        query = "SELECT * FROM orders WHERE change_at <= ? ORDER BY change_at LIMIT ?"
        return [(_order(row), row["change"]) for row in self._rows(query, now, limit)]

    def latest(self, shop: str, limit: int) -> list[SandboxOrder]:
        """Return the last orders of a shop (all shops when empty), latest first."""
        query = "SELECT * FROM orders WHERE ? IN ('', shop) ORDER BY modified DESC LIMIT ?"
        return [_order(row) for row in self._rows(query, shop, limit)]

    def totals(self) -> Row:
        """Return how many orders, unpushed orders, deliveries and batches there are."""
        one = self._rows(
            "SELECT (SELECT count(*) FROM orders WHERE shop = 'taobao') AS taobao,"
            " (SELECT count(*) FROM orders WHERE shop = 'mini') AS mini,"
            " (SELECT count(*) FROM orders WHERE shop = 'mini' AND pushed < revision) AS to_push,"
            " (SELECT count(*) FROM deliveries) AS deliveries,"
            " (SELECT count(*) FROM batches WHERE state = 'open') AS open_batches,"
            " (SELECT count(*) FROM batches WHERE state = 'refused') AS refused_batches"
        )[0]
        shops = self._rows("SELECT shop, count(*) AS n FROM orders WHERE shop NOT IN ('taobao', 'mini') GROUP BY shop")
        return {**dict(one), **{row["shop"]: row["n"] for row in shops}}

    def sums(self, shop: str, now: int, start: int | None, end: int | None) -> dict[str, Row]:
        """Return count and sums in fen of the orders that show by `now`, of each shop and status; `start` and `end`
        bound their creation. A hold counts as a status."""
        found: dict[str, Row] = {}
        for row in self._rows(
            "SELECT shop, status, count(*) AS orders, sum(json_extract(draft, '$.total_fen')) AS total_fen,"
            " sum(json_extract(draft, '$.paid_fen')) AS paid_fen FROM orders"
            " WHERE ? IN ('', shop) AND due <= ? AND created >= ? AND created <= ? GROUP BY shop, status",
            shop, now, start or 0, end or now,
        ):  # fmt: skip
            whole = found.setdefault(row["shop"], {"orders": 0, "total_fen": 0, "paid_fen": 0, "by_status": {}})
            for name in ("orders", "total_fen", "paid_fen"):
                whole[name] += row[name]
            whole["by_status"][row["status"]] = row["orders"]
        return found

    def is_empty(self) -> bool:
        """Whether no order was ever made."""
        return not self._rows("SELECT 1 FROM orders LIMIT 1")

    def add_write(self, platform: str, kind: str, key: str, at: int, body: Row) -> None:
        """Note what a platform was told: `kind` stock, shipment or memo; `key` the SKU or order, `at` unix seconds."""
        with self.transaction() as db:
            db.execute(
                "INSERT INTO writes (platform, kind, key, at, body) VALUES (?, ?, ?, ?, ?)",
                (platform, kind, key, at, json.dumps(body, ensure_ascii=False)),
            )

    def writes(
        self, platform: str = "", kind: str = "", key: str = "", limit: int = 1000, *, last: bool = False
    ) -> list[Row]:
        """Return what platforms were told, latest first, with `last` only the last word on each key; empty arguments
        match everything."""
        found = self._rows(
            "SELECT * FROM writes WHERE ? IN ('', platform) AND ? IN ('', kind) AND ? IN ('', key)"
            " AND (NOT ? OR id IN (SELECT max(id) FROM writes GROUP BY platform, kind, key)) ORDER BY id DESC LIMIT ?",
            platform, kind, key, last, limit,
        )  # fmt: skip
        return [{**dict(row), "body": json.loads(row["body"])} for row in found]

    def fact(self, name: str, default: str = "") -> str:
        """Return one remembered text."""
        rows = self._rows("SELECT value FROM facts WHERE name = ?", name)
        return str(rows[0]["value"]) if rows else default

    def set_fact(self, name: str, value: str) -> None:
        """Remember one text."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def query(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return the rows of a query of the sandbox's own modules."""
        return self._rows(sql, *values)

    def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()


def unix(text: str) -> int:
    """Return an ISO time as unix seconds."""
    return int(datetime.fromisoformat(text).timestamp())


def _where(window: Window, statuses: tuple[str, ...]) -> tuple[str, tuple[object, ...]]:
    where = f"shop = ? AND {window.column} BETWEEN ? AND ? AND due <= ?"
    if statuses:
        where += f" AND status IN ({', '.join('?' * len(statuses))})"
    return where, (window.shop, window.start, window.end, window.now, *statuses)


def _columns(order: SandboxOrder) -> tuple[str, str, str, int, int, int, str, str]:
    draft = order.draft
    modified = unix(draft["modified_at"])
    marks = {
        "kinds": order.kinds,
        "urgent": order.urgent,
        "traps": order.traps,
        "cluster": order.cluster,
        "nth": order.nth,
    }
    text = json.dumps(draft, ensure_ascii=False, separators=(",", ":"))
    status = draft["channel_hold"] or draft["status"]
    created = unix(draft["created_at"])
    return draft["external_no"], order.shop, status, modified, created, modified, text, json.dumps(marks)


def _order(row: sqlite3.Row) -> SandboxOrder:
    return SandboxOrder(shop=row["shop"], draft=json.loads(row["draft"]), **json.loads(row["marks"]))
