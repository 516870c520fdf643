"""Whether this hub can work: database, migrations, jobs."""

from dataclasses import dataclass

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

LATE_FACTOR = 3
"""A job is late when it has missed this many of its turns."""
LATE_AT_LEAST_SECONDS = 60


@dataclass(slots=True, frozen=True)
class Part:
    """One part of the hub; `problem` is empty when it works."""

    name: str
    problem: str = ""


_migrated: set[str] = set()


def parts() -> list[Part]:
    """Return every part with its problem. Where the database is away, only that is told."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return [Part("database"), Part("migrations", _missing_migrations()), Part("workers", silent_jobs())]
    except DatabaseError as error:
        return [Part("database", type(error).__name__)]


def _missing_migrations() -> str:
    # Reading all migration files takes 50 ms; what is applied stays applied as long as this code runs.
    name = str(connection.settings_dict["NAME"])
    if name in _migrated:
        return ""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        return ", ".join(f"{migration.app_label}.{migration.name}" for migration, _back in plan[:5])
    _migrated.add(name)
    return ""


def silent_jobs() -> str:
    """Return the jobs that did not report for long, joined; empty when the workers are at it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT name, beat_at < now() - make_interval(secs => greatest(every_seconds * %s, %s))
            FROM orderhub_jobheartbeat ORDER BY name
            """,
            [LATE_FACTOR, LATE_AT_LEAST_SECONDS],
        )
        jobs = cursor.fetchall()
    if not jobs:
        return "no job has reported yet"
    return ", ".join(name for name, is_late in jobs if is_late)
