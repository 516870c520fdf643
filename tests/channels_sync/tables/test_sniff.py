import hashlib

import pytest
from openpyxl import Workbook

from channels_sync.tables.sniff import inspect
from orderhub.core.errors import HubError


def write(tmp_path, content, name="f"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "kind", "encoding", "delimiter"),
    [
        ("订单号,数量\nA,1\n".encode(), "csv", "utf-8", ","),
        ("订单号,数量\nA,1\n".encode("utf-8-sig"), "csv", "utf-8-sig", ","),
        ("订单号,收货人\nA,韩梅梅\n".encode("gbk"), "csv", "gb18030", ","),
        ("订单号\t数量\n".encode("utf-16"), "csv", "utf-16", "\t"),
        (b'"a,b,c";x;y\n', "csv", "utf-8", ";"),
        (b"order_no|qty\n", "csv", "utf-8", "|"),
        (b"only\n", "csv", "utf-8", ","),
        (b'\n {"external_no": "A"}\n', "ndjson", "utf-8", ","),
    ],
)
def test_what_a_file_is(tmp_path, content, kind, encoding, delimiter):
    facts = inspect(write(tmp_path, content))
    assert (facts.kind, facts.encoding, facts.size) == (kind, encoding, len(content))
    assert facts.digest == hashlib.sha256(content).hexdigest()
    if kind == "csv":
        assert facts.delimiter == delimiter


def test_one_broken_character_does_not_turn_a_file_into_another_charset(tmp_path):
    content = ("订单号,收货人\n" + "A,韩梅梅\n" * 1000).encode("gbk") + b"B,\xff\n"
    assert inspect(write(tmp_path, content)).encoding == "gb18030"
    content = ("订单号,收货人\n" + "A,韩梅梅\n" * 1000).encode() + b"B,\xff\n"
    assert inspect(write(tmp_path, content)).encoding == "utf-8"


def test_a_workbook(tmp_path):
    book = Workbook()
    book.active.append(["订单号"])
    book.save(tmp_path / "a.xlsx")
    assert inspect(tmp_path / "a.xlsx").kind == "xlsx"


@pytest.mark.parametrize("content", [b"", b"  \n", b'[{"external_no": "A"}]'])
def test_what_is_no_order_file(tmp_path, content):
    with pytest.raises(HubError):
        inspect(write(tmp_path, content))


def test_an_unknown_encoding(tmp_path):
    with pytest.raises(HubError):
        inspect(write(tmp_path, b"a,b"), encoding="klingon")


def test_a_given_encoding_and_delimiter_are_taken(tmp_path):
    facts = inspect(write(tmp_path, "訂,單\n".encode("big5")), encoding="big5", delimiter=";")
    assert (facts.encoding, facts.delimiter) == ("big5", ";")
