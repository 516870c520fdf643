"""What becomes of effects whose sending failed: another try later, or aside."""

from collections.abc import Sequence

from django.db.backends.utils import CursorWrapper

from orderhub.core.effects import Job
from orderhub.core.errors import HubError
from orderhub.services.bulk import records

MAX_ATTEMPTS = 20
"""Answers that it failed for now before an effect is set aside: with the pauses between them, three hours."""
WAIT_FOR_ALL_SECONDS = 60
"""Pause of an effect whose shop or application is refused as a whole."""
BACKOFF_LIMIT_SECONDS = 900

Failed = tuple[Job, HubError]


def put_off(cursor: CursorWrapper, failed: Sequence[Failed]) -> list[Failed]:
    """Set failed effects to wait (doubling from 5 seconds, or as long as the other side asked) or aside; return the
    dead ones. What concerns the whole shop costs an effect no try, and its others of the kind wait as well.

    One that was wanted again while it was sent has another due time (`add_effects`): what was refused is not how the
    order is by now, so it is sent anew, with fresh attempts.
    """
    if not failed:
        return []
    cursor.execute(
        """
        UPDATE orderhub_effect e SET state = CASE WHEN r.dead AND e.due_at = r.due_at THEN 'dead' ELSE 'pending' END,
            due_at = CASE WHEN r.dead AND e.due_at <> r.due_at THEN e.due_at
                ELSE now() + make_interval(secs => r.wait) END,
            attempts = CASE WHEN r.dead AND e.due_at <> r.due_at THEN 0 ELSE r.attempts END,
            finished_at = CASE WHEN r.dead AND e.due_at = r.due_at THEN now() END,
            last_error = r.error, lease_token = NULL, leased_until = NULL
        FROM json_to_recordset(%s::json) AS
            r(id bigint, due_at timestamptz, wait double precision, dead bool, attempts int, error text)
        WHERE e.id = r.id RETURNING e.id, e.state
        """,
        [records([_row(job, error) for job, error in failed])],
    )
    states = dict(cursor.fetchall())
    _let_others_wait(cursor, failed)
    return [(job, error) for job, error in failed if states.get(job.effect_id) == "dead"]


def _row(job: Job, error: HubError) -> dict[str, object]:
    return {
        "id": job.effect_id, "due_at": job.due_at, "wait": _pause(job, error), "error": str(error)[:1000],
        "dead": not error.concerns_all and (error.permanent or job.attempts >= MAX_ATTEMPTS),
        "attempts": job.attempts - 1 if error.concerns_all else job.attempts,
    }  # fmt: skip


def _let_others_wait(cursor: CursorWrapper, failed: Sequence[Failed]) -> None:
    """Let what else of the same shops and kind is due wait as long as those that were refused as a whole: each would
    learn the same by a call of its own, and use up a call limit that has just been reached.

    What waits already keeps its time, so that refusals now and then do not put the oldest off for ever.
    """
    refused = [(job, error) for job, error in failed if error.concerns_all]
    longest = {job.shop_id: job.effect_id for job, error in sorted(refused, key=lambda one: _pause(*one))}
    if not longest:
        return
    cursor.execute(
        """
        WITH others AS (
            SELECT o.id, f.due_at FROM orderhub_effect f
            JOIN orderhub_effect o ON o.shop_id = f.shop_id AND o.kind = f.kind AND o.state = 'pending'
                AND o.due_at <= clock_timestamp() AND o.due_at < f.due_at
            WHERE f.id = ANY(%s) FOR NO KEY UPDATE OF o SKIP LOCKED)
        UPDATE orderhub_effect e SET due_at = others.due_at FROM others WHERE e.id = others.id
        """,
        [list(longest.values())],
    )


def _pause(job: Job, error: HubError) -> float:
    """Return the seconds until the next try."""
    if error.retry_after:
        return error.retry_after
    return WAIT_FOR_ALL_SECONDS if error.concerns_all else min(5 * 2 ** min(job.attempts - 1, 8), BACKOFF_LIMIT_SECONDS)
