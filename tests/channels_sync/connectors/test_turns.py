import time

import pytest

from channels_sync.connectors.base import ThrottledError
from channels_sync.connectors.turns import turn


class Budget:
    """A queue whose next place is `away` seconds off."""

    def __init__(self, away):
        self.away, self.banned = away, []

    def take(self, calls):
        return [time.monotonic() + self.away] * calls

    def block(self, seconds):
        self.banned.append(seconds)


def test_a_call_waits_for_its_turn(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    for away in (2.0, -1.0):
        with turn(Budget(away)):
            pass
    assert [round(seconds, 1) for seconds in slept] == [2.0, 0.0]


@pytest.mark.parametrize(("told", "banned"), [(7.0, 7.0), (None, 1.0)])
def test_a_ban_holds_for_every_worker_and_goes_on(told, banned):
    budget = Budget(0.0)
    with pytest.raises(ThrottledError), turn(budget):
        raise ThrottledError("too many calls", retry_after=told)
    assert budget.banned == [banned]
