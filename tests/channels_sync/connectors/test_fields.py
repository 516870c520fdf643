from datetime import UTC, datetime

import pytest

from channels_sync.connectors import fields
from orderhub.core.errors import FieldError


def test_a_text_is_a_text_whatever_it_was():
    assert [fields.text({"a": value}, "a") for value in ("x", 7, None)] == ["x", "7", ""]


@pytest.mark.parametrize("written", ["2026-11-11 08:00:07", "2026-11-11T00:00:07+00:00"])
def test_a_time_without_a_zone_is_of_china(written):
    assert fields.moment({"at": written}, "at") == datetime(2026, 11, 11, 0, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize("written", [None, "", 0, "0000-00-00 00:00:00", "0001-01-01 00:00:00", "1970-01-01 08:00:00"])
def test_no_time_is_none_and_refused_only_where_one_is_needed(written):
    assert fields.moment({"at": written}, "at") is None
    with pytest.raises(FieldError, match=r"required|no time"):
        fields.moment({"at": written}, "at", required=True)


def test_money_becomes_fen():
    assert [fields.fen({"a": value}, "a") for value in ("12.30", 5, "", None)] == [1230, 500, None, None]
    assert fields.fen({"a": "-1"}, "a", signed=True) == -100


@pytest.mark.parametrize("written", ["-0.01", "1e30", "a lot", True])
def test_money_that_cannot_be_is_refused_at_its_place(written):
    with pytest.raises(FieldError) as refused:
        fields.fen({"a": written}, "a", "lines[0]")
    assert refused.value.path == "lines[0].a"


@pytest.mark.parametrize("written", [0, -1, "1.5", "", None, True, "１", 10**9])
def test_pieces_are_whole_numbers_from_one(written):
    assert fields.whole({"n": "3"}, "n", "lines[0]") == 3
    with pytest.raises(FieldError, match="must be a whole number from 1"):
        fields.whole({"n": written}, "n", "lines[0]")


def test_what_is_no_list_has_no_rows():
    assert [fields.rows({"a": value}, "a") for value in ([1], {}, None)] == [[1], [], []]
