import pytest
from msgspec.structs import replace

from orderhub.core.told import TOLD, bundle_names, bundles_of, sold_lines, unmatched_codes, with_goods_only
from tests.triage.judge import bundle, draft, line, put_aside

SET = bundle(10_000, ("SERUM", 1), ("MASK", 5), quantity=2)


def shown(lines):
    return [(each.line_no, each.sku, each.quantity, each.unit_price_fen) for each in lines]


def test_a_bundle_is_sold_as_one_line():
    order = draft(lines=(line(line_no="0", sku="A"), *SET["lines"], line(line_no="9", sku="B")), raw=SET["raw"])
    assert [each.line_no for each in order.lines] == ["0", "1.1", "1.2", "9"]
    assert shown(sold_lines(order)) == [
        ("0", "A", 1, 12_900), ("1", "SET-1", 2, 10_000), ("9", "B", 1, 12_900),
    ]  # fmt: skip


def test_a_bundle_knows_its_parts():
    ((number, found),) = bundles_of(draft(**SET)).items()
    assert (number, [(part.sku, part.quantity) for part in found.parts]) == ("1", [("SERUM", 2), ("MASK", 10)])
    assert bundle_names(SET["raw"]) == {"SET-1"}


def test_without_bundles_the_lines_are_the_same_object():
    order = draft(raw={TOLD: [{"line_no": "1", "item_id": "11", "sku_id": "12"}]})
    assert sold_lines(order) is order.lines
    assert sold_lines(draft()) == draft().lines


def test_lines_that_were_put_aside_or_refunded_are_no_goods():
    lines = (*SET["lines"], line(line_no="2", sku="补差价"), line(line_no="3", sku="B", refund="done"))
    order = draft(lines=lines, raw={TOLD: SET["raw"][TOLD] + put_aside("2")[TOLD]})
    assert [each.line_no for each in with_goods_only(order).lines] == ["1.1", "1.2"]
    assert [each.line_no for each in sold_lines(order)] == ["1", "3"]
    plain = draft()
    assert with_goods_only(plain) is plain


def test_a_bundle_whose_lines_are_gone_is_none():
    order = draft(raw=SET["raw"])
    assert (dict(bundles_of(order)), sold_lines(order)) == ({}, order.lines)


@pytest.mark.parametrize("notes", [None, "text", [1], [{}], [{"line_no": 5, "article": "X", "unmatched": True}]])
def test_notes_that_make_no_sense_say_nothing(notes):
    order = draft(raw={TOLD: notes})
    assert (sold_lines(order), unmatched_codes(order), bundle_names(order.raw)) == (order.lines, (), frozenset())


def test_codes_that_nobody_knows():
    notes = [{"line_no": "1", "unmatched": True}, {"line_no": "2"}, {"line_no": "3", "unmatched": True}]
    order = draft(lines=(line(sku="X"), line(line_no="2", sku="Y"), line(line_no="3", sku="")), raw={TOLD: notes})
    assert unmatched_codes(order) == ("X",)
    assert unmatched_codes(replace(order, raw={})) == ()
