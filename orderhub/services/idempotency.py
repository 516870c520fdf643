"""Requests that may be sent again: the first one runs, its repeats get its answer.

One row per token and key. It is inserted before the work, so of two requests at once exactly one inserts it; its
answer is filled in afterwards. A row without an answer whose process has died is taken over after `TAKE_OVER_SECONDS`.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson
from django.db import connection

from orderhub.models import IdempotentRequest

TAKE_OVER_SECONDS = 120
"""As long as an inbox lease: before that, the first request may still be at work."""
ACCEPTED = 202
"""An answer that only promises: a repeat looks again whether there is a final one."""


class Turn(Enum):
    """What a request with an idempotency key has to do."""

    RUN = "run"
    REPLAY = "replay"
    WAIT = "wait"
    CONFLICT = "conflict"


@dataclass(slots=True, frozen=True)
class Ticket:
    """The outcome of `begin`; `status` and `answer` are filled for a replay."""

    turn: Turn
    row_id: int
    status: int = 0
    answer: Any = None


def begin(*, token_id: int, key: str, body_hash: str) -> Ticket:
    """Claim `key` for this request, or return what a request before it has left."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO orderhub_idempotentrequest (token_id, key, body_hash, created_at) VALUES (%s, %s, %s, now())
            ON CONFLICT (token_id, key) DO UPDATE SET created_at = now()
            WHERE orderhub_idempotentrequest.body_hash = excluded.body_hash
              AND (orderhub_idempotentrequest.status = %s
                   OR (orderhub_idempotentrequest.status IS NULL
                       AND orderhub_idempotentrequest.created_at < now() - make_interval(secs => %s)))
            RETURNING id
            """,
            [token_id, key, body_hash, ACCEPTED, TAKE_OVER_SECONDS],
        )
        row = cursor.fetchone()
    if row is not None:
        return Ticket(Turn.RUN, row[0])
    known = IdempotentRequest.objects.filter(token_id=token_id, key=key).first()
    if known is None:
        # The first request gave up between the two statements: the key is free again.
        return begin(token_id=token_id, key=key, body_hash=body_hash)
    if known.body_hash != body_hash:
        return Ticket(Turn.CONFLICT, known.pk)
    if known.status in {None, ACCEPTED}:
        return Ticket(Turn.WAIT, known.pk)
    return Ticket(Turn.REPLAY, known.pk, known.status or 0, known.answer)


def finish(*, row_id: int, status: int, answer: Any) -> None:
    """Keep the answer for repeats."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orderhub_idempotentrequest SET status = %s, answer = %s::jsonb WHERE id = %s",
            [status, orjson.dumps(answer).decode(), row_id],
        )


def give_up(*, row_id: int) -> None:
    """Forget a request that failed, so that its repeat, or a corrected body with its key, runs at once."""
    IdempotentRequest.objects.filter(pk=row_id, status=None).delete()
