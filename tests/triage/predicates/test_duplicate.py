from datetime import timedelta

import pytest

from tests.triage.judge import NOW, batch, candidate, fact_of, line
from triage.predicates.base import Bought, facts


def repeats(*orders, **context):
    return batch(*orders, **context).column("duplicate.is_repeat")


@pytest.mark.parametrize(("seconds", "repeat"), [(0, True), (599, True), (600, False)])
def test_the_second_of_two_within_ten_minutes(seconds, repeat):
    assert repeats(candidate(buyer_id=1), candidate(buyer_id=1, at=seconds)) == [False, repeat]


def test_the_sequence_of_a_delivery_does_not_matter():
    assert repeats(candidate(buyer_id=1, at=60), candidate(buyer_id=1)) == [True, False]


@pytest.mark.parametrize(
    "changes",
    [
        {"lines": (line(sku="OTHER"),)},
        {"lines": (line(quantity=2),)},
        {"lines": (line(unit_price_fen=0),)},
        {"lines": (line(sku=""),)},
        {"lines": (line(refund="done"),)},
    ],
)
def test_other_purchases_are_no_repeat(changes):
    assert repeats(candidate(buyer_id=1), candidate(buyer_id=1, at=60, **changes)) == [False, False]


def test_gifts_are_the_same_for_everybody():
    gift = line(line_no="2", sku="GIFT", unit_price_fen=0)
    first = candidate(buyer_id=1, lines=(line(sku="A"), gift))
    second = candidate(buyer_id=1, at=60, lines=(line(sku="B"), gift))
    assert repeats(first, second) == [False, False]


def test_what_was_refunded_cannot_be_repeated():
    first = candidate(buyer_id=1, lines=(line(refund="done"), line(line_no="2", sku="B")))
    assert repeats(first, candidate(buyer_id=1, at=60)) == [False, False]


@pytest.mark.parametrize("status", ["unpaid", "cancelled", "refunded"])
def test_what_was_not_bought_cannot_be_repeated(status):
    assert repeats(candidate(buyer_id=1, status=status), candidate(buyer_id=1, at=60)) == [False, False]


def test_buyers_are_kept_apart_and_none_is_unknown():
    assert repeats(candidate(buyer_id=1), candidate(buyer_id=2, at=60)) == [False, False]
    assert fact_of("duplicate.is_repeat") is None


def test_the_pool_counts_too_and_the_earlier_order_is_named():
    earlier = Bought(77, NOW - timedelta(minutes=4), "SERUM-30", 1)
    judged = batch(candidate(buyer_id=1), bought={1: [earlier]})
    assert judged.column("duplicate.is_repeat") == [True]
    assert facts.get("duplicate.is_repeat").explain(judged, 0) == {
        "duplicate.sku": "SERUM-30", "duplicate.quantity": 1, "duplicate.minutes": 4.0, "duplicate.order": 77,
    }  # fmt: skip
    later = Bought(78, NOW + timedelta(minutes=1), "SERUM-30", 1)
    assert repeats(candidate(buyer_id=1), bought={1: [later]}) == [False]
