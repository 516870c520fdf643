import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import encode
from msgspec.structs import replace

from channels_sync.bundles import Part, as_told, components, noted, split
from orderhub.core.draft import LineDraft, OrderDraft, read_draft
from orderhub.core.told import ARTICLE, TOLD
from tests.drafts import draft as make_draft

LINE = LineDraft(
    line_no="7", sku="SET-1", title="礼盒", quantity=2, unit_price_fen=10000, paid_fen=19999, refund="asked",
    item_id="11", sku_id="12", spec="红",
)  # fmt: skip
PARTS = st.lists(
    st.builds(
        Part, sku=st.uuids().map(str), quantity=st.integers(1, 1000), value_fen=st.none() | st.integers(0, 10**8)
    ),
    min_size=1, max_size=8,
)  # fmt: skip


def test_a_plain_sku_keeps_number_title_and_money():
    assert components(LINE, [Part("OWN-1", title="own title")]) == [replace(LINE, sku="OWN-1")]


def test_a_bundle_is_split_by_the_value_of_its_parts():
    serum, mask = components(LINE, [Part("SERUM", 1, 7500, "精华液"), Part("MASK", 5, 500)])
    assert (serum.line_no, serum.sku, serum.title, serum.quantity) == ("7.1", "SERUM", "精华液", 2)
    assert (mask.line_no, mask.sku, mask.title, mask.quantity) == ("7.2", "MASK", "礼盒", 10)
    assert (serum.unit_price_fen, mask.unit_price_fen) == (7500, 500)
    assert (serum.paid_fen, mask.paid_fen) == (14999, 5000)
    assert {serum.refund, mask.refund} == {"asked"}


def test_without_values_every_piece_counts_the_same():
    one, three = components(LINE, [Part("A"), Part("B", 3)])
    assert (one.unit_price_fen, three.unit_price_fen) == (2500, 2500)


def test_one_missing_value_makes_all_count_the_same():
    one, other = components(LINE, [Part("A", 1, 9900), Part("B", 1, None)])
    assert (one.unit_price_fen, other.unit_price_fen) == (5000, 5000)


def test_several_pieces_of_one_sku_are_a_bundle_too():
    (line,) = components(LINE, [Part("A", 3)])
    assert (line.line_no, line.quantity, line.unit_price_fen, line.paid_fen) == ("7.1", 6, 3333, 19999)


def test_numbers_that_the_order_has_already_are_passed_over():
    first, second = components(LINE, [Part("A"), Part("B")], taken={"7", "7.1"})
    assert (first.line_no, second.line_no) == ("7.2", "7.3")


def test_a_long_line_number_stays_within_the_column():
    first, second = components(replace(LINE, line_no="9" * 64), [Part("A"), Part("B")])
    assert (first.line_no, second.line_no) == ("9" * 62 + ".1", "9" * 62 + ".2")


@settings(deadline=None)
@given(st.integers(0, 10**13), st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any))
def test_a_split_adds_up(amount, weights):
    shares = split(amount, weights)
    assert sum(shares) == amount
    assert all(share >= 0 for share in shares)


@settings(deadline=None)
@given(PARTS, st.integers(1, 10**6), st.integers(0, 10**10), st.integers(0, 10**13))
def test_nothing_of_a_bundle_is_lost(parts, quantity, price, paid):
    line = replace(LINE, quantity=quantity, unit_price_fen=price, paid_fen=paid)
    found = components(line, parts)
    assert sum(each.paid_fen for each in found) == paid
    assert sum(each.quantity for each in found) == quantity * sum(part.quantity for part in parts)
    left = price * quantity - sum(each.unit_price_fen * each.quantity for each in found)
    assert 0 <= left < quantity * min(part.quantity for part in parts)
    assert components(line, parts) == found
    assert len({each.line_no for each in found}) == len(parts)


def mapped(draft: OrderDraft, parts_of) -> OrderDraft:
    lines, notes = [], []
    for line in draft.lines:
        parts = parts_of.get(line.line_no)
        found = components(line, parts, [other.line_no for other in draft.lines]) if parts else [line]
        lines += found
        notes.append(noted(line, found))
    return replace(draft, lines=tuple(lines), raw={**draft.raw, TOLD: notes})


LINES = st.lists(
    st.builds(
        LineDraft, line_no=st.sampled_from(["1", "2", "3", "1.1", "1.2"]), sku=st.sampled_from(["", "A"]),
        quantity=st.integers(1, 9), unit_price_fen=st.integers(0, 9999), paid_fen=st.integers(0, 9999),
        item_id=st.sampled_from(["", "77"]),
    ),
    min_size=1, max_size=5, unique_by=lambda line: line.line_no,
)  # fmt: skip


@settings(deadline=None)
@given(LINES, st.dictionaries(st.sampled_from(["1", "2", "1.1"]), PARTS))
def test_what_the_channel_told_comes_back(lines, parts_of):
    told = replace(read_draft(make_draft()), lines=tuple(lines), raw={"kept": 1})
    read_again = read_draft(json.loads(encode(mapped(told, parts_of))))
    of_the_pool = tuple(replace(line, item_id="", sku_id="", spec="") for line in read_again.lines)
    again = as_told(replace(read_again, lines=of_the_pool))
    assert (again.lines, again.raw) == (told.lines, {"kept": 1})


@pytest.mark.parametrize(
    ("ids", "parts", "name"),
    [
        ({"sku": "SET-1"}, [("A", 1), ("B", 2)], "SET-1"),
        ({"sku": "", "sku_id": "12"}, [("A", 2)], "12"),
        ({"sku": "", "sku_id": ""}, [("A", 2)], "11"),
        ({"sku": "", "sku_id": "", "item_id": ""}, [("A", 2), ("B", 1)], "A*2+B"),
        ({"sku": "A"}, [("A", 1), ("B", 3)], "A+B*3"),
    ],
)
def test_a_bundle_is_named_by_its_code_unless_one_of_its_parts_is(ids, parts, name):
    line = replace(LINE, **ids)
    note = noted(line, components(line, [Part(*part) for part in parts]))
    assert note[ARTICLE] == name


def test_a_name_is_never_longer_than_a_sku():
    parts = [Part("A"), *(Part(f"SKU-{n:02d}") for n in range(20))]
    line = replace(LINE, sku="A")
    assert noted(line, components(line, parts))[ARTICLE] == f"A+{'+'.join(f'SKU-{n:02d}' for n in range(14))}+"


def test_a_plain_sku_is_no_bundle():
    assert ARTICLE not in noted(LINE, components(LINE, [Part("OWN-1")]))


@pytest.mark.parametrize("notes", ["text", [1], [{}], [{"line_no": 5}], {"line_no": "1"}])
def test_notes_that_make_no_sense_change_nothing(notes):
    draft = read_draft(make_draft(raw={TOLD: notes}))
    assert as_told(draft) is draft
