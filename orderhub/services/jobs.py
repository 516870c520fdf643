"""Heartbeats: every periodic job says that it ran, so that a silent one is noticed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import connection

from orderhub.core.errors import words_of

log = structlog.get_logger(__name__)


@contextmanager
def beat(name: str, every_seconds: int) -> Iterator[None]:
    """Run the body as the job `name` and write its heartbeat, also when it fails; the failure goes on."""
    started = time.monotonic()
    try:
        yield
    except Exception as error:
        _write(name, every_seconds, started, ok=False, message=words_of(error)[:500])
        raise
    _write(name, every_seconds, started, ok=True, message="")


def _write(name: str, every_seconds: int, started: float, *, ok: bool, message: str) -> None:
    took_ms = int((time.monotonic() - started) * 1000)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO orderhub_jobheartbeat (name, beat_at, took_ms, is_ok, message, every_seconds)
            VALUES (%s, now(), %s, %s, %s, %s)
            ON CONFLICT (name) DO UPDATE SET beat_at = now(), took_ms = excluded.took_ms, is_ok = excluded.is_ok,
                message = excluded.message, every_seconds = excluded.every_seconds
            """,
            [name, took_ms, ok, message, every_seconds],
        )
    log.info("job ran", job=name, took_ms=took_ms, ok=ok)
