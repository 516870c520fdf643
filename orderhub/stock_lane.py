"""The lane of the stock: channels learn within seconds what is left, however busy the job cluster is.

It looks at what moved twice a second, asks for the writes that follow, and carries each shop's out on a thread of its
own: a slow platform holds up no other. Whatever it misses, the job `stock` of the table of jobs finds.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import structlog
from django.db import Error, connection, connections

from channels_sync.services import stock
from orderhub.services import jobs, outbox

log = structlog.get_logger(__name__)

NAME = "show_stock"
LOOK_SECONDS = 0.5
WHOLE_LOOK_SECONDS = 15
"""Everything is compared this often (0.5 s for 50,000 listings): terms and parts change without any stock moving."""
OVERLAP = timedelta(seconds=20)
"""A transaction's stock carries the time of its begin, and is seen at its end."""
BEAT_SECONDS = 30
THREADS = 4
CATCH_UP_SECONDS = 40
PAUSE_SECONDS = 2.0
"""The wait after a database that does not answer."""


class StockLane:
    """The loop's memory: up to when it has looked, and how many shops are being told."""

    def __init__(self, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="stock")
        self._free = threading.Semaphore(threads)
        self._lock = threading.Lock()
        self._looked_at: datetime | None = None
        self._last: dict[str, float] = {}

    def run(self, is_ending: Callable[[], bool]) -> None:
        """Look and tell until `is_ending`, then wait for the turns under way."""
        try:
            while not is_ending():
                time.sleep(self._safe_step())
        finally:
            self._pool.shutdown(wait=True)

    def step(self) -> None:
        """Look once at what moved and start what is due."""
        if self._is_time("beat", BEAT_SECONDS):
            with jobs.beat(NAME, BEAT_SECONDS):
                pass
        stock.want(since=self._since())
        for _ in range(_due()):
            if not self._free.acquire(blocking=False):
                return
            self._pool.submit(self._tell_one)

    def _safe_step(self) -> float:
        try:
            self.step()
        except Error as error:
            log.warning("the database does not answer", error=type(error).__name__)
            connections.close_all()
            return PAUSE_SECONDS
        return LOOK_SECONDS

    def _since(self) -> datetime | None:
        """Return from when on moves are looked at; None looks at everything."""
        now = _now()
        with self._lock:
            last, self._looked_at = self._looked_at, now
        is_whole = self._is_time("whole", WHOLE_LOOK_SECONDS)
        return None if last is None or is_whole else last - OVERLAP

    def _tell_one(self) -> None:
        try:
            began = _now()
            if outbox.drain(limit=1, kinds=[stock.KIND]).total:
                self._look_again_from(began)
        except Error as error:
            log.warning("a turn was cut off", error=type(error).__name__)
        finally:
            connections.close_all()
            self._free.release()

    def _look_again_from(self, began: datetime) -> None:
        """What moved while a shop was told could not ask for a write of its own then."""
        with self._lock:
            self._looked_at = min(self._looked_at or began, began)

    def _is_time(self, chore: str, every_seconds: float) -> bool:
        now = time.monotonic()
        if now - self._last.get(chore, float("-inf")) < every_seconds:
            return False
        self._last[chore] = now
        return True


def catch_up(*, overdue_seconds: float = 10) -> int:
    """Ask for what differs, and tell it from here where the lane has left something waiting; return how many turns.

    For the table of jobs: one pass a minute that needs no lane.
    """
    stock.want()
    turns, stop_at = 0, time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < stop_at and _due(overdue_seconds) and outbox.drain(limit=1, kinds=[stock.KIND]).total:
        turns += 1
    return turns


def _due(overdue_seconds: float = 0) -> int:
    """Return how many shops wait to be told, those included whose worker died."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT count(*) FROM orderhub_effect WHERE kind = %(kind)s AND state = 'pending'
                        AND due_at <= now() - make_interval(secs => %(overdue)s))
                 + (SELECT count(*) FROM orderhub_effect WHERE kind = %(kind)s AND state = 'sending'
                        AND leased_until < now() - make_interval(secs => %(overdue)s))
            """,
            {"kind": stock.KIND, "overdue": overdue_seconds},
        )
        return int(cursor.fetchone()[0])


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
