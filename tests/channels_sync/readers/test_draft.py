import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync import payloads, readers
from channels_sync.payloads import BodyError
from channels_sync.readers.base import read_rows
from orderhub.core.draft import read_own_draft
from orderhub.core.registry import UnknownKeyError
from tests.drafts import RECEIVER, draft, line

LINES = "application/x-ndjson"


def read(body, content_type="application/json"):
    return readers.read("draft", body if isinstance(body, bytes) else orjson.dumps(body), content_type)


def test_all_forms_of_the_same_rows():
    rows = [draft("A"), draft("B")]
    lines = b"\n".join(map(orjson.dumps, rows))
    for body, kind in [(rows, ""), ({"shop": "s", "orders": rows}, ""), (lines, LINES), (lines, ""), (lines, "x")]:
        assert [(row.row, row.external_no) for row in read(body, kind)] == [(0, "A"), (1, "B")]
    assert [row.external_no for row in read(rows[0])] == ["A"]


def test_a_bad_row_names_its_field_and_the_others_go_on():
    rows = read([draft("A"), {**draft("B"), "lines": [line(quantity=0)]}, 7, draft("D")])
    assert [row.external_no for row in rows] == ["A", "B", "", "D"]
    assert rows[1].error.path == "lines[0].quantity"
    assert rows[2].error.reason == "an order must be an object"
    assert rows[3].draft is not None


def test_the_raw_row_is_read_again_by_the_same_reader():
    bad = read([{**draft("B"), "status": "odd"}])[0]
    again = readers.read(bad.reader, bad.raw, "application/json")
    assert [(row.external_no, row.error.path) for row in again] == [("B", "status")]
    unreadable = read(b'[{"external_no": "X" "y"}, ' + orjson.dumps(draft("Z")) + b"]")
    assert unreadable[0].raw == b'{"external_no": "X" "y"}'
    assert unreadable[1].external_no == "Z"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"created_at": "0001-01-01T00:00:00+00:00"}, "created_at"),
        ({"created_at": "1970-01-01T08:00:00+08:00"}, "created_at"),
        ({"modified_at": "2026-11-11T00:00:00"}, "modified_at"),
        ({"total_fen": -1}, "total_fen"),
        ({"total_fen": 2**63 - 1}, "total_fen"),
        ({"total_fen": 1.5}, "total_fen"),
        ({"receiver": None}, "receiver"),
        ({"lines": []}, "lines"),
        ({"lines": [line(), line()]}, "lines[1].line_no"),
        ({"status": "shipped"}, "status"),
        ({"external_no": ""}, "external_no"),
    ],
)
def test_what_cannot_be_true_is_refused_with_its_field(changes, path):
    row = read([{**draft("A"), **changes}])[0]
    assert row.draft is None
    assert row.error.path == path


def test_a_missing_receiver_is_refused():
    row = draft("A")
    del row["receiver"]
    assert (read([row])[0].error.path, read([row])[0].error.reason) == ("receiver", "required")


def test_remarks_with_emoji_control_characters_and_surrogates():
    body = orjson.dumps([draft("A", buyer_remark="急 🎁"), draft("B", buyer_remark="MARK")])
    rows = read(body.replace(b"MARK", b"a\\u0000b\\ud800c\\u001f"))
    assert [row.draft.buyer_remark for row in rows] == ["急 🎁", "abc"]


def test_a_remark_of_10_mb_is_cut_and_the_rest_goes_on():
    rows = read([draft("A", buyer_remark="x" * 10_000_000), draft("B")])
    assert [len(row.draft.buyer_remark) for row in rows] == [2000, 0]


def test_nan_and_infinite_amounts_are_refused():
    body = orjson.dumps([draft("A", total_fen=7777), draft("B", total_fen=8888), draft("C")])
    rows = read(body.replace(b"7777", b"NaN").replace(b"8888", b"1e400"))
    assert [row.error and row.error.path for row in rows] == ["total_fen", "total_fen", None]


def test_gbk_is_understood():
    body = orjson.dumps([draft("A", receiver={**RECEIVER, "name": "韩梅梅"})]).decode().encode("gbk")
    assert read(body, "application/json; charset=gbk")[0].draft.receiver.name == "韩梅梅"
    assert read(body)[0].draft.receiver.name == "韩梅梅"


def test_a_body_cut_short_is_refused_as_a_whole():
    with pytest.raises(BodyError):
        read(orjson.dumps([draft("A"), draft("B")])[:-20])


def test_numbers_and_depths_that_cannot_be_stored_cost_their_row_only():
    deep = "[" * 400 + "]" * 400
    good = orjson.dumps(draft("C")).decode()
    huge_total = orjson.dumps(draft("A", total_fen=7777)).decode().replace("7777", "9" * 30)
    deep_extra = orjson.dumps(draft("B", gift=7777)).decode().replace("7777", deep)
    huge_extra = orjson.dumps(draft("D", gift=7777)).decode().replace("7777", "9" * 30)
    rows = read(f"[{huge_total},{deep_extra},{huge_extra},{good},NaN]".encode())
    assert [row.error and row.error.path for row in rows] == ["total_fen", None, None, None, ""]
    assert [orjson.loads(row.raw)["external_no"] for row in rows[:3]] == ["A", "B", "D"]


def test_an_unknown_reader_is_named():
    with pytest.raises(UnknownKeyError):
        readers.read("mars", b"[]", "")


def test_unknown_keys_are_left_out_and_cost_no_second_reading():
    row = read([draft("A", phone2="13700001111")])[0]
    assert (row.draft.raw, row.source) == ({}, None)


ODD = st.one_of(
    st.none(), st.booleans(), st.floats(), st.text(max_size=5), st.integers(-(2**70), 2**70),
    st.sampled_from(["paid", "none", "2026-11-11T00:00:07", "1969-01-01T00:00:00Z", "2036-12-31T00:00:00Z",
                     "2026-11-11T00:00:07Z", "x" * 2001, "a\x7fb", "a\x00b"]),
    st.just([]), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
FIELDS = st.sampled_from([*draft(), "raw", "ship_by", "buyer_remark", "flag", "discount_fen", "unknown"])
ROWS = st.lists(st.builds(lambda changes: draft("A") | changes, st.dictionaries(FIELDS, ODD, max_size=2)), max_size=3)
FORMS = st.sampled_from([
    (orjson.dumps, ""),
    (lambda rows: orjson.dumps({"shop": "s", "orders": rows}), ""),
    (lambda rows: b"\n".join(orjson.dumps(row) for row in rows) + b"\n", LINES),
    (lambda rows: b"\n\n".join(orjson.dumps(row) for row in rows), LINES),
    (lambda rows: orjson.dumps(rows).replace(b"2036", b"\\u0032036"), ""),
])  # fmt: skip


def _careful(body, content_type):
    if content_type == LINES:
        rows = payloads.loads_lines(body, content_type)
    else:
        rows = list(enumerate(payloads.loads_rows(body, "orders", content_type)))
    return read_rows("draft", rows, read_own_draft, "external_no")


def _told(rows):
    return [(row.row, row.external_no, row.draft, row.error and (row.error.path, row.error.reason)) for row in rows]


@given(rows=ROWS, form=FORMS)
def test_a_body_read_at_once_gives_what_its_rows_give_one_by_one(rows, form):
    dump, content_type = form
    try:
        body = dump(rows)
    except TypeError:
        return  # a number that JSON of 64 bits cannot carry
    assert _told(read(body, content_type)) == _told(_careful(body, content_type))


def test_a_row_read_at_once_is_read_again_from_its_draft():
    row = read([draft("A")])[0]
    assert row.source is None
    assert readers.read(row.reader, row.raw)[0].draft == row.draft
