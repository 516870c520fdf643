"""The outbox: add effects with their cause, lease them, send them, settle what came of it."""

import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from random import sample
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.db import connection, connections, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from msgspec import Struct

from orderhub.core.effects import EffectHandler, GivesUp, Job, effect_handlers
from orderhub.core.errors import HubError, TemporaryError, words_of
from orderhub.core.words import EffectState, Source
from orderhub.services.bulk import Table, json_text, records, stamp
from orderhub.services.repeats import apart, steadily
from orderhub.services.retries import MAX_ATTEMPTS, put_off
from orderhub.services.timeline import Entry, record

log = structlog.get_logger(__name__)

MAX_LOST = 8
"""The same for workers that ended without an answer, as long as none came at all: an effect that kills them must not
do so for long."""
LEASE_SECONDS = 180
"""Longer than the slowest send: the outbound deadline times the sends that one thread of a drain makes in a row."""
KIND_SECONDS, SEND_SECONDS = 20, 40
"""After so long a drain begins no other kind, and no other send of one kind. A job has 120 seconds."""
_NOT_BEGUN = object()

COLUMNS = ("shop_id", "order_id", "kind", "key", "state", "payload", "attempts", "due_at", "last_error", "created_at")


class NewEffect(Struct, frozen=True):
    """An effect to be added; `key` is unique within the shop and goes out as idempotency key."""

    shop_id: int
    order_id: int | None
    kind: str
    key: str
    due_at: datetime
    payload: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Drained:
    """What one drain did."""

    done: int = 0
    retried: int = 0
    dead: int = 0
    cancelled: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All effects that were taken up."""
        return self.done + self.retried + self.dead + self.cancelled


def new_effects(effects: Iterable[NewEffect], *, now: datetime) -> Table:
    """Return effects of orders that are new in this transaction as rows to be copied: their keys cannot exist yet."""
    added = stamp(now)
    rows = (
        (e.shop_id, e.order_id, str(e.kind), e.key, "pending", json_text(e.payload), 0, stamp(e.due_at), "", added)
        for e in effects
    )
    return Table("orderhub_effect", COLUMNS, rows)


def add_effects(cursor: CursorWrapper, effects: Sequence[NewEffect]) -> None:
    """Add effects of known orders: a key that is there stays as it is, a cancelled one is wanted again.

    One that waits for its first try takes the earlier of the two due times (an order becomes urgent); the pause after
    an answer is kept. One that a worker holds gets its new due time only: by it the worker sees that what it found
    unwanted is wanted, or that what is refused is not how the order is by now.
    """
    if not effects:
        return
    rows = [
        {"shop_id": e.shop_id, "order_id": e.order_id, "kind": e.kind, "key": e.key, "due_at": e.due_at,
         "payload": e.payload}
        for e in sorted(effects, key=lambda e: (e.shop_id, e.key))
    ]  # fmt: skip
    cursor.execute(
        """
        INSERT INTO orderhub_effect AS e
            (shop_id, order_id, kind, key, state, payload, attempts, due_at, last_error, created_at)
        SELECT shop_id, order_id, kind, key, 'pending', payload, 0, due_at, '', now()
        FROM json_to_recordset(%s::json) AS
            r(shop_id bigint, order_id bigint, kind text, key text, due_at timestamptz, payload jsonb)
        ON CONFLICT (shop_id, key) DO UPDATE SET due_at = excluded.due_at,
            state = CASE WHEN e.state = 'cancelled' THEN 'pending' ELSE e.state END,
            payload = CASE WHEN e.state = 'cancelled' THEN excluded.payload ELSE e.payload END,
            attempts = CASE WHEN e.state = 'cancelled' THEN 0 ELSE e.attempts END,
            last_error = CASE WHEN e.state = 'cancelled' THEN '' ELSE e.last_error END, finished_at = NULL
        WHERE e.state IN ('cancelled', 'sending') OR (
            e.state = 'pending' AND e.attempts = 0 AND e.last_error = '' AND excluded.due_at < e.due_at)
        """,
        [records(rows)],
    )


def standing(cursor: CursorWrapper, *, shop_id: int, keys: Sequence[str]) -> set[str]:
    """Return which of these keys `add_effects` would leave as they are: all that are there but the cancelled ones."""
    if not keys:
        return set()
    cursor.execute(
        "SELECT key FROM orderhub_effect WHERE shop_id = %s AND key = ANY(%s) AND state <> 'cancelled'",
        [shop_id, list(keys)],
    )
    return {key for (key,) in cursor.fetchall()}


def drain(*, limit: int = 100, kinds: Sequence[str] | None = None) -> Drained:
    """Lease up to `limit` due effects that have a handler, send them and settle the answers.

    Effects without a handler wait. Safe to run in any number of workers: a lease by database time and a token keep two
    from sending one effect at once, attempts are committed before the try.
    Kinds come in changing order, so that a side that hangs keeps none of the others waiting for long.
    """
    result = Drained()
    began = time.monotonic()
    wanted = list(effect_handlers if kinds is None else kinds)
    for kind in sample(wanted, len(wanted)):
        if time.monotonic() - began > KIND_SECONDS:
            break
        handler = effect_handlers.get(kind)
        token = uuid.uuid4()
        _bury_lost(handler, kind)
        jobs = _lease(kind, min(limit, _answered_in_time(handler)), token)
        if jobs:
            _carry_out(handler, jobs, token, result)
    return result


def _answered_in_time(handler: EffectHandler) -> int:
    """Return how many effects a drain may take up so that it ends in time even when the other side lets every call run
    into its deadline: a job that is ended by force settles nothing."""
    rounds = max(1, int(SEND_SECONDS // settings.OUTBOUND_TIMEOUT_SECONDS))
    return max(1, handler.concurrency) * rounds


def try_again(cursor: CursorWrapper, *, kind: str, order_ids: Sequence[int]) -> None:
    """Put dead letters of orders back, with fresh attempts: what they were refused for may have changed. One that is
    being sent may be refused for it yet; by its due time it is seen that it is wanted again."""
    if not order_ids:
        return
    cursor.execute(
        """
        UPDATE orderhub_effect SET state = CASE state WHEN 'dead' THEN 'pending' ELSE state END,
            attempts = CASE state WHEN 'dead' THEN 0 ELSE attempts END, due_at = now(), finished_at = NULL,
            last_error = ''
        WHERE kind = %s AND order_id = ANY(%s) AND state IN ('dead', 'sending')
        """,
        [kind, list(order_ids)],
    )


def drop_others(
    cursor: CursorWrapper, *, kinds: Collection[str], order_ids: Sequence[int], wanted: Iterable[NewEffect],
    dead_too: bool = False,
) -> None:  # fmt: skip
    """Cancel effects of the given kinds and orders that wait and are not among the wanted ones: they were for a state
    of the order that is over. `dead_too` takes dead letters as well, with which nobody has to do anything any more."""
    if not order_ids:
        return
    states = [EffectState.PENDING, EffectState.DEAD] if dead_too else [EffectState.PENDING]
    keys = [effect.key for effect in wanted if effect.kind in kinds]
    cursor.execute(
        """
        UPDATE orderhub_effect SET state = 'cancelled', finished_at = now() WHERE id IN (
            SELECT id FROM orderhub_effect WHERE order_id = ANY(%s) AND kind = ANY(%s)
                AND state = ANY(%s) AND key <> ALL(%s) ORDER BY id FOR NO KEY UPDATE)
        """,
        [list(order_ids), list(kinds), states, keys],
    )


@transaction.atomic
def retry_dead(*, effect_ids: Sequence[int], actor: str) -> int:
    """Put dead letters back to be tried at once with fresh attempts and return how many there were; the timeline of
    each order says who did it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_effect SET state = 'pending', attempts = 0, due_at = now(), finished_at = NULL,
                last_error = ''
            WHERE id IN (SELECT id FROM orderhub_effect WHERE id = ANY(%s) AND state = 'dead'
                ORDER BY id FOR NO KEY UPDATE)
            RETURNING shop_id, order_id, kind
            """,
            [list(effect_ids)],
        )
        rows = cursor.fetchall()
        record(cursor, _retried(rows, actor))
    log.info("dead letters retried", count=len(rows), actor=actor)
    return len(rows)


def _retried(rows: Iterable[tuple[int, int | None, str]], actor: str) -> list[Entry]:
    """Return one entry for each order, with the kinds of its effects; effects of no order have no timeline."""
    kinds: dict[tuple[int, int], set[str]] = defaultdict(set)
    for shop_id, order_id, kind in rows:
        if order_id is not None:
            kinds[shop_id, order_id].add(kind)
    now = timezone.now()
    return [
        Entry(shop_id, order_id, now, "retried", Source.PERSON, actor, data={"effects": sorted(of_order)})
        for (shop_id, order_id), of_order in sorted(kinds.items())
    ]


def _bury_lost(handler: EffectHandler, kind: str) -> None:
    """Set effects aside whose worker ended without an answer on their last attempt."""
    error = TemporaryError("its worker ended without an answer")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_effect SET state = 'dead', finished_at = now(), lease_token = NULL,
                last_error = CASE WHEN last_error = '' THEN %s ELSE last_error END
            WHERE kind = %s AND state = 'sending' AND leased_until < now()
                AND attempts >= CASE WHEN last_error = '' THEN %s ELSE %s END
            RETURNING id, key, shop_id, order_id, payload, attempts
            """,
            [str(error), kind, MAX_LOST, MAX_ATTEMPTS],
        )
        _give_up(handler, [(_job(row), error) for row in cursor.fetchall()])


def _lease(kind: str, limit: int, token: uuid.UUID) -> list[Job]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH due AS (
                SELECT id FROM orderhub_effect WHERE kind = %s AND state = 'pending' AND due_at <= now()
                ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED),
            lost AS (
                SELECT id FROM orderhub_effect WHERE kind = %s AND state = 'sending' AND leased_until < now()
                ORDER BY leased_until LIMIT %s FOR UPDATE SKIP LOCKED)
            UPDATE orderhub_effect SET state = 'sending', attempts = attempts + 1, lease_token = %s,
                leased_until = now() + make_interval(secs => %s)
            WHERE id IN (SELECT id FROM due UNION ALL SELECT id FROM lost)
            RETURNING id, key, shop_id, order_id, payload, attempts, due_at
            """,
            [kind, limit, kind, limit, token, LEASE_SECONDS],
        )
        return [_job(row) for row in cursor.fetchall()]


def _job(row: Sequence[Any]) -> Job:
    """Return one leased row; Django's cursors hand JSON on as text."""
    effect_id, key, shop_id, order_id, payload, attempts, *due_at = row
    told = orjson.loads(payload) if isinstance(payload, str) else payload
    return Job(effect_id, key, shop_id, order_id, told, attempts, *due_at)


def _carry_out(handler: EffectHandler, jobs: Sequence[Job], token: uuid.UUID, result: Drained) -> None:
    parts, broken = steadily(lambda: apart(handler.prepare, jobs))
    prepared = {effect_id: found for part in parts for effect_id, found in part.items()}
    wanted = [job for job in jobs if job.effect_id in prepared]
    until = time.monotonic() + SEND_SECONDS
    with ThreadPoolExecutor(max_workers=max(1, handler.concurrency)) as pool:
        answers = list(pool.map(lambda job: (job, _try(handler, prepared[job.effect_id], until)), wanted))
    answers += [(job, _defect(error)) for job, error in broken]
    # What was sent cannot be unsent: a deadlock or a short outage here must not have it sent once more.
    steadily(lambda: _settle(handler, jobs, answers, token, result))
    result.errors += sorted({str(answer) for _job, answer in answers if isinstance(answer, HubError)})[:5]


@transaction.atomic
def _settle(
    handler: EffectHandler, jobs: Sequence[Job], answers: Sequence[tuple[Job, Any]], token: uuid.UUID, result: Drained
) -> None:
    sent = {job.effect_id for job, _answer in answers}
    with connection.cursor() as cursor:
        mine = _still_mine(cursor, [job.effect_id for job in jobs], token)
        held = [(job, answer) for job, answer in answers if job.effect_id in mine]
        failed = [(job, answer) for job, answer in held if isinstance(answer, HubError)]
        late = [job.effect_id for job, answer in held if answer is _NOT_BEGUN]
        done = [(job, answer) for job, answer in held if answer is not _NOT_BEGUN and not isinstance(answer, HubError)]
        unwanted = [job for job in jobs if job.effect_id in mine - sent]
        _finish(cursor, [job.effect_id for job, _answer in done])
        _hand_back(cursor, late)
        handler.settle(done)
        cancelled = _cancel(cursor, unwanted)
        dead = put_off(cursor, failed)
        _give_up(handler, dead)
    result.done += len(done)
    result.cancelled += cancelled
    result.dead += len(dead)
    result.retried += len(failed) - len(dead) + len(unwanted) - cancelled


def _try(handler: EffectHandler, prepared: Any, until: float) -> Any:
    """Return the answer to one send, or its error. A side that hangs lets each call run into its deadline, tries and
    all: none is begun that the job would not live to settle."""
    if time.monotonic() > until:
        return _NOT_BEGUN
    try:
        return handler.send(prepared)
    except HubError as error:
        return error
    except Exception as error:  # noqa: BLE001  (any handler; one effect must not hold up the others)
        return _defect(error)
    finally:
        # A call budget asks the database, and this thread ends: its connection must not stay open.
        connections.close_all()


def _defect(error: Exception) -> HubError:
    log.error("effect failed unexpectedly", exc_info=error)
    return HubError(words_of(error), permanent=False)


def _give_up(handler: EffectHandler, dead: Sequence[tuple[Job, HubError]]) -> None:
    """Let the handler write final failures down; one that it cannot write down is a dead letter all the same."""
    if not dead or not isinstance(handler, GivesUp):
        return
    give_up = handler.give_up

    def in_savepoint(part: Sequence[tuple[Job, HubError]]) -> None:
        with transaction.atomic():
            give_up(part)

    for (job, _error), defect in apart(in_savepoint, dead)[1]:
        log.error("final failure not written down", effect_id=job.effect_id, exc_info=defect)


def _still_mine(cursor: CursorWrapper, effect_ids: Sequence[int], token: uuid.UUID) -> set[int]:
    """Lock the effects that this worker still holds, in key order; a lost lease means somebody else decides."""
    cursor.execute(
        "SELECT id FROM orderhub_effect WHERE id = ANY(%s) AND lease_token = %s ORDER BY id FOR NO KEY UPDATE",
        [list(effect_ids), token],
    )
    return {row[0] for row in cursor.fetchall()}


def _finish(cursor: CursorWrapper, effect_ids: Sequence[int]) -> None:
    if effect_ids:
        cursor.execute(
            """
            UPDATE orderhub_effect SET state = 'done', finished_at = now(), lease_token = NULL, leased_until = NULL,
                last_error = '' WHERE id = ANY(%s)
            """,
            [list(effect_ids)],
        )


def _hand_back(cursor: CursorWrapper, effect_ids: Sequence[int]) -> None:
    """Let effects that were taken up and not sent wait for the next drain; that was no try."""
    if effect_ids:
        cursor.execute(
            """
            UPDATE orderhub_effect SET state = 'pending', attempts = greatest(attempts - 1, 0), lease_token = NULL,
                leased_until = NULL WHERE id = ANY(%s)
            """,
            [list(effect_ids)],
        )


def _cancel(cursor: CursorWrapper, jobs: Sequence[Job]) -> int:
    """Cancel effects that nobody wants any more and return how many they were.

    The handler looked at them without a lock, and a batch may take a minute: one that was wanted again since then has
    another due time (`add_effects`) and waits for its turn.
    """
    if not jobs:
        return 0
    cursor.execute(
        """
        UPDATE orderhub_effect e SET state = CASE WHEN e.due_at = r.due_at THEN 'cancelled' ELSE 'pending' END,
            finished_at = CASE WHEN e.due_at = r.due_at THEN now() END, lease_token = NULL, leased_until = NULL,
            last_error = ''
        FROM json_to_recordset(%s::json) AS r(id bigint, due_at timestamptz) WHERE e.id = r.id RETURNING e.state
        """,
        [records([{"id": job.effect_id, "due_at": job.due_at} for job in jobs])],
    )
    return sum(state == "cancelled" for (state,) in cursor.fetchall())
