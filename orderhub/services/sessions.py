"""What the server is told about the hub's sessions."""

import structlog
from django.db import connection
from psycopg import sql

log = structlog.get_logger(__name__)

NAME = "idle_in_transaction_session_timeout"
IDLE = "60s"
"""The hub computes for seconds at most between two questions of a transaction, and never waits for others in it."""
CHOSEN = frozenset({"client", "database", "database user", "user"})
"""Where a limit comes from that somebody set for the hub; one of the whole server is meant for everybody."""


def limit_idle_transactions() -> bool:
    """Have the server end transactions of the hub's role that do nothing for `IDLE`; false when a limit was chosen.

    One that was forgotten in a shell, or left by a process that hangs, would hold its locks for ever. The role has the
    limit, not the connection: a pooler hands on no setting of a session. It holds for sessions that begin from now on.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT source, current_database() FROM pg_settings WHERE name = %s", [NAME])
        source, database = cursor.fetchone()
        if source in CHOSEN:
            return False
        # Every role may do this for itself.
        statement = sql.SQL("ALTER ROLE SESSION_USER IN DATABASE {} SET {} = {}")
        parts = (sql.Identifier(database), sql.Identifier(NAME), sql.Literal(IDLE))
        cursor.execute(statement.format(*parts).as_string())
    log.info("idle transactions are limited", after=IDLE)
    return True
