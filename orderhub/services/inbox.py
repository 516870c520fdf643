"""The durable inbox: store first, work after."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection
from django.db.backends.utils import CursorWrapper

from orderhub.core.errors import HubError
from orderhub.core.results import IntakeResult
from orderhub.core.words import InboxState
from orderhub.models import InboxItem, Shop
from orderhub.models.inbox import pack
from orderhub.services.bulk import OF_SHOP, WANTED, listed, records

LEASE_SECONDS = 120
MAX_ATTEMPTS = 12
"""Failures that may pass before a delivery is set aside: with the pauses between them, half an hour."""
MAX_LOST = 5
"""The same for workers that ended without an answer, as long as none came at all."""
LATER, MAX_LATER = "later", 300
"""Orders to be fetched later are tried for a day: the cursor of their channel is past them, nothing else comes."""
LONGEST_PAUSE_SECONDS, WAIT_FOR_ALL_SECONDS = 300, 60


def receive(
    *,
    shop: Shop,
    source: str,
    reader: str,
    delivery_key: str,
    body: bytes,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> InboxItem:
    """Store one raw delivery of `shop` and return its row; a repeated `delivery_key` returns the row of the first.

    `source` says how it came (poll, push, file, api), `reader` which reader understands the body.
    """
    item = InboxItem(
        shop=shop,
        source=source,
        reader=reader,
        delivery_key=delivery_key,
        content_type=content_type,
        headers=dict(headers or {}),
        packed_body=pack(body),
    )
    stored = InboxItem.objects.bulk_create([item], ignore_conflicts=True)
    if stored[0].pk is not None:
        return stored[0]
    return InboxItem.objects.get(shop=shop, delivery_key=delivery_key)


EVENT_READER = "event"
"""The reader key of a push that only names orders: they are fetched, its body is not read."""


def receive_pushes(*, shop: Shop, events: Sequence[tuple[str, bytes, str, Sequence[str], str]]) -> int:
    """Store the events of one push, each (key, body, reader, order numbers to fetch, content type), in one statement.

    A repeated key changes nothing. Returns how many events there were.
    """
    InboxItem.objects.bulk_create(
        [
            InboxItem(
                shop=shop, source="push", reader=reader or EVENT_READER, delivery_key=key, content_type=content_type,
                headers={"numbers": list(numbers)} if numbers else {}, packed_body=pack(body),
            )
            for key, body, reader, numbers, content_type in events
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    return len(events)


def fetch_later(shop: Shop, numbers: Sequence[str]) -> None:
    """Note orders that a platform could not show just now: they are fetched like those that a push names.

    Each waits once, however often a pull meets it.
    """
    if not numbers:
        return
    open_rows = InboxItem.objects.filter(
        shop=shop, state__in=[InboxState.NEW, InboxState.WORKING], delivery_key__startswith=f"{LATER}:"
    )
    waiting = set(open_rows.values_list("headers__numbers__0", flat=True))
    fresh = [number for number in numbers if number not in waiting]
    receive_pushes(shop=shop, events=[(fresh_key(LATER), b"", "", [number], "") for number in fresh])


def told_at(shop_id: int, numbers: Iterable[str]) -> dict[str, datetime]:
    """Return, by order number, when the delivery came that told the present version of those orders of a shop that are
    in the pool and whose delivery is still kept. One query.

    Not when they entered the pool: what waited before the gate was told long before.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT o.external_no, i.received_at FROM {WANTED} CROSS JOIN LATERAL (
                SELECT external_no, inbox_id FROM orderhub_order
                WHERE {OF_SHOP} AND external_no = wanted.key LIMIT 1) AS o
            JOIN orderhub_inboxitem i ON i.id = o.inbox_id
            """,  # noqa: S608  (a constant)
            [listed(numbers), shop_id],
        )
        return dict(cursor.fetchall())


def lease_waiting(limit: int, *, min_age_seconds: float) -> list[int]:
    """Lease up to `limit` deliveries that wait or whose worker died, and return their ids: the oldest first, one that
    was given back behind those that waited longer, so that a shop whose platform refuses all holds up no other.

    Pushes are only stored when they come; of the rest, who stores a delivery takes it in right after, so that only
    what has waited `min_age_seconds` is left over.
    The attempt is counted here, before the work, so that a delivery that kills its worker is set aside in the end.
    Materialised: below `IN` some plans run the selection once for each row, and lease far more than `limit`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_inboxitem SET state = 'dead', last_error = CASE WHEN last_error = '' THEN
                'gave up: its worker ended without an answer' ELSE last_error END
            WHERE state = 'working' AND leased_until < now()
                AND attempts >= CASE WHEN last_error = '' THEN %s WHEN delivery_key LIKE %s THEN %s ELSE %s END
            """,
            [MAX_LOST, f"{LATER}:%", MAX_LATER, MAX_ATTEMPTS],
        )
        cursor.execute(
            """
            WITH waiting AS MATERIALIZED (
                SELECT id FROM orderhub_inboxitem
                WHERE (state = 'new' AND (leased_until IS NULL OR leased_until < now())
                       AND (source = 'push' OR received_at < now() - make_interval(secs => %s)))
                   OR (state = 'working' AND leased_until < now())
                ORDER BY coalesce(leased_until, received_at), id FOR UPDATE SKIP LOCKED LIMIT %s)
            UPDATE orderhub_inboxitem i SET state = 'working', attempts = attempts + 1,
                leased_until = now() + make_interval(secs => %s)
            FROM waiting WHERE i.id = waiting.id RETURNING i.id
            """,
            [min_age_seconds, limit, LEASE_SECONDS],
        )
        return sorted(row[0] for row in cursor.fetchall())


def lease_one(item_id: int) -> bool:
    """Lease one delivery for this process; false when it is done or somebody else works on it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_inboxitem SET state = 'working', attempts = attempts + 1,
                leased_until = now() + make_interval(secs => %s)
            WHERE id = %s AND (state IN ('new', 'dead') OR (state = 'working' AND leased_until < now()))
            """,
            [LEASE_SECONDS, item_id],
        )
        return bool(cursor.rowcount == 1)


def give_back(item_ids: Sequence[int], error: HubError) -> None:
    """Put deliveries back after a failure: for another try a little later, or aside when trying is over.

    What concerns the whole shop costs them no try, and others that are read like them and could be taken now wait as
    long: each lot of them would learn the same by a call of its own. What waits already keeps its time, so that
    refusals now and then do not put the oldest off for ever.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_inboxitem SET last_error = %(error)s,
                state = CASE WHEN NOT %(all)s AND (%(permanent)s OR attempts >= CASE
                    WHEN delivery_key LIKE %(later)s THEN %(most_later)s ELSE %(most)s END) THEN 'dead' ELSE 'new' END,
                attempts = CASE WHEN %(all)s THEN greatest(attempts - 1, 0) ELSE attempts END,
                leased_until = now() + make_interval(secs => least(
                    greatest(coalesce(%(asked)s, 0), power(2, least(attempts, 9))), %(longest)s))
            WHERE id = ANY(%(ids)s) AND state = 'working'
            """,
            {
                "error": str(error)[:2000], "all": error.concerns_all, "permanent": error.permanent,
                "most": MAX_ATTEMPTS, "later": f"{LATER}:%", "most_later": MAX_LATER, "longest": LONGEST_PAUSE_SECONDS,
                "ids": list(item_ids),
                "asked": error.retry_after or (WAIT_FOR_ALL_SECONDS if error.concerns_all else None),
            },
        )  # fmt: skip
        if error.concerns_all:
            _let_others_wait(cursor, item_ids)


def _let_others_wait(cursor: CursorWrapper, item_ids: Sequence[int]) -> None:
    cursor.execute(
        """
        WITH others AS (
            SELECT o.id, f.leased_until
            FROM (SELECT shop_id, reader, leased_until FROM orderhub_inboxitem
                  WHERE id = ANY(%s) AND state = 'new' ORDER BY leased_until DESC LIMIT 1) f
            JOIN orderhub_inboxitem o ON o.shop_id = f.shop_id AND o.reader = f.reader AND o.state = 'new'
                AND (o.leased_until IS NULL OR o.leased_until <= clock_timestamp())
            FOR NO KEY UPDATE OF o SKIP LOCKED)
        UPDATE orderhub_inboxitem i SET leased_until = others.leased_until FROM others WHERE i.id = others.id
        """,
        [list(item_ids)],
    )


def hand_back(item_ids: Sequence[int]) -> None:
    """Put deliveries back that nobody began with: it costs them no try, and they wait behind those that waited longer,
    so that a shop with many of them holds up no other."""
    if not item_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_inboxitem SET state = 'new', attempts = greatest(attempts - 1, 0), leased_until = now()
            WHERE id = ANY(%s) AND state = 'working'
            """,
            [list(item_ids)],
        )


def close(taken_in: Sequence[tuple[InboxItem, IntakeResult]]) -> None:
    """Note that deliveries were taken in, with their counts; an API call is told its rows again when it is repeated."""
    rows = [
        {"id": item.pk, "rows": len(result.rows), "counts": result.counts()}
        | ({"told": result.as_json()} if item.source == "api" else {})
        for item, result in taken_in
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_inboxitem i SET state = 'done', rows = r.rows, done_at = now(), last_error = '',
                leased_until = NULL,
                result = jsonb_strip_nulls(jsonb_build_object('counts', r.counts, 'rows', r.told))
            FROM json_to_recordset(%s::json) AS r(id bigint, rows int, counts jsonb, told jsonb) WHERE i.id = r.id
            """,
            [records(rows)],
        )


def fresh_key(prefix: str) -> str:
    """Return a delivery key for a source that gives none of its own."""
    return f"{prefix}:{uuid.uuid4()}"
