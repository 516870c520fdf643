"""The path of an order, step by step. Read this file first.

    delivery  raw bytes are stored before anything else (`orderhub.services.inbox`)
    read      the connector's reader makes drafts of them; what cannot be read becomes a reject with its reason
    map       the channel's items become own SKUs, bundles the lines of their parts; unknown items are noted
    gate      while it is not open, new orders are parked before the pool; `backlog` lets them in later
    pool      new, changed, unchanged or stale, by (shop, order number); older versions never overwrite
    stock     each line gets its pieces or is short
    triage    facts, findings, lane, urgent
    write     everything in one transaction: orders, lines, receivers, findings, timeline, effects, reservations, cursor
    effects   sent by the outbox after the commit

A batch that the database refuses is halved until the bad row stands alone; the good rows go in.

What starts an order on its path stands beside this file: `pulls` brings pages of the channels, `deliveries` reads what
is stored, `reruns` tries a refused row again, `backlog` lets waiting orders in. What sends an order along it once more:
`rejudging` when rules or stock changed, `remapping` when the mapping did.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import uniform

from django.conf import settings
from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from channels_sync.connectors.base import has_lasting_tokens
from channels_sync.readers import ReadRow
from channels_sync.services.listings import map_drafts
from orderhub.core.effects import shared_kinds
from orderhub.core.errors import TemporaryError
from orderhub.core.results import IntakeResult, Outcome, RowResult
from orderhub.core.words import EffectKind
from orderhub.models import Shop
from orderhub.services import deadlines, outbox, pool, rejects, stock
from orderhub.services.allocation import allocate, used_up
from orderhub.services.batch import Batch, DraftRow, give_buyers, meet_buyers, sort_out
from orderhub.services.bulk import Table, copy_tables
from orderhub.services.outbox import Drained
from orderhub.services.parking import Door, FrontDoor
from orderhub.services.paths import (
    LANE_KINDS,
    changes_after_push,
    effects_of,
    held_before,
    keep_clocks,
    refused_pushes,
    settled_refunds,
)
from triage.decisions import Candidate, Decision
from triage.services import hear, new_findings, note_after_push, replace_findings

WithCursor = Callable[[CursorWrapper], None]
ALONE_FROM = 2
TRIES = 6
"""How often a batch is repeated when another one was faster: each time at least one of them got through."""


@dataclass(slots=True, frozen=True)
class Intake:
    """How rows come in: to which shop, by what, in whose name, of which delivery, through which door."""

    shop: Shop
    source: str
    actor: str
    door: Door
    inbox_id: int | None = None
    is_again: bool = False
    """Known orders are judged once more although they say nothing new."""


def take_in(
    *,
    shop: Shop,
    rows: Sequence[ReadRow],
    source: str,
    actor: str,
    inbox_id: int | None,
    at_commit: WithCursor | None = None,
    keep: bool = True,
) -> IntakeResult:
    """Take read rows into the pool in batches, one transaction each; `keep` stores refused rows as rejects.

    `at_commit` runs inside the transaction of the last batch (a channel's cursor moves there).
    """
    result = IntakeResult()
    rows = map_drafts(None, shop, rows)
    refused = [row for row in rows if row.draft is None]
    unread = [_unread(row) for row in refused]
    result.add(unread)
    if keep:
        rejects.keep(shop=shop, inbox_id=inbox_id, refused=zip(unread, refused, strict=True))
    good = [DraftRow(row.row, row.draft, row.told) for row in rows if row.draft is not None]
    raw = {row.row: row for row in rows if row.draft is not None}
    intake = Intake(shop, source, actor, FrontDoor(shop, source, inbox_id, raw), inbox_id)
    size = settings.HUB_BATCH_SIZE
    batches = [good[i : i + size] for i in range(0, len(good), size)] or [[]]
    for batch in batches:
        for part in take_rows(intake, batch, at_commit if batch is batches[-1] else None):
            result.add(part)
    if keep:
        late = [told for told in result.rows if told.outcome is Outcome.REJECTED and told.row in raw]
        rejects.keep(shop=shop, inbox_id=inbox_id, refused=[(told, raw[told.row]) for told in late])
    return result


def take_rows(
    intake: Intake, rows: Sequence[DraftRow], at_commit: WithCursor | None = None
) -> Iterator[list[RowResult]]:
    """Take one batch in; one that the database refuses is halved until the bad row stands alone.

    `at_commit` runs in the transaction of the last part.
    """
    try:
        yield take_batch(intake, rows, at_commit)
    except (DataError, IntegrityError) as error:
        if len(rows) <= 1:
            for row in rows:
                reason = str(error).splitlines()[0] if not isinstance(error, IntegrityError) else "refused by a rule"
                yield [RowResult(row.row, row.draft.external_no, Outcome.REJECTED, "", reason)]
            if at_commit:
                yield take_batch(intake, [], at_commit)
            return
        middle = len(rows) // 2
        yield from take_rows(intake, rows[:middle])
        yield from take_rows(intake, rows[middle:], at_commit)


def take_batch(intake: Intake, rows: Sequence[DraftRow], at_commit: WithCursor | None = None) -> list[RowResult]:
    """Take one batch in, repeating it while other batches over the same orders or stock are faster."""
    for attempt in range(TRIES):
        try:
            return _one_transaction(intake, rows, at_commit, alone=attempt >= ALONE_FROM)
        except (IntegrityError, OperationalError, stock.StockMovedError) as error:
            if not _may_repeat(error):
                raise
            if connection.in_atomic_block:
                raise TemporaryError("other batches kept changing the same orders or stock", retry_after=5) from error
            time.sleep(uniform(0, 0.02 * 2**attempt))  # noqa: S311  (jitter, not a secret)
    raise TemporaryError("other batches kept changing the same orders or stock", retry_after=5)


def _may_repeat(error: Exception) -> bool:
    """Races show as: stock gone meanwhile, an order inserted by another batch, a serialisation or deadlock error."""
    if isinstance(error, stock.StockMovedError):
        return True
    state = getattr(error.__cause__, "sqlstate", "") or ""
    names = str(error)
    raced = any(name in names for name in ("order_shop_external", "buyer_shop_external"))
    return (state == "23505" and raced) or state in {"40001", "40P01", "55P03"}


def _one_transaction(
    intake: Intake, rows: Sequence[DraftRow], at_commit: WithCursor | None, *, alone: bool
) -> list[RowResult]:
    shop, door = intake.shop, intake.door
    buyers = meet_buyers(shop, rows)
    with transaction.atomic(), connection.cursor() as cursor:
        stock.enter(cursor, alone=alone)
        rows = door.before(cursor, rows)
        batch = sort_out(
            cursor, shop=shop, rows=rows, source=intake.source, actor=intake.actor, now=datetime.now(UTC),
            inbox_id=intake.inbox_id, again=intake.is_again,
        )  # fmt: skip
        batch.lasting_tokens = has_lasting_tokens(shop.platform)
        door.after(cursor, batch)
        give_buyers(batch, buyers)
        if batch.all:
            _decide_and_write(cursor, batch)
        door.close(cursor)
        if at_commit:
            at_commit(cursor)
    return batch.results


def _decide_and_write(cursor: CursorWrapper, batch: Batch) -> None:
    for incoming in batch.all:
        pool.settle_claim(incoming)
    deadlines.settle(batch)
    shelf = allocate(cursor, batch)
    candidates = [
        Candidate(inc.order_id, batch.shop.pk, inc.draft, inc.buyer_id, inc.short_skus, inc.known is not None)
        for inc in batch.all
    ]
    decisions: list[Decision] = []
    judge = hear(candidates, now=batch.now)

    def decide() -> None:
        decisions.extend(judge())
        _apply(batch, decisions)

    if batch.new:
        _write_new(cursor, batch, candidates, decisions, decide)
    else:
        decide()
    if batch.changed:
        _write_changed(cursor, batch, candidates, decisions)
    stock.book(cursor, shelf)
    gone = used_up(batch)
    if gone:
        stock.use_up(cursor, gone, actor=batch.actor)


def _apply(batch: Batch, decisions: list[Decision]) -> None:
    for place, incoming in enumerate(batch.all):
        if not incoming.triaged and decisions[place].lane:
            # Judged by its channel's word although it is past judging: its reasons stay as they are, too.
            decisions[place] = Decision("", False, 0, (), decisions[place].rule_set_id)
        decision = decisions[place]
        incoming.findings = tuple(finding.code for finding in decision.findings)
        incoming.reasons = tuple(found.code for found in decision.findings if found.lane and not found.is_shadow)
        incoming.rule_set_id = decision.rule_set_id
        if incoming.triaged:
            incoming.lane, incoming.is_urgent = decision.lane, decision.is_urgent
            incoming.unpriced, incoming.needs_answer = decision.unpriced, decision.needs_answer
            pool.settle_status(incoming)
        elif incoming.known:
            # Not judged this time: what the last judgement said stays, and by which rules.
            known = incoming.known
            incoming.lane, incoming.is_urgent, incoming.rule_set_id = known.lane, known.is_urgent, known.rule_set_id


def _write_changed(
    cursor: CursorWrapper, batch: Batch, candidates: Sequence[Candidate], decisions: Sequence[Decision]
) -> None:
    keep_clocks(cursor, batch)
    pool.write_changed(cursor, batch)
    replace_findings(cursor, candidates, decisions)
    changes = {inc.order_id: names for inc in batch.changed if (names := changes_after_push(inc))}
    note_after_push(cursor, shop_id=batch.shop.pk, rule_set_id=decisions[0].rule_set_id, changes=changes)
    effects = [effect for inc in batch.changed for effect in effects_of(batch, inc)]
    outbox.add_effects(cursor, effects)
    outbox.drop_others(cursor, kinds=LANE_KINDS, order_ids=held_before(batch), wanted=effects)
    outbox.try_again(cursor, kind=EffectKind.WMS_PUSH, order_ids=refused_pushes(batch))
    outbox.try_again(cursor, kind=EffectKind.SHIPMENT, order_ids=settled_refunds(batch))


def _write_new(
    cursor: CursorWrapper, batch: Batch, candidates: Sequence[Candidate], decisions: list[Decision],
    decide: Callable[[], None],
) -> None:  # fmt: skip
    """COPY the new orders. Lines and receivers go first: the orders are judged while the server takes those in."""

    def orders() -> Iterator[Sequence[object]]:
        decide()
        yield from pool.order_rows(batch)

    effects = (effect for inc in batch.new for effect in effects_of(batch, inc))
    copy_tables(
        cursor, pool.line_rows(batch), pool.receiver_rows(batch), Table("orderhub_order", pool.ORDER_COLUMNS, orders()),
        pool.first_entries(batch), new_findings(candidates, decisions), outbox.new_effects(effects, now=batch.now),
    )  # fmt: skip


def drain_outbox(limit: int = 100) -> Drained:
    """Send up to `limit` due effects of each kind that has a handler and no lane of its own."""
    return outbox.drain(limit=limit, kinds=shared_kinds())


def _unread(row: ReadRow) -> RowResult:
    error = row.error
    return RowResult(
        row.row, row.external_no, Outcome.REJECTED, getattr(error, "path", ""), getattr(error, "reason", str(error))
    )
