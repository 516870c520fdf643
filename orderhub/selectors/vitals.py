"""Whether the hub is alive, in two queries: heartbeats, work that waits, the database's clock."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from orderhub.core.effects import effect_handlers
from orderhub.models import JobHeartbeat

LEFT_OVER_SECONDS = 10
"""A delivery younger than this is still with the process that received it."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The last heartbeat of one job; the age is by the database's clock."""

    name: str
    age_seconds: float
    is_ok: bool
    message: str


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at the database."""

    now: datetime
    waiting_inbox: bool
    waiting_outbox: bool
    queued_tasks: int
    held: frozenset[str]
    """Names of the leases somebody holds."""
    beats: dict[str, Beat]


def look() -> Vitals:
    """Read the vitals. Raises OperationalError when the database does not answer."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT now(),
                EXISTS (SELECT FROM orderhub_inboxitem WHERE state IN ('new', 'working')
                        AND (leased_until < now() OR (state = 'new' AND leased_until IS NULL
                            AND received_at < now() - make_interval(secs => %s)))),
                EXISTS (SELECT FROM orderhub_effect WHERE state = 'pending' AND kind = ANY(%s) AND due_at <= now())
                    OR EXISTS (SELECT FROM orderhub_effect WHERE state = 'sending' AND leased_until < now()),
                (SELECT count(*) FROM (SELECT FROM django_q_ormq LIMIT 100) AS queued),
                ARRAY(SELECT name FROM orderhub_lease WHERE until > now())
            """,
            [LEFT_OVER_SECONDS, list(effect_handlers)],
        )
        now, inbox, outbox, queued, held = cursor.fetchone()
    beats = {
        row.name: Beat(row.name, (now - row.beat_at).total_seconds(), row.is_ok, row.message)
        for row in JobHeartbeat.objects.all()
    }
    return Vitals(now, inbox, outbox, queued, frozenset(held), beats)
