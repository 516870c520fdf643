"""Several pieces of work at once in one process: while the database commits one, the next is read and judged."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Event
from typing import Any, TypeVar

from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 2
"""A third gives nothing: all Python work of a process takes turns, only the waiting for the database overlaps."""


def in_flight(
    work: Callable[[T], R], pieces: Iterable[T], *, at_once: int = AT_ONCE, ended: Event | None = None
) -> Iterator[R]:
    """Yield what `work` returns for each piece, in the order of the pieces; `at_once` of them are worked on side by
    side, each in a thread with a connection of its own.

    The pieces themselves are made here, one after the other, a few ahead of the results. The first error is raised in
    its place; what runs beside it comes to its end, nothing else begins. `ended` is set then, so that work which only
    waits need not wait on. Inside a transaction the pieces are worked on one by one: another connection would not see
    what the transaction has done.
    """
    if connection.in_atomic_block:
        yield from map(work, pieces)
        return
    opened: list[BaseDatabaseWrapper] = []
    running: deque[Future[R]] = deque()
    with ThreadPoolExecutor(at_once, "in-flight", lambda: opened.append(_shared_connection())) as pool:
        try:
            for piece in pieces:
                running.append(pool.submit(copy_context().run, work, piece))
                if len(running) > at_once:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            if ended:
                ended.set()
            for future in running:
                future.cancel()
            pool.shutdown()
            for own in opened:
                own.close()


def _shared_connection() -> Any:
    """Return the connection of this thread, which the one that began the work will close."""
    own = connections[connection.alias]
    own.inc_thread_sharing()
    return own
