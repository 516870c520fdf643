"""Taking turns under the call limit of an application key."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from django.utils.translation import activate, get_language
from django.utils.translation import gettext as _

from channels_sync.connectors.base import CallBudget, QueueFullError, ThrottledError
from channels_sync.connectors.causes import Cause, because
from orderhub.core.errors import HubError, TemporaryError

T = TypeVar("T")
R = TypeVar("R")

VOLLEY_SECONDS = 60.0
"""After so long a volley begins no further call. Where every call runs into its deadline (three tries of ten seconds
each) it ends two seconds later: a job has 120, and what ends it from outside tells nobody what was wrong."""


@dataclass(slots=True, frozen=True)
class UnderOneBan:
    """A queue of its own, `own`, for one kind of calls; a ban of the platform holds for the `others` too, unless it is
    on that kind alone."""

    own: CallBudget
    others: Sequence[CallBudget]

    def take(self, calls: int) -> Sequence[float]:
        """Take places in the own queue."""
        return self.own.take(calls)

    def block(self, seconds: float) -> None:
        """Let nobody call for `seconds`, in whatever queue."""
        for budget in (self.own, *self.others):
            budget.block(seconds)


def wait_for(budget: CallBudget) -> None:
    """Take a place in the queue of a budget and sleep until its turn. Raises ThrottledError when that is far away."""
    time.sleep(max(0.0, budget.take(1)[0] - time.monotonic()))


def heed(budget: CallBudget, error: ThrottledError) -> None:
    """Let a ban hold for all workers of the key; one on a single kind of calls may last a day and holds for its queue
    only."""
    queue = budget.own if error.is_narrow and isinstance(budget, UnderOneBan) else budget
    queue.block(error.retry_after or 1.0)


@contextmanager
def heeding(budget: CallBudget) -> Iterator[None]:
    """Let a ban that the platform speaks in here hold for all workers of the key; the error goes on."""
    try:
        yield
    except QueueFullError:
        raise
    except ThrottledError as error:
        heed(budget, error)
        raise


@contextmanager
def turn(budget: CallBudget) -> Iterator[None]:
    """Wait for a turn, then call; a ban is heeded."""
    wait_for(budget)
    with heeding(budget):
        yield


def volley(
    call: Callable[[T], R | HubError], items: Sequence[T], budget: CallBudget, *, workers: int
) -> list[R | HubError]:  # fmt: skip
    """Return `call` of each item, in the given order; `workers` of them run at once, each in its turn of the budget.

    What is not begun within VOLLEY_SECONDS comes back as TemporaryError. Raises what `call` raises; what is not begun
    by then is left out.
    """
    if not items:
        return []
    until = time.monotonic() + VOLLEY_SECONDS
    # A new thread speaks the hub's own language; errors are told in that of who asked.
    language = get_language() or ""

    def in_turn(item: T, start: float) -> R | HubError:
        if max(start, time.monotonic()) >= until:
            return because(Cause.NETWORK, TemporaryError(_("The platform answers too slowly.")))
        time.sleep(max(0.0, start - time.monotonic()))
        return call(item)

    with ThreadPoolExecutor(min(workers, len(items)), initializer=activate, initargs=(language,)) as pool:
        # The turns are taken here: a thread of the pool must not open a database connection.
        return list(pool.map(in_turn, items, budget.take(len(items))))
