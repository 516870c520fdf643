from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.triage.judge import NOW, batch, bundle, candidate, fact_of, line, put_aside
from triage.predicates.base import Campaign, PriceBook, facts


def test_pieces_of_one_sku_add_up_over_lines():
    lines = (line(quantity=6), line(line_no="2", quantity=5), line(line_no="3", sku="B", quantity=8))
    assert fact_of("amount.most_of_one_sku", lines=lines) == 11
    assert fact_of("amount.pieces", lines=lines) == 19
    assert fact_of("amount.most_of_one_sku", lines=(line(quantity=3),)) == 3


def test_lines_without_sku_are_not_one_article():
    lines = tuple(line(line_no=str(n), sku="", title=f"T{n}", quantity=1 + n // 10) for n in range(11))
    judged = batch(candidate(lines=lines))
    assert judged.column("amount.most_of_one_sku") == [2]
    assert facts.get("amount.most_of_one_sku").explain(judged, 0) == {"amount.sku": "T10"}


def test_gifts_beside_paid_lines_do_not_count():
    gifts = line(line_no="2", sku="GIFT", quantity=12, unit_price_fen=0)
    assert fact_of("amount.most_of_one_sku", lines=(line(), gifts)) == 1
    assert fact_of("amount.most_of_one_sku", lines=(gifts,)) == 12
    assert fact_of("amount.pieces", lines=(line(), gifts)) == 13


@pytest.mark.parametrize(("pieces", "most"), [(20, 1), (21, 21), (500, 500)])
def test_more_free_pieces_than_anybody_gives_away_count(pieces, most):
    free = line(line_no="2", sku="SERUM-30", quantity=pieces, unit_price_fen=0)
    assert fact_of("amount.most_of_one_sku", lines=(line(sku="OTHER"), free)) == most


def test_refunded_lines_do_not_count():
    lines = (line(quantity=12, refund="done"), line(line_no="2", sku="B", quantity=2, refund="refused"))
    assert fact_of("amount.most_of_one_sku", lines=lines) == 2
    assert fact_of("amount.pieces", lines=lines) == 2
    assert fact_of("amount.most_of_one_sku", lines=lines[:1]) == 0


def test_an_order_of_refunded_lines_only_has_no_sku_to_name():
    judged = batch(candidate(lines=(line(quantity=12, refund="done"),)))
    assert facts.get("amount.most_of_one_sku").explain(judged, 0) == {}


def test_what_was_put_aside_is_no_goods_but_money_that_was_paid():
    supplement = line(line_no="2", sku="BCJ", title="补差价专拍", quantity=25, unit_price_fen=100)
    order = {"lines": (line(quantity=2), supplement), "raw": put_aside("2"), "total_fen": 28_300, "paid_fen": 28_300}
    judged = batch(candidate(**order))
    names = ("most_of_one_sku", "pieces", "total", "paid")
    assert [judged.column(f"amount.{name}") for name in names] == [[2], [2], [28_300], [28_300]]
    fact = facts.get("amount.most_of_one_sku")
    assert fact.explain(judged, 0) == {"amount.sku": "SERUM-30"}
    assert fact.basis(judged.drafts[0]) == "SERUM-30=2"
    assert fact_of("amount.most_of_one_sku", lines=(supplement,), raw=put_aside("2")) == 0


def test_sums_are_the_channels():
    values = {"total_fen": 500_001, "paid_fen": 400_000, "discount_fen": 100_001}
    assert [fact_of(f"amount.{name}", **values) for name in ("total", "paid", "discount")] == [
        500_001,
        400_000,
        100_001,
    ]


@pytest.mark.parametrize(("quantity", "over"), [(2, False), (3, True)])
def test_campaign_limit(quantity, over):
    limited = Campaign(1, None, 100, NOW - timedelta(hours=1), NOW + timedelta(hours=1), 2)
    book = PriceBook(campaigns={"SERUM-30": [limited]})
    lines = (line(quantity=quantity),)
    assert fact_of("amount.over_campaign_limit", lines=lines, context={"prices": book}) is over
    assert fact_of("amount.over_campaign_limit", lines=lines, at=3601, context={"prices": book}) is False
    assert fact_of("amount.over_campaign_limit", lines=lines) is False


def test_a_bundle_counts_until_all_of_its_parts_are_refunded():
    order = bundle(9_900, ("MASK", 12), ("CREAM", 1), quantity=11)
    parts = [replace(part, refund="done") for part in order["lines"]]
    some = (parts[0], order["lines"][1])
    assert fact_of("amount.most_of_one_sku", lines=some, raw=order["raw"]) == 11
    lines = (*parts, line(line_no="2", sku="B"))
    assert fact_of("amount.most_of_one_sku", lines=lines, raw=order["raw"]) == 1


def test_a_bundle_counts_as_one_piece_of_itself():
    order = bundle(9_900, ("MASK", 12), quantity=3)
    lines = (*order["lines"], line(line_no="2", sku="MASK", quantity=2))
    assert fact_of("amount.most_of_one_sku", lines=lines, raw=order["raw"]) == 3
    assert fact_of("amount.most_of_one_sku", **order) == 3
    assert fact_of("amount.pieces", lines=lines, raw=order["raw"]) == 38


@pytest.mark.parametrize(("sku", "over"), [("MASK", False), ("SET-1", True)])
def test_the_limit_of_a_part_is_not_that_of_the_bundle(sku, over):
    limited = Campaign(1, None, 100, NOW - timedelta(hours=1), NOW + timedelta(hours=1), 2)
    context = {"prices": PriceBook(campaigns={sku: [limited]})}
    order = bundle(9_900, ("MASK", 12), quantity=3)
    assert fact_of("amount.over_campaign_limit", **order, context=context) is over
