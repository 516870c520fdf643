from tests.triage.judge import batch, candidate, fact_of, line
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
