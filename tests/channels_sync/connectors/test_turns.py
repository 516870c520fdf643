import time

import pytest

from channels_sync.connectors import turns
from channels_sync.connectors.base import QueueFullError, ThrottledError
from channels_sync.connectors.turns import UnderOneBan, turn, volley
from orderhub.core.errors import TemporaryError


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
    assert 1 < slept[0] <= 2 and slept[1] == 0


@pytest.mark.parametrize(("told", "banned"), [(7.0, 7.0), (None, 1.0)])
def test_a_ban_holds_for_every_worker_and_goes_on(told, banned):
    budget = Budget(0.0)
    with pytest.raises(ThrottledError), turn(budget):
        raise ThrottledError("too many calls", retry_after=told)
    assert budget.banned == [banned]


def test_a_queue_of_our_own_that_is_full_bans_nobody():
    budget = Budget(0.0)
    with pytest.raises(QueueFullError), turn(budget):
        raise QueueFullError("25 s away", retry_after=25)
    assert budget.banned == []


def test_queues_under_one_ban_are_taken_from_apart():
    own, other = Budget(3.0), Budget(99.0)
    budget = UnderOneBan(own, (other,))
    assert budget.take(1)[0] - time.monotonic() < 4
    budget.block(7.0)
    assert (own.banned, other.banned) == ([7.0], [7.0])


@pytest.mark.parametrize(("is_narrow", "others"), [(False, [7.0]), (True, [])])
def test_a_ban_on_one_kind_of_calls_leaves_the_other_queues_alone(is_narrow, others):
    own, other = Budget(0.0), Budget(0.0)
    error = ThrottledError("too many calls", retry_after=7.0)
    error.is_narrow = is_narrow
    with pytest.raises(ThrottledError), turn(UnderOneBan(own, (other,))):
        raise error
    assert (own.banned, other.banned) == ([7.0], others)


def test_a_volley_answers_in_the_given_order():
    assert volley(lambda item: item * 10, range(20), Budget(0.0), workers=4) == list(range(0, 200, 10))
    assert volley(lambda item: item, [], Budget(0.0), workers=4) == []


@pytest.mark.parametrize(("away", "begun"), [(0.0, [0, 1]), (99.0, [])])
def test_a_volley_begins_nothing_more_once_its_time_is_over(monkeypatch, away, begun):
    monkeypatch.setattr(turns, "VOLLEY_SECONDS", 0.5)
    asked = []

    def slow(item):
        asked.append(item)
        time.sleep(0.6)
        return item

    told = volley(slow, range(5), Budget(away), workers=2)
    assert (sorted(asked), told[: len(begun)]) == (begun, begun)
    assert [type(answer) for answer in told[len(begun) :]] == [TemporaryError] * (5 - len(begun))
