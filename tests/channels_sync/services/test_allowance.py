import time

import pytest

from channels_sync.connectors.base import ThrottledError
from channels_sync.models import CallAllowance
from channels_sync.services import allowance
from channels_sync.services.allowance import SharedAllowance

pytestmark = pytest.mark.django_db


def starts(*moments):
    now = time.monotonic()
    return [round(moment - now, 1) for moment in moments]


def test_calls_are_spaced():
    assert starts(*SharedAllowance("k", 10).take(4)) == [0.0, 0.1, 0.2, 0.3]


def test_two_workers_share_one_key():
    SharedAllowance("k", 10).take(5)
    assert starts(*SharedAllowance("k", 10).take(2)) == [0.5, 0.6]
    assert starts(*SharedAllowance("other", 10).take(1)) == [0.0]


def test_a_ban_holds_for_everybody_with_the_key():
    SharedAllowance("k", 10).block(3)
    SharedAllowance("k", 10).block(1)
    assert starts(*SharedAllowance("k", 10).take(1)) == [3.0]


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
