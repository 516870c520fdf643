import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert
from msgspec.json import encode

from orderhub.core.draft import (
    REMARK_LIMIT,
    OrderDraft,
    clean_text,
    read_draft,
    read_flawless,
    read_own_draft,
    unread_keys,
)
from orderhub.core.errors import FieldError

FLAGS = "unknown word; known are none, grey, red, yellow, green, blue, purple, orange, cyan"
KINDS = "unknown word; known are plain, virtual, masked, cipher"


def row(**changes):
    base = {
        "external_no": "T1",
        "status": "paid",
        "created_at": "2026-11-11T00:00:07+08:00",
        "modified_at": "2026-11-11T00:00:31+08:00",
        "receiver": {"name": "李雷", "phone": "13912345678"},
        "lines": [{"line_no": "1", "sku": "A", "quantity": 2, "unit_price_fen": 12900}],
        "total_fen": 25800,
    }
    return base | changes


def test_a_draft_survives_its_own_json():
    draft = read_draft(row(buyer={"id": "u-1", "ip": "203.0.113.9"}))
    assert read_draft(json.loads(encode(draft))) == draft


def test_unknown_keys_are_left_out():
    receiver = {"name": "李雷", "phone": "13912345678", "phone2": "13700001111"}
    assert read_draft(row(id_card="330106", receiver=receiver, raw={"a": 1})) == read_draft(row(raw={"a": 1}))


def test_what_an_own_shop_puts_beside_the_fields_is_not_kept():
    assert read_own_draft(row(raw={"phone2": "13700001111"})).raw == {}
    assert read_own_draft(row(raw=7)).raw == {}


def test_the_keys_that_nobody_reads_are_named_once():
    lines = [{"line_no": "1", "quantity": 1, "colour": "red"}, {"line_no": "2", "quantity": 1, "colour": "blue"}]
    told = row(id_card="330106", raw={}, receiver={"phone2": "1"}, buyer={"age": 30}, lines=lines)
    assert unread_keys(told) == ["id_card", "raw", "buyer.age", "receiver.phone2", "lines.colour"]
    assert [unread_keys(odd) for odd in (row(), row(lines=7, buyer=None), [1])] == [[], [], []]


@pytest.mark.parametrize(
    ("told", "phone"),
    [
        ("１３９１２３４５６７８", "13912345678"),
        ("139１２３４５６７８", "13912345678"),
        ("188７７７７1111－１２３", "18877771111-123"),
        ("18877771111转123", "18877771111转123"),
    ],
)
def test_full_width_digits_of_a_phone_are_narrowed(told, phone):
    receiver = {"name": "ＬＩ雷", "phone": told}
    found = read_draft(row(receiver=receiver)).receiver
    assert (found.name, found.phone) == ("ＬＩ雷", phone)


def test_a_body_with_full_width_digits_is_read_row_by_row():
    def drafts_of(phone):
        body = json.dumps(row(receiver={"phone": phone})).encode()
        return read_flawless(lambda one: [convert(json.loads(one), OrderDraft)], body)

    assert drafts_of("１３９１２３４５６７８") is None
    assert [one.receiver.phone for one in drafts_of("18877771111转123")] == ["18877771111转123"]


def test_a_remark_of_ten_megabytes_is_cut_not_refused():
    assert len(read_draft(row(buyer_remark="急" * 10_000_000)).buyer_remark) == REMARK_LIMIT


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        ({"receiver": None}, "receiver", "Expected `object`, got `null`"),
        ({"total_fen": -1}, "total_fen", "Expected `int` >= 0"),
        ({"total_fen": 10**15}, "total_fen", "Expected `int` <= 10000000000"),
        ({"total_fen": "12"}, "total_fen", "Expected `int`, got `str`"),
        ({"created_at": "0001-01-01T00:00:00+08:00"}, "created_at", "not a believable time: 0001-01-01T00:00:00+08:00"),
        ({"paid_at": "1970-01-01T00:00:00Z"}, "paid_at", "not a believable time: 1970-01-01T00:00:00+00:00"),
        ({"created_at": "2026-11-11T00:00:07"}, "created_at", "Expected `datetime` with a timezone component"),
        ({"lines": []}, "lines", "Expected `array` of length >= 1"),
        ({"lines": [{"line_no": "1", "quantity": 0}]}, "lines[0].quantity", "Expected `int` >= 1"),
        ({"lines": [{"line_no": "1"}]}, "lines[0].quantity", "required"),
        (
            {"lines": [{"line_no": "1", "quantity": 1}, {"line_no": "1", "quantity": 1}]},
            "lines[1].line_no",
            "this line number appears twice in the order",
        ),
        ({"flag": "pink"}, "flag", FLAGS),
        ({"receiver": {"kind": "文三路 90 号"}}, "receiver.kind", KINDS),
        ({"external_no": ""}, "external_no", "Expected `str` of length >= 1"),
    ],
)
def test_the_field_and_the_reason_are_named(changes, path, reason):
    with pytest.raises(FieldError) as caught:
        read_draft(row(**changes))
    assert (caught.value.path, caught.value.reason) == (path, reason)


def test_a_missing_field_is_named():
    bad = row()
    del bad["receiver"]
    with pytest.raises(FieldError) as caught:
        read_draft(bad)
    assert (caught.value.path, caught.value.reason) == ("receiver", "required")


def test_what_is_no_object_is_refused():
    with pytest.raises(FieldError, match="must be an object"):
        read_draft([1])


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_cleaned_text_can_always_be_stored(value):
    text = json.dumps(clean_text(value), ensure_ascii=False)
    assert "\x00" not in text
    text.encode("utf-8")
