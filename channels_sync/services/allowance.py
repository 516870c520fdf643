"""Call budgets that all workers share: a place in the queue of an application key is one row update.

The row holds the moment from which the next call may start; taking calls moves it on by their spacing, a ban of the
platform moves it to the end of the ban. Database time only.
"""

import time
from collections.abc import Sequence

from django.db import connection
from django.utils.translation import gettext as _

from channels_sync.connectors.base import QueueFullError

LONGEST_WAIT = 20.0
"""Seconds that a run may wait for its turn; beyond that it ends and comes back when the turn is near."""


class SharedAllowance:
    """The budget of one application key at `rate` calls a second."""

    def __init__(self, key: str, rate: float) -> None:
        self._key = key[:150]
        self._spacing = 1 / rate

    def take(self, calls: int) -> Sequence[float]:
        """Return the moment (`time.monotonic`) before which each of `calls` calls must not start.

        Raises QueueFullError, with the seconds to wait, when the first turn is further away than LONGEST_WAIT.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO channels_sync_callallowance AS a (key, free_at)
                VALUES (%(key)s, clock_timestamp() + make_interval(secs => %(length)s))
                ON CONFLICT (key) DO UPDATE
                    SET free_at = greatest(a.free_at, clock_timestamp()) + make_interval(secs => %(length)s)
                    WHERE a.free_at <= clock_timestamp() + make_interval(secs => %(longest)s)
                RETURNING extract(epoch FROM free_at - clock_timestamp())::float8
                """,
                {"key": self._key, "length": calls * self._spacing, "longest": LONGEST_WAIT},
            )
            row = cursor.fetchone()
        if row is None:
            raise self._busy()
        first = time.monotonic() + row[0] - calls * self._spacing
        return [first + place * self._spacing for place in range(calls)]

    def block(self, seconds: float) -> None:
        """Let nobody with this key call for `seconds`."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO channels_sync_callallowance AS a (key, free_at)
                VALUES (%(key)s, clock_timestamp() + make_interval(secs => %(seconds)s))
                ON CONFLICT (key) DO UPDATE SET free_at = greatest(a.free_at, excluded.free_at)
                """,
                {"key": self._key, "seconds": seconds},
            )

    def _busy(self) -> QueueFullError:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT greatest(extract(epoch FROM free_at - clock_timestamp()), 0)::float8
                FROM channels_sync_callallowance WHERE key = %s
                """,
                [self._key],
            )
            row = cursor.fetchone()
        seconds = row[0] if row else 1.0
        message = _("The call limit of the platform is used up for %(seconds)s more seconds.")
        return QueueFullError(message % {"seconds": f"{seconds:.0f}"}, retry_after=seconds)
