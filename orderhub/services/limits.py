"""Rate limits that all processes share.

The counters live in the table of the database cache, as one atomic statement each: Django's cache interface would take
six and lose counts between them.
"""

from dataclasses import dataclass
from hashlib import sha256

from django.conf import settings
from django.db import connection

PREFIX = "limit:"


@dataclass(slots=True, frozen=True)
class Limit:
    """At most `most` in `seconds` (fixed windows that begin with the first), of whatever `name` and a key say."""

    name: str
    most: int
    seconds: int

    def count(self, key: str, times: int = 1) -> bool:
        """Count one more, or as many as one request stands for; false when that is too many."""
        table = connection.ops.quote_name(settings.HUB_CACHE_TABLE)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                INSERT INTO {table} AS c (cache_key, value, expires)
                VALUES (%s, %s, now() + make_interval(secs => %s))
                ON CONFLICT (cache_key) DO UPDATE SET
                    value = CASE WHEN c.expires < now() THEN excluded.value
                            ELSE (c.value::int + excluded.value::int)::text END,
                    expires = CASE WHEN c.expires < now() THEN excluded.expires ELSE c.expires END
                RETURNING value::int
                """,  # noqa: S608  (the table's name is a setting)
                [self._place(key), str(times), self.seconds],
            )
            used: int = cursor.fetchone()[0]
            if used == times:
                # Whoever opens a window clears old ones away, so that the table stays small without a job.
                cursor.execute(
                    f"""
                    DELETE FROM {table} WHERE cache_key IN (
                        SELECT cache_key FROM {table} WHERE expires < now() - interval '1 hour'
                        AND cache_key LIKE %s LIMIT 20)
                    """,  # noqa: S608
                    [f"{PREFIX}%"],
                )
        return used <= self.most

    def is_used_up(self, key: str) -> bool:
        """Tell, without counting, whether the next one is refused."""
        table = connection.ops.quote_name(settings.HUB_CACHE_TABLE)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT value::int FROM {table} WHERE cache_key = %s AND expires >= now()",  # noqa: S608
                [self._place(key)],
            )
            row = cursor.fetchone()
        return row is not None and row[0] >= self.most

    def forget(self, key: str) -> None:
        """Start again from zero."""
        table = connection.ops.quote_name(settings.HUB_CACHE_TABLE)
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE cache_key = %s", [self._place(key)])  # noqa: S608

    def _place(self, key: str) -> str:
        return f"{PREFIX}{self.name}:{sha256(key.encode()).hexdigest()}"


LOGIN_FAILURES = Limit("login", most=5, seconds=300)
"""Of one name from one address."""
LOGIN_FAILURES_OF_ADDRESS = Limit("login-address", most=100, seconds=300)
"""High, because a company may sit behind one address."""
SEARCHES = Limit("search", most=240, seconds=60)
"""Of one person, at the desk and in the console; typing costs one for each pause, a pasted list one for each phone
in it. Without it, the four digits that a masked phone hides could be tried out within a minute."""
API_SEARCHES = Limit("api-search", most=600, seconds=60)
"""Of one token, behind which a whole team may search."""
