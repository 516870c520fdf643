import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync import payloads
from channels_sync.payloads import BodyError, Unreadable


def test_clean_bodies_are_decoded():
    assert payloads.loads('{"a": "精"}'.encode()) == {"a": "精"}


def test_control_characters_go_and_emoji_stay():
    assert payloads.loads(b'{"a": "x\\u0000y\\u0001\\ud83c\\udf81"}') == {"a": "xy🎁"}


@pytest.mark.parametrize("body", [b"", b"{", b'["a', b"nope", b"\xff\xfe\x00\xd8"])
def test_garbage_is_named(body):
    with pytest.raises(BodyError):
        payloads.loads(body)


def test_rows_are_found_in_a_list_an_object_and_a_single_row():
    assert payloads.loads_rows(b'[{"a": 1}]', "orders") == [{"a": 1}]
    assert payloads.loads_rows(b'{"orders": [{"a": 1}], "shop": "x"}', "orders") == [{"a": 1}]
    assert payloads.loads_rows(b'{"a": 1}', "orders") == [{"a": 1}]


@pytest.mark.parametrize(
    "bad", ["[" * 5000 + "]" * 5000, '{"a":' * 5000 + "1" + "}" * 5000, "{'a': 1}", '{"a": 1 "b"}', "9" * 5000]
)
def test_a_row_that_cannot_be_read_costs_itself_only(bad):
    rows = payloads.loads_rows(f'{{"orders": [{{"a": "]}},["}}, {bad}, {{"b": 2}}]}}'.encode(), "orders")
    assert rows[0] == {"a": "]},["}
    assert isinstance(rows[1], Unreadable)
    assert rows[2] == {"b": 2}


@pytest.mark.parametrize("body", [b'[{"a": 1}, {"b', b'[{"a": 1}', b'{"orders": [{"a": "x', b'{"orders": [1, [}'])
def test_a_body_that_breaks_off_has_no_rows_at_all(body):
    with pytest.raises(BodyError):
        payloads.loads_rows(body, "orders")


def test_lines_are_numbered_with_the_blank_ones():
    body = b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"b": 2}\nnot json\n{"c": "x\\u0000"}'
    rows = payloads.loads_lines(body)
    assert [(number, row) for number, row in rows if isinstance(row, dict)] == [
        (0, {"a": 1}), (2, {"b": 2}), (4, {"c": "x"}),
    ]  # fmt: skip
    assert [number for number, row in rows if isinstance(row, Unreadable)] == [3]


def test_a_line_that_pretends_to_be_two_rows_stays_one_row():
    rows = payloads.loads_lines(b'{"a": 1},{"x": 9}\n{"b": 2}')
    assert [isinstance(row, Unreadable) for _number, row in rows] == [True, False]


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_a_named_error(body):
    for read in (lambda: payloads.loads_rows(body, "orders"), lambda: payloads.loads_lines(body)):
        try:
            read()
        except BodyError as error:
            assert str(error)


ROWS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(-(2**53), 2**53)), max_size=5)


@given(ROWS)
def test_rows_told_apart_by_brackets_equal_rows_decoded_at_once(rows):
    text = json.dumps([{"a": float("nan")}, *rows])
    found = payloads.loads_rows(text.encode(), "orders")
    assert found[0] == {"a": None}
    assert orjson.dumps(found[1:]) == orjson.dumps(payloads.clean_text(rows))
