"""Work on the database that is done again: when the database itself got in its way, or without what breaks it."""

import time
from collections.abc import Callable, Sequence
from random import uniform
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

T = TypeVar("T")
R = TypeVar("R")

PAUSES: Sequence[float] = (0.05, 0.3, 1, 3, 6)
"""Seconds before each further try: a deadlock is over at once, a database that restarts is back after some."""


def steadily(work: Callable[[], T]) -> T:
    """Return what `work` returns; do it again after a deadlock or a lost connection, for about ten seconds.

    `work` is one transaction, or may be done twice. Inside a transaction it is done once: that one is lost as a whole.
    Raises OperationalError or InterfaceError when no try got through.
    """
    for pause in PAUSES:
        try:
            return work()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block:
                raise
            connection.close_if_unusable_or_obsolete()
            time.sleep(pause * uniform(0.5, 1.5))  # noqa: S311  (jitter, not a secret)
    return work()


def apart(work: Callable[[Sequence[T]], R], items: Sequence[T]) -> tuple[list[R], list[tuple[T, Exception]]]:
    """Return what `work` returns of all items or, where that breaks, of halves of halves; and the items that break it
    alone, each with its error.

    Raises OperationalError and InterfaceError: a database that is away says nothing of an item.
    """
    try:
        return [work(items)], []
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  (any work; one item must not hold up the others)
        if len(items) == 1:
            return [], [(items[0], error)]
    middle = len(items) // 2
    done, broken = apart(work, items[:middle])
    more, others = apart(work, items[middle:])
    return done + more, broken + others
