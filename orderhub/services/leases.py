"""Leases by database time: one holder of a name at a time, on any number of hosts."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection


@dataclass(slots=True, frozen=True)
class HeldLease:
    """A lease that this process holds until it ends or runs out."""

    name: str
    token: uuid.UUID

    def extend(self, seconds: int) -> bool:
        """Prolong by `seconds` from now; false when somebody else has taken over meanwhile."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE orderhub_lease SET until = now() + make_interval(secs => %s) WHERE name = %s AND token = %s",
                [seconds, self.name, self.token],
            )
            return bool(cursor.rowcount == 1)


@contextmanager
def hold(name: str, seconds: int) -> Iterator[HeldLease | None]:
    """Hold the lease `name` for at most `seconds`; yields None when somebody else holds it.

    A holder that dies gives it up when the time is over; a clean end gives it up at once.
    """
    token = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO orderhub_lease (name, token, until) VALUES (%s, %s, now() + make_interval(secs => %s))
            ON CONFLICT (name) DO UPDATE SET token = excluded.token, until = excluded.until
            WHERE orderhub_lease.until IS NULL OR orderhub_lease.until < now()
            """,
            [name, token, seconds],
        )
        taken = cursor.rowcount == 1
    if not taken:
        yield None
        return
    try:
        yield HeldLease(name, token)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE orderhub_lease SET until = NULL WHERE name = %s AND token = %s", [name, token])


def held(*kinds: str) -> frozenset[str]:
    """Return the names `kind:…` of the leases that somebody holds now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM orderhub_lease WHERE until > now() AND split_part(name, ':', 1) = ANY(%s)", [list(kinds)]
        )
        return frozenset(name for (name,) in cursor.fetchall())
