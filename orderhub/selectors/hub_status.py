"""The hub on one screen: what is in the pool, what waits, what runs. For `manage.py status`."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection


@dataclass(slots=True)
class JobState:
    """The last run of one job."""

    name: str
    age_seconds: int
    took_ms: int
    is_ok: bool
    message: str


@dataclass(slots=True)
class HubStatus:
    """Counts by what they are counted by. Exact, so a few hundred ms on a pool of a million orders."""

    at: datetime
    orders: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    by_lane: dict[str, int] = field(default_factory=dict)
    urgent: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    inbox: dict[str, int] = field(default_factory=dict)
    outbox: dict[str, dict[str, int]] = field(default_factory=dict)
    """By kind of effect, then by state."""
    jobs: list[JobState] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self)


def hub_status() -> HubStatus:
    """Read the status in five queries."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        found = HubStatus(at=cursor.fetchone()[0])
        cursor.execute("SELECT status, lane, is_urgent, count(*) FROM orderhub_order GROUP BY 1, 2, 3")
        for status, lane, is_urgent, count in cursor.fetchall():
            found.orders += count
            found.by_status[status] = found.by_status.get(status, 0) + count
            found.by_lane[lane or "none"] = found.by_lane.get(lane or "none", 0) + count
            found.urgent += count if is_urgent else 0
        cursor.execute(
            """
            SELECT 'rejects', '', state, count(*) FROM orderhub_reject GROUP BY state
            UNION ALL SELECT 'inbox', '', state, count(*) FROM orderhub_inboxitem GROUP BY state
            UNION ALL SELECT 'outbox', kind, state, count(*) FROM orderhub_effect GROUP BY kind, state
            """
        )
        for table, kind, state, count in cursor.fetchall():
            target = found.outbox.setdefault(kind, {}) if table == "outbox" else getattr(found, table)
            target[state] = count
        cursor.execute(
            """
            SELECT name, extract(epoch FROM now() - beat_at)::int, took_ms, is_ok, message
            FROM orderhub_jobheartbeat ORDER BY name
            """
        )
        found.jobs = [JobState(*row) for row in cursor.fetchall()]
    return found
