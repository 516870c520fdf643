from datetime import timedelta

import pytest

from tests.triage.judge import NOW, batch, bundle, candidate, fact_of, line, put_aside
from triage.predicates.base import Campaign, PriceBook, facts
from triage.predicates.price import baseline, unpriced

LIST = PriceBook(list_prices={"SERUM-30": 10_000, "MASK": 5_000})


def off(*lines, book=LIST):
    return fact_of("price.off_percent", lines=lines, context={"prices": book})


def campaign(price, *, shop_id=None, hours=(-1, 1), number=1):
    start, end = (NOW + timedelta(hours=hour) for hour in hours)
    return Campaign(number, shop_id, price, start, end, None)


@pytest.mark.parametrize(
    ("price", "percent"),
    [(10_000, 0.0), (13_000, 30.0), (7_000, 30.0), (13_001, 30.01), (6_999, 30.01), (1, 99.99), (100_000, 900.0)],
)
def test_percent_off_the_baseline(price, percent):
    assert off(line(unit_price_fen=price)) == percent


@pytest.mark.parametrize("base", [7, 33, 129, 9_999, 12_345, 999_999_999])
def test_exactly_thirty_percent_is_never_more(base):
    book = PriceBook(list_prices={"SERUM-30": base * 10})
    assert off(line(unit_price_fen=base * 13), book=book) == 30.0
    assert off(line(unit_price_fen=base * 7), book=book) == 30.0
    assert off(line(unit_price_fen=base * 13 + 1), book=book) > 30.0


def test_the_line_furthest_off_counts():
    lines = (line(), line(line_no="2", sku="MASK", unit_price_fen=2_000))
    judged = batch(candidate(lines=lines), prices=LIST)
    assert judged.column("price.off_percent") == [60.0]
    assert facts.get("price.off_percent").explain(judged, 0) == {
        "price.change": -60.0, "price.sku": "MASK",
        "price.unit": 2_000, "price.baseline": 5_000, "price.source": "list",
    }  # fmt: skip


def test_no_baseline_is_unknown():
    assert off(line(sku="NEW")) is None
    assert off(line(sku="")) is None
    assert off(line(sku="NEW"), line(line_no="2", unit_price_fen=13_100)) == 31.0


def test_a_gift_beside_a_paid_line_is_no_odd_price():
    assert off(line(unit_price_fen=10_000), line(line_no="2", sku="MASK", unit_price_fen=0)) == 0.0
    assert off(line(unit_price_fen=0)) == 100.0


def test_a_refunded_line_is_no_odd_price():
    odd = line(line_no="2", sku="MASK", unit_price_fen=1, refund="done")
    assert off(line(unit_price_fen=10_000), odd) == 0.0
    assert off(odd) is None
    floors = {"prices": PriceBook(floors={"SERUM-30": 10_000, "MASK": 4_000})}
    assert fact_of("price.below_floor", lines=(line(unit_price_fen=10_000), odd), context=floors) is False


def test_what_was_put_aside_has_no_price():
    lines = (line(unit_price_fen=10_000), line(line_no="2", sku="MASK", title="补差价专拍", unit_price_fen=100))
    judged = batch(candidate(lines=lines, raw=put_aside("2")), candidate(lines=lines), prices=LIST)
    assert judged.column("price.off_percent") == [0.0, 98.0]
    basis = facts.get("price.off_percent").basis
    assert [basis(draft) for draft in judged.drafts] == ["SERUM-30=10000", "SERUM-30=10000;MASK=100"]
    floors = {"prices": PriceBook(floors={"SERUM-30": 10_000, "MASK": 4_000})}
    assert fact_of("price.below_floor", lines=lines, raw=put_aside("2"), context=floors) is False
    assert unpriced(batch(candidate(lines=(line(sku="BCJ"),), raw=put_aside("1")), prices=LIST)) == [()]


def test_sample_goes_before_campaign_and_campaign_before_list():
    prices = {"SERUM-30": 10_000}
    running = {"SERUM-30": [campaign(6_000)]}
    both = PriceBook(samples={(1, "SERUM-30"): (5_900, 1)}, campaigns=running, list_prices=prices)
    assert baseline(both, 1, "SERUM-30", NOW) == (5_900, "sample")
    assert baseline(PriceBook(campaigns=running, list_prices=prices), 1, "SERUM-30", NOW) == (6_000, "campaign")
    assert baseline(PriceBook(list_prices=prices), 1, "SERUM-30", NOW) == (10_000, "list")
    assert baseline(PriceBook(), 1, "SERUM-30", NOW) == (0, "")


def test_sales_of_before_the_campaign_say_nothing_about_its_price():
    book = PriceBook(samples={(1, "SERUM-30"): (10_000, None)}, campaigns={"SERUM-30": [campaign(6_000)]})
    assert baseline(book, 1, "SERUM-30", NOW) == (6_000, "campaign")
    assert baseline(book, 1, "SERUM-30", NOW + timedelta(hours=2)) == (10_000, "sample")


def test_a_shops_own_campaign_goes_first_and_ends_to_the_second():
    rows = [campaign(6_000), campaign(5_000, shop_id=1, number=2), campaign(4_000, shop_id=2, number=3)]
    book = PriceBook(campaigns={"SERUM-30": rows})
    assert baseline(book, 1, "SERUM-30", NOW) == (5_000, "campaign")
    assert baseline(book, 9, "SERUM-30", NOW) == (6_000, "campaign")
    assert baseline(book, 1, "SERUM-30", NOW + timedelta(hours=1)) == (0, "")
    assert baseline(book, 1, "SERUM-30", NOW - timedelta(hours=1)) == (5_000, "campaign")


@pytest.mark.parametrize(("price", "below"), [(4_999, True), (5_000, False), (9_000, False)])
def test_floor_price(price, below):
    book = PriceBook(floors={"SERUM-30": 5_000})
    assert fact_of("price.below_floor", lines=(line(unit_price_fen=price),), context={"prices": book}) is below


def test_no_floor_price_is_unknown():
    assert fact_of("price.below_floor") is None
    assert fact_of("price.below_floor", context={"prices": PriceBook(floors={"OTHER": 1})}) is None


PARTS = (("SERUM-30", 1), ("MASK", 2))
"""Worth 20,000 fen by the list."""


def test_a_bundle_is_not_held_against_the_prices_of_its_parts():
    judged = batch(candidate(**bundle(10_000, *PARTS)), prices=LIST)
    assert judged.column("price.off_percent") == [None]
    assert unpriced(judged) == [("SET-1",)]


@pytest.mark.parametrize(
    ("book", "source"),
    [
        (PriceBook(samples={(1, "SET-1"): (20_000, None)}), "sample"),
        (PriceBook(campaigns={"SET-1": [campaign(20_000)]}), "campaign"),
        (PriceBook(list_prices={"SET-1": 20_000, "SERUM-30": 10_000}), "list"),
    ],
)
def test_a_bundle_is_held_whole_against_a_price_of_its_own(book, source):
    judged = batch(candidate(**bundle(10_000, *PARTS, quantity=3)), prices=book)
    assert (judged.column("price.off_percent"), unpriced(judged)) == ([50.0], [()])
    assert facts.get("price.off_percent").explain(judged, 0) == {
        "price.change": -50.0, "price.sku": "SET-1", "price.unit": 10_000, "price.baseline": 20_000,
        "price.source": source,
    }  # fmt: skip


def test_two_pieces_under_the_code_of_one_are_not_held_against_it():
    judged = batch(candidate(**bundle(18_000, ("SERUM-30", 2), code="SERUM-30")), prices=LIST)
    assert unpriced(judged) == [("SERUM-30*2",)]


def test_lines_beside_a_bundle_are_judged_as_ever():
    order = bundle(10_000, *PARTS)
    lines = (*order["lines"], line(line_no="2", unit_price_fen=20_000))
    judged = batch(candidate(lines=lines, raw=order["raw"]), prices=LIST)
    assert (judged.column("price.off_percent"), unpriced(judged)) == ([100.0], [("SET-1",)])


def test_a_bundle_for_nothing_beside_a_paid_line_is_a_gift():
    order = bundle(0, *PARTS)
    judged = batch(candidate(lines=(line(line_no="2"), *order["lines"]), raw=order["raw"]), prices=LIST)
    assert unpriced(judged) == [()]


def test_an_article_without_sku_is_named_by_its_title():
    twice = (line(sku="", title="礼盒"), line(line_no="2", sku="", title="礼盒"))
    assert unpriced(batch(candidate(lines=twice), candidate(), prices=LIST)) == [("礼盒",), ()]


@pytest.mark.parametrize(("price", "below"), [(9_999, True), (10_000, False)])
def test_the_floor_of_a_bundle_is_that_of_its_parts(price, below):
    book = PriceBook(floors={"SERUM-30": 6_000, "MASK": 2_000})
    judged = batch(candidate(**bundle(price, *PARTS, quantity=3)), prices=book)
    assert judged.column("price.below_floor") == [below]
    assert facts.get("price.below_floor").explain(judged, 0) == (
        {"price.sku": "SET-1", "price.unit": 9_999, "price.floor": 10_000} if below else {}
    )


def test_parts_without_a_floor_may_cost_nothing():
    for floors, below in (({"MASK": 4_000}, True), ({"MASK": 3_000}, False), ({"OTHER": 1}, None)):
        order = candidate(**bundle(7_000, *PARTS))
        assert batch(order, prices=PriceBook(floors=floors)).column("price.below_floor") == [below]
