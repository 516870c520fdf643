from orderhub.core.told import TOLD
from tests.triage.judge import batch, candidate, fact_of, line, put_aside
from triage.predicates.base import facts


def test_short_stock_names_its_skus():
    judged = batch(candidate(short=("A", "B")), candidate())
    assert judged.column("stock.is_short") == [True, False]
    assert facts.get("stock.is_short").explain(judged, 0) == {"stock.short_skus": ["A", "B"]}


def test_a_line_without_sku_is_unmatched():
    assert fact_of("stock.has_unmatched", lines=(line(), line(line_no="2", sku=""))) is True
    assert fact_of("stock.has_unmatched", lines=(line(sku=""),)) is True
    assert fact_of("stock.has_unmatched") is False
    assert fact_of("stock.skus", lines=(line(), line(line_no="2", sku="B"))) == ("SERUM-30", "B")


def test_a_refunded_line_needs_no_sku():
    lines = (line(), line(line_no="2", sku="", refund="done"))
    assert fact_of("stock.has_unmatched", lines=lines) is False
    assert fact_of("stock.skus", lines=lines) == ("SERUM-30",)


def test_what_was_put_aside_needs_no_sku():
    lines = (line(), line(line_no="2", sku="", title="补邮费"))
    assert fact_of("stock.has_unmatched", lines=lines, raw=put_aside("2")) is False
    assert fact_of("stock.skus", lines=lines, raw=put_aside("2")) == ("SERUM-30",)


def test_a_code_that_nobody_knows_is_unmatched_and_named():
    notes = {TOLD: [{"line_no": "1", "item_id": "11", "unmatched": True}, {"line_no": "2", "item_id": "12"}]}
    lines = (line(sku="X"), line(line_no="2", sku="Y"), line(line_no="3", sku="", title="礼盒"))
    judged = batch(candidate(lines=lines, raw=notes), candidate(raw={TOLD: [{"line_no": "1", "item_id": "11"}]}))
    assert judged.column("stock.has_unmatched") == [True, False]
    fact = facts.get("stock.has_unmatched")
    assert fact.explain(judged, 0) == {"stock.unmatched": ["X", "礼盒"]}
    assert fact.basis(judged.drafts[0]) == "X;礼盒"
