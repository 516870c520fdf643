"""The path of an order, step by step. Read this file first.

    delivery  raw bytes are stored before anything else (`receive`)
    read      the connector's reader makes drafts of them; what cannot be read becomes a reject with its reason
    map       the channel's items become own SKUs, bundles the lines of their parts; unknown items are noted
    gate      while it is not open, new orders are parked before the pool; `backlog` lets them in later
    pool      new, changed, unchanged or stale, by (shop, order number); older versions never overwrite
    stock     each line gets its pieces or is short
    triage    facts, findings, lane, urgent
    write     everything in one transaction: orders, lines, receivers, findings, timeline, effects, reservations, cursor
    effects   sent by the outbox after the commit

A batch that the database refuses is halved until the bad row stands alone; the good rows go in.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from random import uniform

import orjson
import structlog
from django.conf import settings
from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from channels_sync import readers
from channels_sync.connectors.base import connectors
from channels_sync.readers import ReadRow
from channels_sync.selectors.listings import open_orders
from channels_sync.services import remap as remapping
from channels_sync.services import sync, tokens
from channels_sync.services.listings import map_drafts
from channels_sync.services.remap import OpenOrdersOnly, rows_to_change
from orderhub.core.draft import json_row
from orderhub.core.effects import shared_kinds
from orderhub.core.errors import HubError, TemporaryError
from orderhub.core.results import IntakeResult, Outcome, RowResult
from orderhub.core.words import InboxState, RejectState
from orderhub.models import InboxItem, Reject, Shop
from orderhub.models.inbox import pack
from orderhub.selectors.drafts import drafts_of
from orderhub.services import inbox, outbox, pool, stock
from orderhub.services.allocation import allocate
from orderhub.services.batch import Batch, DraftRow, give_buyers, meet_buyers, sort_out
from orderhub.services.bulk import Table, copy_tables
from orderhub.services.inbox import receive
from orderhub.services.outbox import Drained
from orderhub.services.parking import Door, FrontDoor, NoDoor
from orderhub.services.paths import effects_of
from triage.decisions import Candidate, Decision
from triage.selectors.outdated import outdated_price_findings
from triage.selectors.siblings import unmarked_siblings
from triage.services import accept_findings, hear, new_findings, replace_findings

__all__ = [
    "drain_inbox",
    "drain_outbox",
    "process",
    "pull_due_shops",
    "pull_shop",
    "receive",
    "recheck_siblings",
    "release_order",
    "remap",
    "remap_changed",
    "rerun_reject",
    "retriage",
    "take_in",
]

log = structlog.get_logger(__name__)

WithCursor = Callable[[CursorWrapper], None]
REMAP_SECONDS = 60.0
ALONE_FROM = 2
TRIES = 6
"""How often a batch is repeated when another one was faster: each time at least one of them got through."""


def process(item_id: int, *, at_commit: WithCursor | None = None) -> IntakeResult:
    """Take one stored delivery in and return what became of each row; a delivery that is done is not done again.

    `at_commit` runs inside the transaction of the last batch (a channel's cursor moves there).
    Raises TemporaryError when the delivery must be tried later; it stays in the inbox.
    """
    if not inbox.lease_one(item_id):
        return _told_before(item_id)
    return _work(item_id, at_commit)


def drain_inbox(limit: int = 20, *, min_age_seconds: float = 10) -> int:
    """Take up to `limit` deliveries in that were left over, oldest first; one that fails does not keep the others."""
    item_ids = inbox.lease_waiting(limit, min_age_seconds=min_age_seconds)
    for item_id in item_ids:
        try:
            _work(item_id, None)
        except HubError as error:
            log.warning("delivery failed", inbox_id=item_id, error=str(error), permanent=error.permanent)
    return len(item_ids)


def drain_outbox(limit: int = 100) -> Drained:
    """Send up to `limit` due effects of each kind that has a handler and no lane of its own."""
    return outbox.drain(limit=limit, kinds=shared_kinds())


def pull_due_shops() -> dict[str, dict[str, int]]:
    """Pull every active shop that is due, one after the other, and return the counts by shop; a failing channel does
    not keep the others."""
    found = {}
    for shop in Shop.objects.filter(is_active=True).select_related("warehouse"):
        counts = pull_shop(shop.pk)
        if counts is not None:
            found[shop.code] = counts
    return found


def pull_shop(shop_id: int, *, force: bool = False) -> dict[str, int] | None:
    """Pull what changed in one shop since its cursor and return the counts; None when it is not due or in other hands.

    Each page is stored before it is taken in; the cursor moves with the last page of a window. A failure is told in
    the shop's sync state, not raised.
    """
    shop = Shop.objects.select_related("warehouse").get(pk=shop_id)
    run = sync.begin(shop, force=force)
    if run is None:
        return None
    try:
        for page in run.pages():
            item = receive(
                shop=shop, source="poll", reader=page.reader, delivery_key=page.delivery_key, body=page.body,
                content_type=page.content_type,
            )  # fmt: skip
            run.count(process(item.pk, at_commit=run.cursor_mover(page)))
    except Exception as error:  # noqa: BLE001  (told to people in the console; the next run starts from the cursor)
        log.warning("pull failed", shop=shop.code, error=str(error), kind=type(error).__name__)
        run.fail(error)
    else:
        run.finish()
    return {name: getattr(run.log, name) for name in ("new", "changed", "unchanged", "stale", "held", "rejected")}


def retriage(order_ids: Sequence[int], actor: str) -> int:
    """Judge known orders again (rules changed, stock came, a person accepted) and return how many were judged."""
    drafts = drafts_of(order_ids)
    judged = 0
    for shop in Shop.objects.filter(orders__in=list(drafts)).distinct().select_related("warehouse"):
        rows = [DraftRow(0, drafts[pk]) for pk in shop.orders.filter(pk__in=list(drafts)).values_list("pk", flat=True)]
        judged += len(_take_batch(shop, rows, "hub", actor, None, None, NoDoor(), again=True))
    return judged


def remap(listing_ids: Sequence[int], actor: str, most: int, *, seconds: float = REMAP_SECONDS) -> tuple[int, int]:
    """Let open orders follow changed channel items; return how many changed, and how many were not looked at: beyond
    `most`, or once the time was over. An order that went to the warehouse keeps what it left with."""
    deadline, changed, left = time.monotonic() + seconds, 0, 0
    for shop_id, order_ids in open_orders(listing_ids).items():
        shop = Shop.objects.select_related("warehouse").get(pk=shop_id)
        while order_ids and most > 0 and time.monotonic() < deadline:
            size = min(settings.HUB_BATCH_SIZE, most)
            batch, order_ids, most = order_ids[:size], order_ids[size:], most - size
            rows = rows_to_change(shop, batch)
            told = _take_batch(shop, rows, "hub", actor, None, None, OpenOrdersOnly(), again=True) if rows else []
            changed += sum(row.outcome is Outcome.CHANGED for row in told)
        left += len(order_ids)
    return changed, left


def remap_changed() -> int:
    """Let open orders follow every channel item that changed lately, and return how many orders changed; what is left
    when the time is over goes on at the next run."""
    listing_ids, began = remapping.due()
    if began is None:
        return 0
    changed, left = remap(listing_ids, "hub", sys.maxsize)
    if not left:
        remapping.done(listing_ids=listing_ids, began=began)
    return changed


def recheck_siblings() -> int:
    """Judge orders again that look different by what came after them, and return how many.

    The first orders of a cluster once the later ones have shown it; prices held against the list price before the
    shop's own mean was known.
    """
    return retriage(list(dict.fromkeys([*unmarked_siblings(), *outdated_price_findings()])), "hub")


@transaction.atomic
def release_order(order_id: int, actor: str, reason: str) -> None:
    """Let a held order go: a person accepts its findings, and it is judged again without them."""
    accept_findings(order_id=order_id, actor=actor, reason=reason)
    retriage([order_id], actor)


def rerun_reject(reject_id: int, actor: str) -> bool:
    """Try a rejected row again with today's code and return whether it was taken in; its reason is refreshed.

    Before a gate that is not open, the row waits there like every other; it counts as taken in.
    """
    reject = Reject.objects.select_related("shop__warehouse").get(pk=reject_id)
    rows = readers.read(reject.reader, reject.raw_row, "application/json")
    for row in rows:
        row.row = reject.row
    result = take_in(shop=reject.shop, rows=rows, source="rerun", actor=actor, inbox_id=reject.inbox_id, keep=False)
    refused = [row for row in result.rows if row.outcome is Outcome.REJECTED]
    update = {"attempts": reject.attempts + 1}
    if refused:
        Reject.objects.filter(pk=reject_id).update(**update, field_path=refused[0].field, reason=refused[0].reason)
        return False
    Reject.objects.filter(pk=reject_id).update(
        **update, state=RejectState.TAKEN, closed_at=datetime.now(UTC), closed_by=actor
    )
    return True


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
    """Take read rows into the pool in batches, one transaction each; `keep` stores refused rows as rejects."""
    result = IntakeResult()
    rows = map_drafts(None, shop, rows)
    refused = [row for row in rows if row.draft is None]
    result.add(_rejected(row.row, row.external_no, row.error) for row in refused)
    if keep:
        _keep_rejects(shop, inbox_id, refused)
    good = [DraftRow(row.row, row.draft, row.told) for row in rows if row.draft is not None]
    raw = {row.row: row for row in rows if row.draft is not None}
    door = FrontDoor(shop, source, inbox_id, raw)
    size = settings.HUB_BATCH_SIZE
    batches = [good[i : i + size] for i in range(0, len(good), size)] or [[]]
    for batch in batches:
        hook = at_commit if batch is batches[-1] else None
        for part in take_rows(shop, batch, source, actor, inbox_id, hook, door):
            result.add(part)
    late = [raw[row.row] for row in result.rows if row.outcome is Outcome.REJECTED and row.row in raw]
    if keep and late:
        reasons = {row.row: row for row in result.rows}
        _keep_rejects(shop, inbox_id, late, reasons)
    return result


def _work(item_id: int, at_commit: WithCursor | None) -> IntakeResult:
    item = InboxItem.objects.select_related("shop__warehouse").get(pk=item_id)
    structlog.contextvars.bind_contextvars(inbox_id=item_id, shop=item.shop.code)
    started = time.monotonic()
    try:
        rows = _read(item)

        def finish(cursor: CursorWrapper) -> None:
            if at_commit:
                at_commit(cursor)

        result = take_in(
            shop=item.shop, rows=rows, source=item.source, actor=f"intake:{item.source}", inbox_id=item_id,
            at_commit=finish,
        )  # fmt: skip
        _close(item, result)
    except HubError as error:
        inbox.give_back(item_id, str(error), permanent=error.permanent)
        raise
    finally:
        structlog.contextvars.unbind_contextvars("inbox_id", "shop")
    log.info("delivery taken in", item=item_id, ms=int((time.monotonic() - started) * 1000), **result.counts())
    return result


def _read(item: InboxItem) -> list[ReadRow]:
    """Return the rows of a delivery; a push that only names orders has them fetched first."""
    if item.reader != inbox.EVENT_READER:
        return readers.read(item.reader, item.body, item.content_type)
    connector, numbers = connectors.get(item.shop.platform), item.headers.get("numbers", [])
    pages = tokens.calling(item.shop, lambda access: list(connector.fetch(access, numbers)))
    rows: list[ReadRow] = []
    for page in pages:
        for row in readers.read(page.reader, page.body, page.content_type):
            row.row = len(rows)
            rows.append(row)
    return rows


def _close(item: InboxItem, result: IntakeResult) -> None:
    stored: dict[str, object] = {"counts": result.counts()}
    if item.source == "api":
        stored["rows"] = result.as_json()
    InboxItem.objects.filter(pk=item.pk).update(
        state=InboxState.DONE, rows=len(result.rows), result=stored, done_at=datetime.now(UTC), last_error="",
        leased_until=None,
    )  # fmt: skip


def _told_before(item_id: int) -> IntakeResult:
    item = InboxItem.objects.only("state", "result").get(pk=item_id)
    if item.state != InboxState.DONE:
        raise TemporaryError("another worker is taking this delivery in", retry_after=1)
    rows = (item.result or {}).get("rows", [])
    return IntakeResult(
        [
            RowResult(r["row"], r["external_no"], Outcome(r["outcome"]), r.get("field", ""), r.get("reason", ""))
            for r in rows
        ]
    )


def take_rows(
    shop: Shop, rows: Sequence[DraftRow], source: str, actor: str, inbox_id: int | None, at_commit: WithCursor | None,
    door: Door,
) -> Iterator[list[RowResult]]:  # fmt: skip
    """Take one batch in through `door`; one that the database refuses is halved until the bad row stands alone.

    `at_commit` runs in the transaction of the last part.
    """
    try:
        yield _take_batch(shop, rows, source, actor, inbox_id, at_commit, door)
    except (DataError, IntegrityError) as error:
        if len(rows) <= 1:
            for row in rows:
                reason = str(error).splitlines()[0] if not isinstance(error, IntegrityError) else "refused by a rule"
                yield [RowResult(row.row, row.draft.external_no, Outcome.REJECTED, "", reason)]
            if at_commit:
                yield _take_batch(shop, [], source, actor, inbox_id, at_commit, door)
            return
        middle = len(rows) // 2
        yield from take_rows(shop, rows[:middle], source, actor, inbox_id, None, door)
        yield from take_rows(shop, rows[middle:], source, actor, inbox_id, at_commit, door)


def _take_batch(
    shop: Shop, rows: Sequence[DraftRow], source: str, actor: str, inbox_id: int | None,
    at_commit: WithCursor | None, door: Door, *, again: bool = False,
) -> list[RowResult]:  # fmt: skip
    """Take one batch in, repeating it while other batches over the same orders or stock are faster."""
    for attempt in range(TRIES):
        try:
            alone = attempt >= ALONE_FROM
            return _one_transaction(shop, rows, source, actor, inbox_id, at_commit, door, again=again, alone=alone)
        except (IntegrityError, OperationalError, stock.StockMovedError) as error:
            if not _may_repeat(error) or connection.in_atomic_block:
                raise
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
    shop: Shop, rows: Sequence[DraftRow], source: str, actor: str, inbox_id: int | None,
    at_commit: WithCursor | None, door: Door, *, again: bool, alone: bool,
) -> list[RowResult]:  # fmt: skip
    buyers = meet_buyers(shop, rows)
    with transaction.atomic(), connection.cursor() as cursor:
        stock.enter(cursor, alone=alone)
        rows = door.before(cursor, rows)
        batch = sort_out(
            cursor, shop=shop, rows=rows, source=source, actor=actor, now=datetime.now(UTC), inbox_id=inbox_id,
            again=again,
        )  # fmt: skip
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
        incoming.claim = pool.claim_of(incoming.draft)
        incoming.triaged = pool.is_triaged(incoming)
        if not incoming.triaged:
            pool.settle_status(incoming)
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
        pool.write_changed(cursor, batch)
        replace_findings(cursor, candidates, decisions)
        outbox.add_effects(cursor, [effect for inc in batch.changed for effect in effects_of(batch, inc)])
    stock.book(cursor, shelf)


def _apply(batch: Batch, decisions: Sequence[Decision]) -> None:
    for incoming, decision in zip(batch.all, decisions, strict=True):
        incoming.findings = tuple(finding.code for finding in decision.findings)
        incoming.rule_set_id = decision.rule_set_id
        if incoming.triaged:
            incoming.lane, incoming.is_urgent = decision.lane, decision.is_urgent
            incoming.unpriced = decision.unpriced
            pool.settle_status(incoming)
        elif incoming.known:
            # Not judged this time: what the last judgement said stays, and by which rules.
            known = incoming.known
            incoming.lane, incoming.is_urgent, incoming.rule_set_id = known.lane, known.is_urgent, known.rule_set_id


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


def _rejected(row: int, number: str, error: Exception | None) -> RowResult:
    return RowResult(row, number, Outcome.REJECTED, getattr(error, "path", ""), getattr(error, "reason", str(error)))


def _keep_rejects(
    shop: Shop, inbox_id: int | None, rows: Sequence[ReadRow], reasons: dict[int, RowResult] | None = None
) -> None:
    """Store refused rows with their raw bytes; the same row of the same delivery is stored once."""
    told = reasons or {row.row: _rejected(row.row, row.external_no, row.error) for row in rows}
    Reject.objects.bulk_create(
        [
            Reject(
                shop=shop, inbox_id=inbox_id, row=row.row, external_no=row.external_no[:64],
                field_path=told[row.row].field[:200], reason=told[row.row].reason,
                packed_row=pack(row.raw or (json_row(row.draft) if row.draft else orjson.dumps(None))),
                reader=row.reader,
            )
            for row in rows
        ],
        ignore_conflicts=True,
    )  # fmt: skip
