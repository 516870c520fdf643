from datetime import timedelta

import pytest

from tests.triage.judge import NOW, batch, candidate, fact_of, line, put_aside
from triage.predicates.base import Bought, facts


def bought(seconds, *, paid=None, order_id=77, is_gone=False):
    """Return an order of the pool, placed and paid so many seconds after NOW."""
    at, paid_at = (NOW + timedelta(seconds=s) for s in (seconds, seconds if paid is None else paid))
    return Bought(order_id, at, paid_at, "SERUM-30", 1, is_gone)


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


@pytest.mark.parametrize(("raw", "found"), [({}, True), (put_aside("2"), False)])
def test_what_was_put_aside_is_no_purchase(raw, found):
    postage = line(line_no="2", sku="BYF", title="补邮费", unit_price_fen=100)
    first = candidate(buyer_id=1, lines=(line(sku="A"), postage), raw=raw)
    second = candidate(buyer_id=1, at=60, lines=(line(sku="B"), postage), raw=raw)
    assert repeats(first, second) == [False, found]


@pytest.mark.parametrize("status", ["unpaid", "cancelled", "refunded"])
def test_what_was_not_bought_cannot_be_repeated(status):
    assert repeats(candidate(buyer_id=1, status=status), candidate(buyer_id=1, at=60)) == [False, False]


def test_buyers_are_kept_apart_and_none_is_unknown():
    assert repeats(candidate(buyer_id=1), candidate(buyer_id=2, at=60)) == [False, False]
    assert fact_of("duplicate.is_repeat") is None


def test_the_pool_counts_too_and_the_earlier_order_is_named():
    earlier = bought(-240)
    judged = batch(candidate(buyer_id=1), bought={1: [earlier]})
    assert judged.column("duplicate.is_repeat") == [True]
    assert facts.get("duplicate.is_repeat").explain(judged, 0) == {
        "duplicate.sku": "SERUM-30", "duplicate.quantity": 1, "duplicate.minutes": 4.0, "duplicate.order": 77,
    }  # fmt: skip
    assert repeats(candidate(buyer_id=1), bought={1: [bought(60)]}) == [False]


def test_the_one_that_was_paid_later_is_the_repeat():
    first = candidate(buyer_id=1, paid_at=NOW + timedelta(seconds=300))
    second = candidate(buyer_id=1, at=120, paid_at=NOW + timedelta(seconds=125))
    assert repeats(first, second) == [True, False]
    assert repeats(first, bought={1: [bought(120, paid=125)]}) == [True]
    assert repeats(second, bought={1: [bought(0, paid=300)]}) == [False]
    assert repeats(first, bought={1: [bought(600, paid=1)]}) == [False]


def test_of_two_paid_in_the_same_second_the_one_that_came_second_is_the_repeat():
    order = candidate(buyer_id=1, order_id=78)
    assert [repeats(order, bought={1: [bought(0, order_id=number)]}) for number in (77, 79)] == [[True], [False]]


def test_what_the_warehouse_has_by_now_can_be_repeated_only():
    assert repeats(candidate(buyer_id=1), bought={1: [bought(60, is_gone=True)]}) == [True]
