from types import SimpleNamespace

import pytest
from django.db import InterfaceError, OperationalError, transaction

from orderhub.services import repeats
from orderhub.services.repeats import apart, steadily


@pytest.fixture
def waits(monkeypatch):
    """The pauses that were made, without making them."""
    made = []
    monkeypatch.setattr(repeats, "time", SimpleNamespace(sleep=made.append))
    return made


def failing(times, error=OperationalError):
    left = [error("deadlock detected")] * times

    def work():
        if left:
            raise left.pop()
        return "done"

    return work


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_what_the_database_broke_off_is_done_again_after_longer_and_longer_pauses(waits, error):
    assert steadily(failing(3, error)) == "done"
    assert [0.5 * pause <= wait <= 1.5 * pause for wait, pause in zip(waits, repeats.PAUSES, strict=False)] == [
        True
    ] * 3


@pytest.mark.django_db(transaction=True)
def test_in_the_end_the_error_is_told(waits):
    with pytest.raises(OperationalError):
        steadily(failing(6))
    assert len(waits) == 5


@pytest.mark.django_db(transaction=True)
def test_a_transaction_around_it_is_lost_as_a_whole(waits):
    with pytest.raises(OperationalError), transaction.atomic():
        steadily(failing(1))
    assert waits == []


@pytest.mark.django_db(transaction=True)
def test_other_errors_are_not_the_databases(waits):
    with pytest.raises(ValueError, match="mine"):
        steadily(failing(1, lambda _text: ValueError("mine")))
    assert waits == []


def test_what_breaks_the_work_is_found_and_the_rest_is_done():
    def work(numbers):
        if 3 in numbers:
            raise KeyError(3)
        return sum(numbers)

    assert apart(work, [1, 2, 4]) == ([7], [])
    done, broken = apart(work, [1, 2, 3, 4, 5])
    assert (done, [(item, type(error)) for item, error in broken]) == ([3, 9], [(3, KeyError)])


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_away_is_not_laid_on_one_item(error):
    with pytest.raises(error):
        apart(lambda _items: failing(1, error)(), [1, 2])
