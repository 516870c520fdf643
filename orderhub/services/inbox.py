"""The durable inbox: store first, work after."""

import uuid
from collections.abc import Mapping, Sequence

from django.db import connection

from orderhub.core.errors import HubError
from orderhub.core.results import IntakeResult
from orderhub.models import InboxItem, Shop
from orderhub.models.inbox import pack
from orderhub.services.bulk import records

LEASE_SECONDS = 120
MAX_ATTEMPTS = 12
"""Failures that may pass before a delivery is set aside: with the pauses between them, half an hour."""
MAX_LOST = 5
"""The same for workers that ended without an answer."""
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
    """Note orders that a platform could not show just now: they are fetched like those that a push names."""
    if numbers:
        receive_pushes(shop=shop, events=[(fresh_key("later"), b"", "", [number], "") for number in numbers])


def lease_waiting(limit: int, *, min_age_seconds: float) -> list[int]:
    """Lease up to `limit` deliveries that wait or whose worker died, oldest first, and return their ids.

    Pushes are only stored when they come; of the rest, who stores a delivery takes it in right after, so that only
    what has waited `min_age_seconds` is left over.
    The attempt is counted here, before the work, so that a delivery that kills its worker is set aside in the end.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_inboxitem SET state = 'dead', last_error = CASE WHEN last_error = '' THEN
                'gave up: its worker ended without an answer' ELSE last_error END
            WHERE state = 'working' AND leased_until < now() AND attempts >= %s
            """,
            [MAX_LOST],
        )
        cursor.execute(
            """
            UPDATE orderhub_inboxitem SET state = 'working', attempts = attempts + 1,
                leased_until = now() + make_interval(secs => %s)
            WHERE id IN (
                SELECT id FROM orderhub_inboxitem
                WHERE (state = 'new' AND (leased_until IS NULL OR leased_until < now())
                       AND (source = 'push' OR received_at < now() - make_interval(secs => %s)))
                   OR (state = 'working' AND leased_until < now())
                ORDER BY received_at FOR UPDATE SKIP LOCKED LIMIT %s)
            RETURNING id
            """,
            [LEASE_SECONDS, min_age_seconds, limit],
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

    What concerns the whole shop costs them no try.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_inboxitem SET last_error = %(error)s,
                state = CASE WHEN NOT %(all)s AND (%(permanent)s OR attempts >= %(most)s) THEN 'dead' ELSE 'new' END,
                attempts = CASE WHEN %(all)s THEN greatest(attempts - 1, 0) ELSE attempts END,
                leased_until = now() + make_interval(secs => least(
                    coalesce(%(asked)s, power(2, attempts)), %(longest)s))
            WHERE id = ANY(%(ids)s) AND state = 'working'
            """,
            {
                "error": str(error)[:2000], "all": error.concerns_all, "permanent": error.permanent,
                "most": MAX_ATTEMPTS, "longest": LONGEST_PAUSE_SECONDS, "ids": list(item_ids),
                "asked": error.retry_after or (WAIT_FOR_ALL_SECONDS if error.concerns_all else None),
            },
        )  # fmt: skip


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
