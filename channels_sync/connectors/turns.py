"""Taking turns under the call limit of an application key."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from channels_sync.connectors.base import CallBudget, QueueFullError, ThrottledError


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
