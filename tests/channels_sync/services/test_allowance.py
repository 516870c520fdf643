import time

import pytest

from channels_sync.connectors.base import ThrottledError
from channels_sync.models import CallAllowance
from channels_sync.services import allowance
from channels_sync.services.allowance import SharedAllowance

pytestmark = pytest.mark.django_db


@pytest.fixture
def begun():
    return time.monotonic()


def check(moments, begun, away):
    """The first of `moments` is `away` seconds off, from some moment between `begun` and now; the others follow."""
    assert begun + away - 0.01 <= moments[0] <= time.monotonic() + away + 0.01
    assert [moment - moments[0] for moment in moments] == pytest.approx([0.1 * place for place in range(len(moments))])


def test_calls_are_spaced(begun):
    check(SharedAllowance("k", 10).take(4), begun, 0)


def test_two_workers_share_one_key(begun):
    SharedAllowance("k", 10).take(5)
    check(SharedAllowance("k", 10).take(2), begun, 0.5)
    check(SharedAllowance("other", 10).take(1), begun, 0)


def test_a_ban_holds_for_everybody_with_the_key(begun):
    SharedAllowance("k", 10).block(3)
    SharedAllowance("k", 10).block(1)
    check(SharedAllowance("k", 10).take(1), begun, 3)


def test_a_turn_too_far_away_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(allowance, "LONGEST_WAIT", 5)
    SharedAllowance("k", 10).block(100)
    before = CallAllowance.objects.get(key="k").free_at
    with pytest.raises(ThrottledError) as refused:
        SharedAllowance("k", 10).take(1)
    assert 99 < refused.value.retry_after <= 100
    assert CallAllowance.objects.get(key="k").free_at == before


def test_one_query_for_any_number_of_calls(django_assert_num_queries):
    for calls in (1, 50):
        with django_assert_num_queries(1):
            SharedAllowance("k", 1000).take(calls)
