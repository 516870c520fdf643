"""Taking turns under the call limit of an application key."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from channels_sync.connectors.base import CallBudget, ThrottledError


def wait_for(budget: CallBudget) -> None:
    """Take a place in the queue of a budget and sleep until its turn. Raises ThrottledError when that is far away."""
    time.sleep(max(0.0, budget.take(1)[0] - time.monotonic()))


@contextmanager
def heeding(budget: CallBudget) -> Iterator[None]:
    """Let a ban that the platform speaks in here hold for all workers of the key; the error goes on."""
    try:
        yield
    except ThrottledError as error:
        budget.block(error.retry_after or 1.0)
        raise


@contextmanager
def turn(budget: CallBudget) -> Iterator[None]:
    """Wait for a turn, then call; a ban is heeded."""
    wait_for(budget)
    with heeding(budget):
        yield
