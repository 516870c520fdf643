"""Stock: reservations that never promise a piece twice, and counts that come from warehouses.

A batch reads the levels without locking, allocates in memory, and books everything in one guarded statement at the end
of its transaction: hot SKUs are locked for the shortest time, and in key order. When another batch was faster the
guard refuses, the batch is rolled back and done again on fresh figures, at last alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from msgspec import Struct

from orderhub.core.draft import LineDraft
from orderhub.core.errors import FieldError
from orderhub.core.words import Refund
from orderhub.services.bulk import records


class StockMovedError(Exception):
    """Another batch took what this one had counted on; the batch is repeated."""


class Allocation(Struct, frozen=True):
    """What one line gets: `reserved` pieces from `warehouse`, `short` pieces from nowhere."""

    warehouse: str = ""
    reserved: int = 0
    short: int = 0


NOTHING = Allocation()
TAKES_NONE = frozenset({Refund.DONE, Refund.AGREED})
"""Lines under these take no pieces."""


@dataclass(slots=True)
class Shelf:
    """What is available of the SKUs of a batch, counted down as lines are served."""

    levels: dict[str, list[list[Any]]]
    """By SKU: [level id, warehouse code, available pieces], ordered by level id."""
    taken: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def give_back(self, sku: str, warehouse: str, pieces: int) -> None:
        """Count a former reservation of this batch's orders as available again."""
        for level in self.levels.get(sku, ()):
            if level[1] == warehouse:
                level[2] += pieces
                self.taken[level[0]] -= pieces
                return

    def serve(self, line: LineDraft, preferred: str, houses: Sequence[str] = ()) -> Allocation:
        """Take one line's pieces: from the preferred warehouse, else from the fullest; a refunded line takes none.

        Where one of `houses` counts the SKU, no other serves it: their stock is what the shop sells. A SKU that no
        warehouse counts is neither reserved nor short: a missing figure is not a shortage.
        """
        levels = self.levels.get(line.sku)
        if not levels or line.refund in TAKES_NONE:
            return NOTHING
        if len(levels) > 1:
            levels = [level for level in levels if level[1] in houses] or levels
        level = levels[0] if len(levels) == 1 else self._choose(levels, line.quantity, preferred)
        return self._take(level, line.quantity)

    def serve_from(self, warehouse: str, line: LineDraft) -> Allocation:
        """Take one line's pieces from this warehouse, whatever others have; the line stays its own in any case."""
        level = next((level for level in self.levels.get(line.sku, ()) if level[1] == warehouse), None)
        if level is None or line.refund in TAKES_NONE:
            return Allocation(warehouse)
        return self._take(level, line.quantity)

    def _take(self, level: list[Any], quantity: int) -> Allocation:
        got = min(quantity, max(level[2], 0))
        if got:
            level[2] -= got
            self.taken[level[0]] += got
        return Allocation(level[1], got, quantity - got)

    @staticmethod
    def _choose(levels: list[list[Any]], quantity: int, preferred: str) -> list[Any]:
        for level in levels:
            if level[1] == preferred and level[2] >= quantity:
                return level
        return max(levels, key=lambda level: int(level[2]))


def enter(cursor: CursorWrapper, *, alone: bool) -> None:
    """Begin a batch that takes stock; one that lost several races over the last pieces asks to be `alone`.

    All batches hold this lock shared, so that they run side by side; alone means waiting for the running ones to end.
    The first lock of a transaction, it cannot be part of a deadlock; it ends with the transaction.
    """
    if alone:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('orderhub.stock'))")
    else:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtext('orderhub.stock'))")


def read_shelf(cursor: CursorWrapper, skus: Iterable[str]) -> Shelf:
    """Return the available pieces of `skus` as of now, without locking."""
    cursor.execute(
        "SELECT sku, id, warehouse, on_hand - reserved FROM orderhub_stocklevel WHERE sku = ANY(%s) ORDER BY id",
        [sorted(set(skus))],
    )
    levels: dict[str, list[list[Any]]] = defaultdict(list)
    for sku, level_id, warehouse, available in cursor.fetchall():
        levels[sku].append([level_id, warehouse, available])
    return Shelf(dict(levels))


def book(cursor: CursorWrapper, shelf: Shelf) -> None:
    """Book what the shelf gave out, in key order; raises StockMovedError when a level no longer covers it."""
    wanted = {level: pieces for level, pieces in shelf.taken.items() if pieces}
    if not wanted:
        return
    cursor.execute(
        """
        WITH wanted AS (SELECT * FROM json_to_recordset(%s::json) AS w(id bigint, pieces int)),
        locked AS MATERIALIZED (
            SELECT s.id FROM orderhub_stocklevel s JOIN wanted w USING (id) ORDER BY s.id FOR NO KEY UPDATE OF s)
        UPDATE orderhub_stocklevel s SET reserved = greatest(s.reserved + w.pieces, 0), updated_at = now()
        FROM wanted w JOIN locked l USING (id)
        WHERE s.id = w.id AND (w.pieces < 0 OR s.on_hand - s.reserved >= w.pieces)
        """,
        [records([{"id": level, "pieces": pieces} for level, pieces in sorted(wanted.items())])],
    )
    if cursor.rowcount != len(wanted):
        raise StockMovedError


def release(cursor: CursorWrapper, order_ids: Sequence[int]) -> None:
    """Give back everything that is reserved for these orders (cancelled, refunded)."""
    freed = [Moved(sku, house, 0, pieces) for sku, house, pieces in _free_lines(cursor, order_ids)]
    move(cursor, freed, cause="released", actor="")


def use_up(cursor: CursorWrapper, order_ids: Sequence[int], *, actor: str) -> None:
    """Turn the reservations of shipped orders into less stock on hand, with a ledger row per SKU and warehouse.

    What left is remembered by line, so that a hand-over told later takes nothing off twice.
    """
    cursor.execute(
        """
        INSERT INTO orderhub_parcelline AS p (shop_id, order_id, parcel_id, line_no, sku, warehouse, quantity)
        SELECT shop_id, order_id, NULL, line_no, sku, warehouse, reserved FROM orderhub_orderline
        WHERE order_id = ANY(%s) AND reserved > 0
        ON CONFLICT (order_id, parcel_id, line_no, sku, shop_id) DO UPDATE SET quantity = p.quantity + excluded.quantity
        """,
        [list(order_ids)],
    )
    left = [Moved(sku, house, pieces, pieces) for sku, house, pieces in _free_lines(cursor, order_ids)]
    move(cursor, left, cause="shipped", actor=actor)


@dataclass(slots=True, frozen=True)
class Moved:
    """Pieces of one level: `off` leave the stock on hand (negative: come back), `freed` are reserved no longer."""

    sku: str
    warehouse: str
    off: int
    freed: int


def move(cursor: CursorWrapper, moves: Sequence[Moved], *, cause: str, actor: str) -> None:
    """Book pieces out or in, in key order, with a ledger row where the stock on hand changed; a level that nobody
    counts is left alone."""
    rows = [
        {"sku": m.sku, "warehouse": m.warehouse, "off_hand": m.off, "freed": m.freed}
        for m in moves
        if m.off or m.freed
    ]  # fmt: skip
    if not rows:
        return
    cursor.execute(
        """
        WITH moved AS (
            SELECT sku, warehouse, sum(off_hand)::int AS off_hand, sum(freed)::int AS freed
            FROM json_to_recordset(%s::json) AS m(sku text, warehouse text, off_hand int, freed int)
            GROUP BY sku, warehouse),
        locked AS MATERIALIZED (
            SELECT s.id, m.off_hand, m.freed FROM orderhub_stocklevel s JOIN moved m USING (sku, warehouse)
            ORDER BY s.id FOR NO KEY UPDATE OF s),
        changed AS (
            UPDATE orderhub_stocklevel s SET reserved = greatest(s.reserved - l.freed, 0),
                on_hand = s.on_hand - l.off_hand, updated_at = now()
            FROM locked l WHERE s.id = l.id RETURNING s.sku, s.warehouse, l.off_hand, s.on_hand)
        INSERT INTO orderhub_stockchange (sku, warehouse, delta, on_hand, cause, actor, at)
        SELECT sku, warehouse, -off_hand, on_hand, %s, %s, now() FROM changed WHERE off_hand <> 0
        """,
        [records(rows), cause, actor],
    )


def _free_lines(cursor: CursorWrapper, order_ids: Sequence[int]) -> list[tuple[str, str, int]]:
    """Let the lines of orders reserve nothing any more, and return what they did: SKU, warehouse, pieces."""
    cursor.execute(
        """
        WITH lines AS (
            SELECT id, sku, warehouse, reserved FROM orderhub_orderline
            WHERE order_id = ANY(%s) AND reserved > 0 ORDER BY id FOR NO KEY UPDATE),
        emptied AS (
            UPDATE orderhub_orderline l SET reserved = 0 FROM lines WHERE l.id = lines.id)
        SELECT sku, warehouse, sum(reserved)::int FROM lines GROUP BY sku, warehouse
        """,
        [list(order_ids)],
    )
    return cast("list[tuple[str, str, int]]", cursor.fetchall())


def read_level(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one stock row `{"sku", "warehouse", "on_hand", "title", "list_price_fen"}` checked.

    Raises FieldError that names the field.
    """
    level: dict[str, Any] = {"title": str(row.get("title") or "")[:500], "list_price_fen": row.get("list_price_fen")}
    for name, limit in (("sku", 100), ("warehouse", 50)):
        value = row.get(name)
        if not isinstance(value, str) or not 0 < len(value.strip()) <= limit:
            raise FieldError(name, f"must be a text of 1 to {limit} characters")
        level[name] = value.strip()
    numbers: list[tuple[str, Any]] = [("on_hand", row.get("on_hand"))]
    if level["list_price_fen"] is not None:
        numbers.append(("list_price_fen", level["list_price_fen"]))
    for name, value in numbers:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
            raise FieldError(name, "must be a whole number from 0 to 2147483647")
        level[name] = value
    return level


@transaction.atomic
def import_levels(*, rows: Sequence[Mapping[str, Any]], actor: str) -> int:
    """Set the counted stock of `rows` (each as `read_level` returns it) and return how many levels changed.

    A count below what is reserved is kept: the level then shows as oversold. Each change has a ledger row.
    """
    unique = {(row["sku"], row["warehouse"]): dict(row) for row in rows}
    document = records([unique[key] for key in sorted(unique)])
    shape = "r(sku text, warehouse text, on_hand int, title text, list_price_fen bigint)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO orderhub_sku (code, title, list_price_fen)
            SELECT DISTINCT ON (sku) sku, title, list_price_fen FROM json_to_recordset(%s::json) AS {shape} ORDER BY sku
            ON CONFLICT (code) DO UPDATE SET
                title = CASE WHEN excluded.title = '' THEN orderhub_sku.title ELSE excluded.title END,
                list_price_fen = coalesce(excluded.list_price_fen, orderhub_sku.list_price_fen)
            WHERE (orderhub_sku.title, orderhub_sku.list_price_fen)
                IS DISTINCT FROM (excluded.title, coalesce(excluded.list_price_fen, orderhub_sku.list_price_fen))
            """,  # noqa: S608  (a constant shape)
            [document],
        )
        # A statement of its own: within the one that writes, rows would be written before others are locked.
        cursor.execute(
            f"""
            SELECT FROM orderhub_stocklevel s JOIN json_to_recordset(%s::json) AS {shape} USING (sku, warehouse)
            ORDER BY s.id FOR NO KEY UPDATE OF s
            """,
            [document],
        )
        cursor.execute(
            f"""
            WITH rows AS (SELECT * FROM json_to_recordset(%s::json) AS {shape}),
            old AS (
                SELECT s.sku, s.warehouse, s.on_hand FROM orderhub_stocklevel s JOIN rows USING (sku, warehouse)),
            written AS (
                INSERT INTO orderhub_stocklevel (sku, warehouse, on_hand, reserved, updated_at)
                SELECT sku, warehouse, on_hand, 0, now() FROM rows ORDER BY sku, warehouse
                ON CONFLICT (sku, warehouse) DO UPDATE SET on_hand = excluded.on_hand, updated_at = now()
                WHERE orderhub_stocklevel.on_hand <> excluded.on_hand
                RETURNING sku, warehouse, on_hand)
            INSERT INTO orderhub_stockchange (sku, warehouse, delta, on_hand, cause, actor, at)
            SELECT w.sku, w.warehouse, w.on_hand - coalesce(old.on_hand, 0), w.on_hand, 'count', %s, now()
            FROM written w LEFT JOIN old USING (sku, warehouse)
            """,  # noqa: S608
            [document, actor],
        )
        return int(cursor.rowcount)
