"""Whether the hub is alive, in two queries: heartbeats, work that waits, the database's clock."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from orderhub.core.effects import shared_kinds
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
    waiting_reports: bool
    """Warehouses told something that is not worked on yet."""
    waiting_backlog: bool
    """Orders wait before a gate that lets one in by now."""
    queued_tasks: int
    """Tasks that wait for a worker; not those that one has, nor those that failed and are tried again later."""
    held: frozenset[str]
    """Names of the leases somebody holds."""
    beats: dict[str, Beat]


def look() -> Vitals:
    """Read the vitals. Raises OperationalError when the database does not answer."""
    kinds = shared_kinds()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT now(),
                EXISTS (SELECT FROM orderhub_inboxitem WHERE state IN ('new', 'working')
                        AND (leased_until < now() OR (state = 'new' AND leased_until IS NULL
                            AND received_at < now() - make_interval(secs => %s)))),
                EXISTS (SELECT FROM orderhub_effect WHERE state = 'pending' AND kind = ANY(%s) AND due_at <= now())
                    OR EXISTS (SELECT FROM orderhub_effect WHERE state = 'sending' AND kind = ANY(%s)
                               AND leased_until < now()),
                EXISTS (SELECT FROM orderhub_warehousereport WHERE state IN ('new', 'working')
                        AND (leased_until IS NULL OR leased_until < now())),
                EXISTS (SELECT FROM orderhub_shop s
                        WHERE EXISTS (SELECT FROM orderhub_parkedorder p WHERE p.shop_id = s.id)
                        AND NOT EXISTS (
                            SELECT FROM orderhub_gate g WHERE (g.shop_id IS NULL OR g.shop_id = s.id) AND (
                                g.state = 'paused' OR clock_timestamp() < g.paced_until
                                    + make_interval(secs => 60.0 / coalesce(g.rate_per_minute, 1000000))))),
                (SELECT count(*) FROM (SELECT FROM django_q_ormq WHERE lock <= clock_timestamp() LIMIT 100) AS queued),
                ARRAY(SELECT name FROM orderhub_lease WHERE until > now())
            """,
            [LEFT_OVER_SECONDS, kinds, kinds],
        )
        now, inbox, outbox, reports, backlog, queued, held = cursor.fetchone()
    beats = {
        row.name: Beat(row.name, (now - row.beat_at).total_seconds(), row.is_ok, row.message)
        for row in JobHeartbeat.objects.all()
    }
    return Vitals(now, inbox, outbox, reports, backlog, queued, frozenset(held), beats)
