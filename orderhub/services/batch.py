"""One batch on its way into the pool: what is new, what changed, what is old news."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from orderhub.core.draft import OrderDraft
from orderhub.core.results import Outcome, RowResult
from orderhub.core.status_graph import place_of
from orderhub.core.words import Status
from orderhub.models import Order, Shop
from orderhub.services.bulk import OF_SHOP, WANTED, listed, records, stamp, take_ids
from orderhub.services.stock import NOTHING, Allocation

_encode = msgspec.json.Encoder().encode


class DraftRow(msgspec.Struct, frozen=True):
    """One readable row of a delivery: its place and its draft.

    `told` is what the source said where own SKUs were put into the draft since: a repeat is known by it, whatever the
    SKUs of a channel item are by then.
    """

    row: int
    draft: OrderDraft
    told: OrderDraft | None = None


@dataclass(slots=True)
class Known:
    """What the pool already holds of an order that comes again."""

    order_id: int
    status: str
    lane: str
    is_urgent: bool
    modified_at: datetime
    content_hash: int
    buyer_id: int | None
    channel_claim: str
    warehouse_claim: str
    carrier_claim: str
    triaged_at: datetime | None
    rule_set_id: int | None
    under_refund: str
    refund_at: datetime | None
    left_at: datetime | None
    inbox_id: int | None
    """The delivery that told the present version."""
    channel_hold: str = ""
    """This and what follows are read with the lock only: of an order that says nothing new nobody asks for them."""
    buyer_remark: str = ""
    seller_remark: str = ""
    flag: str = ""
    ship_by_source: str = ""
    worst_lane: str = ""
    held_since: datetime | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def place(self) -> Status:
        """Where the order is, whether or not an open refund covers that."""
        return place_of(self.status, self.under_refund)


class Incoming(msgspec.Struct):
    """One order of the batch that will be written."""

    row: int
    draft: OrderDraft
    content_hash: int
    order_id: int = 0
    buyer_id: int | None = None
    known: Known | None = None
    claim: str = ""
    """What the channel claims, by the words of the one status."""
    ship_by: datetime | None = None
    ship_by_source: str = ""
    allocations: Sequence[Allocation] = ()
    status: str = ""
    under_refund: str = ""
    lane: str = ""
    is_urgent: bool = False
    findings: Sequence[str] = ()
    needs_answer: bool = False
    """A reason of the lane "to confirm" is the buyer's to clear, not only our own supply."""
    reasons: Sequence[str] = ()
    """Those of the findings that hold the order in its lane: no marks, no shadows."""
    unpriced: Sequence[str] = ()
    """The articles that no price could be held against."""
    rule_set_id: int | None = None
    triaged: bool = False
    held_since: datetime | None = None
    """Since when an order that stays held is; None where its clock starts with this batch."""
    changes: Sequence[str] = ()
    """What the channel changed since the version that is known, by the words of `Change`."""

    @property
    def is_short(self) -> bool:
        """True when a line could not be reserved in full."""
        return any(allocation.short for allocation in self.allocations)

    @property
    def place(self) -> Status:
        """Where the order will be, whether or not an open refund covers that."""
        return place_of(self.status, self.under_refund)

    @property
    def short_skus(self) -> tuple[str, ...]:
        """The SKUs of lines that could not be reserved in full."""
        return tuple(
            line.sku for line, got in zip(self.draft.lines, self.allocations or [NOTHING], strict=False) if got.short
        )


@dataclass
class Batch:
    """A sorted batch of one shop; every order stands once, in key order."""

    shop: Shop
    source: str
    actor: str
    now: datetime
    inbox_id: int | None
    is_again: bool = False
    """The known orders come out of the pool: what their drafts say is not always the channel's word."""
    lasting_tokens: bool = True
    """The channel's token of a receiver stays the same while the receiver does."""
    new: list[Incoming] = field(default_factory=list)
    changed: list[Incoming] = field(default_factory=list)
    results: list[RowResult] = field(default_factory=list)

    @cached_property
    def stamped(self) -> str:
        """The moment of the batch as text for COPY."""
        return stamp(self.now) or ""

    @property
    def all(self) -> list[Incoming]:
        """Everything that will be written."""
        return self.new + self.changed


def content_hash(draft: OrderDraft) -> int:
    """Return a signed 64-bit fingerprint of everything a draft says."""
    return int.from_bytes(blake2b(_encode(draft), digest_size=8).digest(), "big", signed=True)


def sort_out(
    cursor: CursorWrapper, *, shop: Shop, rows: Iterable[DraftRow], source: str, actor: str, now: datetime,
    inbox_id: int | None, again: bool = False,
) -> Batch:  # fmt: skip
    """Compare the rows with the pool: unchanged and stale ones are told, the others are prepared for writing.

    Of an order that stands twice in the delivery the later `modified_at` counts. Known orders that change are locked
    in key order, so that batches over the same orders wait for each other instead of deadlocking. `again` takes known
    orders as changed although they say nothing new, to judge them again: read under their lock (`PoolDoor`), since
    content and version cannot tell whether they were overtaken.
    """
    batch = Batch(shop, source, actor, now, inbox_id, is_again=again)
    latest = _latest(batch, rows)
    unlocked = _known(cursor, shop, latest)
    changing = [entry.order_id for no, entry in unlocked.items() if again or _differs(batch, latest[no], entry)]
    locked = _locked(cursor, shop, changing)
    for number in sorted(latest):
        incoming = latest[number]
        known = locked.get(number) or unlocked.get(number)
        if again and known is not None:
            incoming.content_hash = known.content_hash
        outcome = _outcome(batch, incoming, known)
        batch.results.append(RowResult(incoming.row, number, outcome))
        if outcome is Outcome.NEW:
            batch.new.append(incoming)
        elif outcome is Outcome.CHANGED and known is not None:
            incoming.known, incoming.order_id, incoming.buyer_id = known, known.order_id, known.buyer_id
            batch.changed.append(incoming)
    for incoming, order_id in zip(batch.new, take_ids(cursor, Order, len(batch.new)), strict=True):
        incoming.order_id = order_id
    return batch


def meet_buyers(shop: Shop, rows: Iterable[DraftRow]) -> dict[str, int]:
    """Return the key of every buyer of the rows by the platform's own id; new ones are inserted.

    Called before the batch's transaction, so that they are committed at once: two batches that meet the same new
    buyer would otherwise wait for each other to the end. A buyer whose batch then fails does no harm. Losing the
    commit in a crash loses nothing: the order's own commit comes after it and writes both to the disk.
    """
    wanted = {row.draft.buyer.id: row.draft.buyer.nickname for row in rows if row.draft.buyer.id}
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        ids = _buyer_ids(cursor, shop.pk, wanted)
        missing = [{"external_id": key, "nickname": wanted[key]} for key in sorted(wanted.keys() - ids.keys())]
        if missing:
            ids.update(_insert_buyers(cursor, shop.pk, missing))
        late = [row["external_id"] for row in missing if row["external_id"] not in ids]
        if late:
            ids.update(_buyer_ids(cursor, shop.pk, late))
    return ids


def give_buyers(batch: Batch, buyers: dict[str, int]) -> None:
    """Give every order of the batch its buyer; one that nobody met before the transaction is met in it."""
    strangers = [DraftRow(inc.row, inc.draft) for inc in batch.all if inc.draft.buyer.id not in buyers]
    known = buyers | meet_buyers(batch.shop, strangers)
    for incoming in batch.all:
        incoming.buyer_id = known.get(incoming.draft.buyer.id) or incoming.buyer_id


def _insert_buyers(cursor: CursorWrapper, shop_id: int, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    is_alone = not connection.in_atomic_block
    with transaction.atomic():
        if is_alone:
            cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(
            """
            INSERT INTO orderhub_buyer (shop_id, external_id, nickname, first_seen_at)
            SELECT %s, external_id, nickname, now()
            FROM json_to_recordset(%s::json) AS r(external_id text, nickname text)
            ON CONFLICT (shop_id, external_id) DO NOTHING RETURNING external_id, id
            """,
            [shop_id, records(rows)],
        )
        return dict(cursor.fetchall())


def _latest(batch: Batch, rows: Iterable[DraftRow]) -> dict[str, Incoming]:
    latest: dict[str, Incoming] = {}
    for item in rows:
        number = item.draft.external_no
        rival = latest.get(number)
        if rival is None:
            latest[number] = Incoming(item.row, item.draft, content_hash(item.told or item.draft))
            continue
        loser = item.row
        if item.draft.modified_at >= rival.draft.modified_at:
            loser = rival.row
            latest[number] = Incoming(item.row, item.draft, content_hash(item.told or item.draft))
        batch.results.append(RowResult(loser, number, Outcome.STALE))
    return latest


def _differs(batch: Batch, incoming: Incoming, known: Known) -> bool:
    return incoming.content_hash != known.content_hash and not _is_overtaken(batch, incoming, known)


def _is_overtaken(batch: Batch, incoming: Incoming, known: Known) -> bool:
    """Tell whether the pool has a later version. Of two of the same time the delivery that came later counts: one that
    could not be taken in at first is tried again behind what came since, and Douyin moves no time for a refund. But
    "unpaid" is never later than "paid" of the same time: WeChat's answers lag behind its lists now and then."""
    if incoming.draft.modified_at != known.modified_at:
        return incoming.draft.modified_at < known.modified_at
    if incoming.draft.status == Status.UNPAID and known.channel_claim not in {"", Status.UNPAID}:
        return True
    return bool(batch.inbox_id and known.inbox_id and batch.inbox_id < known.inbox_id)


def _outcome(batch: Batch, incoming: Incoming, known: Known | None) -> Outcome:
    if known is None:
        return Outcome.NEW
    if incoming.content_hash == known.content_hash and not batch.is_again:
        return Outcome.UNCHANGED
    return Outcome.STALE if _is_overtaken(batch, incoming, known) else Outcome.CHANGED


_KNOWN_COLUMNS = """
    SELECT external_no, id, status, lane, is_urgent, modified_at, content_hash, buyer_id,
           channel_claim, warehouse_claim, carrier_claim, triaged_at, rule_set_id, under_refund, refund_at,
           left_at, inbox_id
"""
_FROM = "FROM orderhub_order"
_MORE_COLUMNS = ", channel_hold, buyer_remark, seller_remark, flag, ship_by_source, worst_lane, held_since"
KNOWN = f"""
    SELECT o.* FROM {WANTED}
    CROSS JOIN LATERAL ({_KNOWN_COLUMNS} {_FROM} WHERE {OF_SHOP} AND external_no = wanted.key LIMIT 1) AS o
"""  # noqa: S608  (constants)
_KNOWN_LOCKED = f"{_KNOWN_COLUMNS}{_MORE_COLUMNS} {_FROM} WHERE id = ANY(%s) ORDER BY external_no FOR NO KEY UPDATE"


def _known(cursor: CursorWrapper, shop: Shop, numbers: Iterable[str]) -> dict[str, Known]:
    cursor.execute(KNOWN, [listed(numbers), shop.pk])
    return {number: Known(*rest) for number, *rest in cursor.fetchall()}


def _locked(cursor: CursorWrapper, shop: Shop, order_ids: list[int]) -> dict[str, Known]:
    """Lock known orders and return them with their lines, as they are now."""
    if not order_ids:
        return {}
    cursor.execute(_KNOWN_LOCKED, [order_ids])
    known = {number: Known(*rest) for number, *rest in cursor.fetchall()}
    by_id = {entry.order_id: entry for entry in known.values()}
    cursor.execute(
        """
        SELECT order_id, line_no, sku, title, quantity, unit_price_fen, paid_fen, refund, reserved, short, warehouse
        FROM orderhub_orderline WHERE shop_id = %s AND order_id = ANY(%s) ORDER BY id
        """,
        [shop.pk, list(by_id)],
    )
    names = [column.name for column in cursor.description]
    for row in cursor.fetchall():
        by_id[row[0]].lines.append(dict(zip(names, row, strict=True)))
    return known


BUYER_IDS = f"""
    SELECT b.external_id, b.id FROM {WANTED} CROSS JOIN LATERAL (
        SELECT external_id, id FROM orderhub_buyer WHERE {OF_SHOP} AND external_id = wanted.key LIMIT 1) AS b
"""  # noqa: S608  (a constant)


def _buyer_ids(cursor: CursorWrapper, shop_id: int, external_ids: Iterable[str]) -> dict[str, int]:
    cursor.execute(BUYER_IDS, [listed(external_ids), shop_id])
    return dict(cursor.fetchall())
