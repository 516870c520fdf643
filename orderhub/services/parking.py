"""Orders that wait before the intake gate: putting them there, keeping their newest version, letting them in.

A waiting order is kept as its delivery told it. It is read again when it enters, so that whatever was set right
meanwhile (the mapping of items, a reader) counts.

An order that triage has judged once is inside: its changes, a cancellation or a new address, must not wait while the
order itself goes on to the warehouse. So the gate keeps back new orders and those that were never judged.

The pieces that a waiting order will reserve stand beside it (`ParkedLine`), from the transaction that parks it to the
one that reserves them: they are sold, and no channel may sell them once more.

Locks are taken in this order: the lock of all batches, the gates (drains only), waiting orders by number, orders.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from orderhub.core.draft import OrderDraft
from orderhub.core.results import Outcome, RowResult
from orderhub.core.words import RejectState
from orderhub.models import Reject, ShipRule, Shop
from orderhub.models.inbox import pack, unpack
from orderhub.services import gate, pool
from orderhub.services.allocation import pieces_wanted
from orderhub.services.batch import Batch, DraftRow, Incoming
from orderhub.services.bulk import OF_SHOP, WANTED, listed, records
from orderhub.services.deadlines import deadline_of, rules_for

MOST_PIECES = 2**31 - 1


class ToldRow(Protocol):
    """A row as its delivery told it."""

    reader: str

    @property
    def raw(self) -> bytes:
        """The row as bytes that the reader reads again."""


class Door(Protocol):
    """What stands between the rows of a batch and the pool, inside the transaction of the batch."""

    def before(self, cursor: CursorWrapper, rows: Sequence[DraftRow]) -> Sequence[DraftRow]:
        """Return the rows that are to be compared with the pool."""

    def after(self, cursor: CursorWrapper, batch: Batch) -> None:
        """Take out of the sorted batch what must not enter."""

    def close(self, cursor: CursorWrapper) -> None:
        """Finish, after the batch was written."""


@dataclass(slots=True, frozen=True)
class Held:
    """One waiting order that is locked, its version and the delivery that told it."""

    pk: int
    modified_at: datetime
    inbox_id: int | None


@dataclass(slots=True)
class FrontDoor:
    """The gate before rows that just came: while it is not open, they are parked. `told` is by row number."""

    shop: Shop
    source: str
    inbox_id: int | None
    told: Mapping[int, ToldRow]
    _is_shut: bool = False
    _waiting: dict[str, Held] = field(default_factory=dict)
    _overtaken: list[DraftRow] = field(default_factory=list)

    def before(self, cursor: CursorWrapper, rows: Sequence[DraftRow]) -> Sequence[DraftRow]:
        """Ask the gate, and leave out rows of which a newer version is waiting."""
        self._is_shut, some_may_wait = gate.is_shut(cursor, self.shop.pk)
        self._overtaken = []
        self._waiting = _lock(cursor, self.shop.pk, rows) if some_may_wait and rows else {}
        if not self._waiting:
            return rows
        going_on: list[DraftRow] = []
        for row in rows:
            newest = self._waiting.get(row.draft.external_no)
            (self._overtaken if newest and self._is_newer(newest, row) else going_on).append(row)
        gone_on = {row.draft.external_no for row in going_on}
        self._waiting = {number: held for number, held in self._waiting.items() if number in gone_on}
        return going_on

    def after(self, cursor: CursorWrapper, batch: Batch) -> None:
        """Park what must wait; drop waiting versions that are overtaken by what goes on."""
        batch.results += [RowResult(row.row, row.draft.external_no, Outcome.STALE) for row in self._overtaken]
        held = self._take_out(batch) if self._is_shut else []
        if held:
            self._park(cursor, batch, held)
        gone = self._waiting.keys() - {incoming.draft.external_no for incoming in held}
        if gone:
            _take_away(cursor, [self._waiting[number].pk for number in gone])

    def close(self, cursor: CursorWrapper) -> None:
        """Nothing is left to do."""

    def _is_newer(self, held: Held, row: DraftRow) -> bool:
        """Tell whether the waiting version came later than a row, of two of one time by their deliveries."""
        if held.modified_at != row.draft.modified_at:
            return held.modified_at > row.draft.modified_at
        return bool(held.inbox_id and self.inbox_id and held.inbox_id > self.inbox_id)

    @staticmethod
    def _take_out(batch: Batch) -> list[Incoming]:
        inside = [incoming for incoming in batch.changed if incoming.known and incoming.known.lane]
        rows = {incoming.row for incoming in inside}
        held = [incoming for incoming in batch.all if incoming.row not in rows]
        batch.new, batch.changed = [], inside
        return held

    def _park(self, cursor: CursorWrapper, batch: Batch, held: Sequence[Incoming]) -> None:
        rules = rules_for(self.shop)
        rows = [self._record(incoming, rules) for incoming in held]
        kept = _park(cursor, self.shop.pk, sorted(rows, key=lambda row: str(row["external_no"])))
        _count(cursor, self.shop.pk, {pk: inc for inc in held if (pk := kept.get(inc.draft.external_no))})
        outcomes = {
            inc.row: Outcome.HELD if inc.draft.external_no in kept else Outcome.STALE for inc in held
        }  # fmt: skip
        batch.results = [
            RowResult(told.row, told.external_no, outcomes.get(told.row, told.outcome), told.field, told.reason)
            for told in batch.results
        ]

    def _record(self, incoming: Incoming, rules: Sequence[ShipRule]) -> dict[str, Any]:
        told = self.told[incoming.row]
        return {
            "external_no": incoming.draft.external_no,
            "modified_at": incoming.draft.modified_at,
            "ship_by": deadline(incoming.draft, self.shop, rules),
            "packed_row": b64encode(pack(told.raw)).decode(),
            "reader": told.reader,
            "source": self.source,
            "inbox_id": self.inbox_id,
            "row": incoming.row,
        }


@dataclass(slots=True, frozen=True)
class Waiting:
    """One waiting order as it was chosen to enter; `version` tells whether it is still the same one."""

    pk: int
    version: str
    shop_id: int
    external_no: str
    packed_row: bytes
    reader: str
    inbox_id: int | None
    row: int

    @property
    def raw(self) -> bytes:
        """The row as it came. Raises UnreadableError without its data key."""
        return unpack(self.packed_row)


@dataclass(slots=True)
class BackDoor:
    """The gate before orders that waited, each standing at its row number in `queue`: as many as the pace allows enter,
    and leave the queue in the transaction that takes them in."""

    shop: Shop
    queue: Sequence[Waiting]
    _entered: list[int] = field(default_factory=list)
    _costs: Mapping[int, float] = field(default_factory=dict)

    def before(self, cursor: CursorWrapper, rows: Sequence[DraftRow]) -> Sequence[DraftRow]:
        """Let as many rows on as the gate allows now, without those that another worker has in hand or that changed
        since they were chosen."""
        allowed, self._costs = gate.admit(cursor, self.shop.pk)
        let_on = rows[:allowed]
        mine = _still_there(cursor, [self.queue[row.row] for row in let_on])
        self._entered = sorted(mine)
        return [row for row in let_on if self.queue[row.row].pk in mine]

    def after(self, cursor: CursorWrapper, batch: Batch) -> None:
        """Keep the batch: what is older than what the pool knows was told as such."""

    def close(self, cursor: CursorWrapper) -> None:
        """Take what entered out of the queue; the orders name the delivery that told of them, not this drain."""
        if not self._entered:
            return
        cursor.execute(
            """
            UPDATE orderhub_order o SET inbox_id = p.inbox_id FROM orderhub_parkedorder p
            WHERE p.id = ANY(%s) AND o.shop_id = p.shop_id AND o.external_no = p.external_no
                AND o.modified_at = p.modified_at AND o.inbox_id IS DISTINCT FROM p.inbox_id
            """,
            [self._entered],
        )
        _take_away(cursor, self._entered)
        gate.charge(cursor, self._costs, len(self._entered))


def deadline(draft: OrderDraft, shop: Shop, rules: Sequence[ShipRule]) -> datetime:
    """Return by what an order is let in: its ship deadline, before payment the one it would have."""
    return deadline_of(draft, shop, rules)[0] or draft.created_at + timedelta(hours=shop.ship_hours)


def next_in_line(limit: int) -> list[list[Waiting]]:
    """Return the up to `limit` waiting orders that may enter next, ship deadline first, by shop; the shop with the
    earliest deadline first. Nothing is locked; `BackDoor` decides."""
    shares = gate.shares(limit)
    if not shares.by_shop:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH line AS (
                SELECT p.id, p.ship_by FROM json_to_recordset(%s::json) AS s(shop_id bigint, most int)
                CROSS JOIN LATERAL (
                    SELECT id, ship_by FROM orderhub_parkedorder WHERE shop_id = s.shop_id ORDER BY ship_by, id
                    LIMIT s.most) AS p
                ORDER BY p.ship_by, p.id LIMIT %s)
            SELECT id, p.xmin::text, shop_id, external_no, packed_row, reader, inbox_id, row
            FROM orderhub_parkedorder p JOIN line USING (id) ORDER BY line.ship_by, id
            """,
            [records([{"shop_id": pk, "most": most} for pk, most in shares.by_shop.items()]), shares.for_all],
        )
        by_shop: dict[int, list[Waiting]] = defaultdict(list)
        for found in cursor.fetchall():
            waiting = Waiting(*found)
            by_shop[waiting.shop_id].append(waiting)
    return list(by_shop.values())


@transaction.atomic
def refuse(*, shop: Shop, refused: Iterable[tuple[Waiting, str, str]]) -> int:
    """Make rejects of waiting orders that cannot enter, each with field and reason, and return how many; those that
    another worker has in hand or that changed since are left."""
    told = {waiting.pk: (waiting, path, reason) for waiting, path, reason in refused}
    with connection.cursor() as cursor:
        mine = _still_there(cursor, [waiting for waiting, _path, _reason in told.values()])
        Reject.objects.bulk_create(
            [_reject(shop, *told[pk]) for pk in sorted(mine)],
            update_conflicts=True,
            unique_fields=["shop", "inbox_id", "row"],
            # The same row may have been refused before and tried again: it is open once more.
            update_fields=["field_path", "reason", "packed_row", "reader", "state", "closed_at", "closed_by"],
        )
        _take_away(cursor, sorted(mine))
    return len(mine)


def _reject(shop: Shop, waiting: Waiting, path: str, reason: str) -> Reject:
    return Reject(
        shop=shop, inbox_id=waiting.inbox_id, row=waiting.row, external_no=waiting.external_no, field_path=path[:200],
        reason=reason, packed_row=waiting.packed_row, reader=waiting.reader, state=RejectState.OPEN,
    )  # fmt: skip


def _lock(cursor: CursorWrapper, shop_id: int, rows: Iterable[DraftRow]) -> dict[str, Held]:
    cursor.execute(
        f"""
        SELECT p.id FROM {WANTED} CROSS JOIN LATERAL (
            SELECT id FROM orderhub_parkedorder WHERE {OF_SHOP} AND external_no = wanted.key LIMIT 1) AS p
        """,  # noqa: S608  (a constant)
        [listed({row.draft.external_no for row in rows}), shop_id],
    )
    waiting = [key for (key,) in cursor.fetchall()]
    if not waiting:
        return {}
    cursor.execute(
        """
        SELECT external_no, id, modified_at, inbox_id FROM orderhub_parkedorder WHERE id = ANY(%s)
        ORDER BY external_no FOR UPDATE
        """,
        [waiting],
    )
    return {number: Held(*version) for number, *version in cursor.fetchall()}


def _still_there(cursor: CursorWrapper, chosen: Sequence[Waiting]) -> set[int]:
    cursor.execute(
        """
        SELECT p.id FROM orderhub_parkedorder p
        JOIN json_to_recordset(%s::json) AS c(id bigint, version text) ON c.id = p.id AND c.version = p.xmin::text
        ORDER BY p.external_no FOR UPDATE OF p SKIP LOCKED
        """,
        [records([{"id": waiting.pk, "version": waiting.version} for waiting in chosen])],
    )
    return {row[0] for row in cursor.fetchall()}


def _park(cursor: CursorWrapper, shop_id: int, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Keep each row unless a newer version of it waits, of two of one time that which was delivered later, and return
    the key of each that was kept by its number. An order that waits already keeps the moment since when it does."""
    cursor.execute(
        """
        INSERT INTO orderhub_parkedorder
            (shop_id, external_no, modified_at, ship_by, packed_row, reader, source, inbox_id, row)
        SELECT %s, external_no, modified_at, ship_by, decode(packed_row, 'base64'), reader, source, inbox_id, row
        FROM json_to_recordset(%s::json) AS r(external_no text, modified_at timestamptz, ship_by timestamptz,
            packed_row text, reader text, source text, inbox_id bigint, row int)
        ON CONFLICT (shop_id, external_no) DO UPDATE SET modified_at = excluded.modified_at,
            ship_by = excluded.ship_by, packed_row = excluded.packed_row, reader = excluded.reader,
            source = excluded.source, inbox_id = excluded.inbox_id, row = excluded.row
        WHERE (orderhub_parkedorder.modified_at, coalesce(orderhub_parkedorder.inbox_id, 0))
            <= (excluded.modified_at, coalesce(excluded.inbox_id, orderhub_parkedorder.inbox_id, 0))
        RETURNING external_no, id
        """,
        [shop_id, records(list(rows))],
    )
    return dict(cursor.fetchall())


def _count(cursor: CursorWrapper, shop_id: int, kept: Mapping[int, Incoming]) -> None:
    """Note the pieces that orders just parked, by their keys, will reserve; those of their former versions no more."""
    rows = [
        {"parked_id": pk, "sku": sku, "quantity": min(pieces, MOST_PIECES)}
        for pk, incoming in kept.items()
        for sku, pieces in _pieces(incoming).items()
    ]
    cursor.execute(
        """
        INSERT INTO orderhub_parkedline AS l (shop_id, parked_id, sku, quantity)
        SELECT %s, parked_id, sku, coalesce(r.quantity, 0)
        FROM json_to_recordset(%s::json) AS r(parked_id bigint, sku text, quantity int)
        FULL JOIN (SELECT parked_id, sku FROM orderhub_parkedline WHERE parked_id = ANY(%s)) AS former
            USING (parked_id, sku)
        ON CONFLICT (parked_id, sku, shop_id) DO UPDATE SET quantity = excluded.quantity, at = now()
        WHERE l.quantity <> excluded.quantity
        """,
        [shop_id, records(rows), list(kept)],
    )


def _pieces(incoming: Incoming) -> dict[str, int]:
    pool.settle_claim(incoming)
    return pieces_wanted(incoming)


def _take_away(cursor: CursorWrapper, waiting: Sequence[int]) -> None:
    """Delete waiting orders that the caller holds locked, with their pieces."""
    cursor.execute(
        """
        WITH lines AS (DELETE FROM orderhub_parkedline WHERE parked_id = ANY(%s))
        DELETE FROM orderhub_parkedorder WHERE id = ANY(%s)
        """,
        [list(waiting), list(waiting)],
    )
