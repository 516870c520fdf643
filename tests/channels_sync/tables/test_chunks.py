import csv
import re
from datetime import datetime
from zipfile import ZipFile

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from openpyxl import Workbook

from channels_sync import readers
from channels_sync.tables.chunks import chunks
from channels_sync.tables.columns import ColumnMapping
from channels_sync.tables.rows import cell_text
from channels_sync.tables.sniff import inspect
from orderhub.core.errors import HubError
from tests.drafts import draft

HEADER = ["订单号", "下单时间", "付款时间", "收货人", "手机", "收货地址", "商家编码", "数量", "单价", "买家留言"]


def row(number, **changes):
    cells = {
        "订单号": number, "下单时间": "2026-11-11 00:00:07", "付款时间": "2026-11-11 00:00:31", "收货人": "李雷",
        "手机": "13912345678", "收货地址": "浙江省 杭州市 西湖区 文三路 90 号", "商家编码": "SERUM-30", "数量": "2",
        "单价": "129.00", "买家留言": "",
    } | changes  # fmt: skip
    return [cells[name] for name in HEADER]


def write_csv(path, rows, encoding="utf-8", header=HEADER, **options):
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, **options).writerows([header, *rows])
    return path


def read(path, size=500, mapping=None, **options):
    """Return (file row, draft or error path) of the whole file, and its pieces."""
    pieces = list(chunks(inspect(path, **options), mapping or ColumnMapping(), size))
    found = []
    for piece in pieces:
        kind = "application/x-ndjson" if piece.reader == "draft" else ""
        rows = readers.read(piece.reader, piece.body, kind)
        found += [(piece.file_row(one.row), one.draft or one.error) for one in rows]
    return found, pieces


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_a_csv_in_any_usual_encoding(tmp_path, encoding):
    path = write_csv(tmp_path / "a.csv", [row("A1", 收货人="韩梅梅", 买家留言="加急,谢谢")], encoding=encoding)
    ((number, found),), _pieces = read(path)
    assert (number, found.external_no, found.status) == (2, "A1", "paid")
    assert (found.receiver.name, found.receiver.district, found.receiver.detail) == ("韩梅梅", "西湖区", "文三路 90 号")
    assert (found.buyer_remark, found.total_fen, found.paid_fen) == ("加急,谢谢", 25800, 25800)
    assert found.created_at.isoformat() == "2026-11-11T00:00:07+08:00"


def test_rows_of_one_order_become_its_lines(tmp_path):
    rows = [row("A1"), row("A1", 商家编码="MASK-10", 数量="1", 单价="59", 收货人=""), row("A2")]
    found, _pieces = read(write_csv(tmp_path / "a.csv", rows))
    assert [(number, one.external_no) for number, one in found] == [(2, "A1"), (4, "A2")]
    lines = found[0][1].lines
    assert [(line.line_no, line.sku, line.quantity, line.unit_price_fen) for line in lines] == [
        ("1", "SERUM-30", 2, 12900), ("2", "MASK-10", 1, 5900),
    ]  # fmt: skip
    assert found[0][1].receiver.name == "李雷"


def test_an_order_that_stands_in_two_places_is_not_torn_apart(tmp_path):
    found, _pieces = read(write_csv(tmp_path / "a.csv", [row("A1"), row("A2"), row("A1", 商家编码="X")]))
    assert [(number, getattr(one, "external_no", None)) for number, one in found[:2]] == [(2, "A1"), (3, "A2")]
    assert (found[2][0], found[2][1].path) == (4, "external_no")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"数量": "0"}, "lines[0].quantity"),
        ({"数量": "-3"}, "lines[0].quantity"),
        ({"数量": "two"}, "lines[0].quantity"),
        ({"数量": ""}, "lines[0].quantity"),
        ({"单价": "-1"}, "lines[0].unit_price_fen"),
        ({"单价": "1e300"}, "lines[0].unit_price"),
        ({"单价": "99999999999"}, "lines[0].unit_price"),
        ({"下单时间": "0001-01-01"}, "created_at"),
        ({"下单时间": "1970-01-01"}, "created_at"),
        ({"下单时间": ""}, "created_at"),
        ({"付款时间": "tomorrow"}, "paid_at"),
        ({"收货人": "", "手机": "", "收货地址": ""}, "receiver_name"),
        ({"订单号": "4.02E+18"}, "external_no"),
        ({"订单号": ""}, "external_no"),
        ({"订单号": "x" * 65}, "external_no"),
    ],
)
def test_a_bad_row_is_named_and_the_others_go_on(tmp_path, changes, path):
    found, _pieces = read(write_csv(tmp_path / "a.csv", [row("A1"), row("A2", **changes), row("A3")]))
    assert [number for number, _one in found] == [2, 3, 4]
    assert found[1][1].path == path
    assert [found[0][1].external_no, found[2][1].external_no] == ["A1", "A3"]


def test_the_row_of_a_bad_line_is_named(tmp_path):
    found, _pieces = read(write_csv(tmp_path / "a.csv", [row("A1"), row("A1", 数量="many")]))
    assert (found[0][0], found[0][1].path) == (2, "lines[1].quantity")
    assert found[0][1].reason.endswith("(row 3)")


def test_characters_that_cannot_be_read_cost_their_row_only(tmp_path):
    path = write_csv(tmp_path / "a.csv", [row("A1"), row("A2", 收货人="MARK"), row("A3")])
    path.write_bytes(path.read_bytes().replace(b"MARK", b"\xff\xfe"))
    found, _pieces = read(path)
    assert [getattr(one, "path", "") for _number, one in found] == ["", "receiver_name", ""]


def test_line_breaks_quotes_emoji_and_control_characters(tmp_path):
    text = '说 "快点"\n第二行 🎁\x01'
    found, _pieces = read(write_csv(tmp_path / "a.csv", [row("A1", 买家留言=text), row("A2")]))
    assert found[0][1].buyer_remark == '说 "快点"\n第二行 🎁'
    assert [number for number, _one in found] == [2, 3]


def test_a_remark_of_10_mb(tmp_path):
    found, _pieces = read(write_csv(tmp_path / "a.csv", [row("A1", 买家留言="急" * 3_500_000), row("A2")]))
    assert len(found[0][1].buyer_remark) == 2000
    assert found[1][1].external_no == "A2"


def test_a_quote_that_never_ends_is_named_after_the_good_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("channels_sync.tables.rows.LARGEST_CELL", 100_000)
    path = write_csv(tmp_path / "a.csv", [row("A1"), row("A2")])
    path.write_bytes(path.read_bytes() + b'A3,"' + b"x\n" * 200_000)
    with pytest.raises(HubError, match="row 4"):
        read(path)


def test_empty_rows_are_skipped_and_counted(tmp_path):
    path = write_csv(tmp_path / "a.csv", [row("A1"), [""] * 10, [], row("A2")])
    assert [number for number, _one in read(path)[0]] == [2, 5]


def test_pieces_are_the_same_at_every_run_and_cut_between_orders(tmp_path):
    rows = [row(f"A{n // 2}", 商家编码=f"S{n}") for n in range(20)]
    path = write_csv(tmp_path / "a.csv", rows)
    _found, first = read(path, size=3)
    _found, again = read(path, size=3)
    assert first == again
    assert [(piece.orders, piece.first_row) for piece in first] == [(3, 2), (3, 8), (3, 14), (1, 20)]
    assert first[-1].read_bytes == path.stat().st_size


def test_ndjson_is_handed_on_as_it_is(tmp_path):
    lines = [orjson.dumps(draft(f"T{n}")) for n in range(5)]
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\n".join([*lines[:2], b"", b"{broken", *lines[2:]]))
    found, pieces = read(path, size=3)
    assert b"".join(piece.body for piece in pieces) == path.read_bytes()
    assert [number for number, _one in found] == [1, 2, 4, 5, 6, 7]
    assert [getattr(one, "external_no", None) for _n, one in found] == ["T0", "T1", None, "T2", "T3", "T4"]


def test_pieces_name_what_nobody_reads_of_them(tmp_path):
    table = write_csv(tmp_path / "a.csv", [[*row("A1"), "13700001111"]], header=[*HEADER, "备用电话"])
    lines = tmp_path / "a.ndjson"
    lines.write_bytes(
        b"\n".join([orjson.dumps(draft("T1", id_card="330106")), b"{broken", b"7", orjson.dumps(draft("T4"))])
    )
    assert [piece.unused for piece in read(table)[1]] == [("备用电话",)]
    assert [piece.unused for piece in read(lines, size=1)[1]] == [("id_card",), (), (), ()]


@pytest.mark.parametrize("encoding", ["gbk", "utf-16", "utf-16-be"])
def test_ndjson_in_another_charset(tmp_path, encoding):
    lines = [orjson.dumps(draft(f"T{n}", buyer_remark="急上用场")).decode() for n in range(3)]
    path = tmp_path / "a.ndjson"
    path.write_bytes("\r\n".join([*lines[:2], "{broken", lines[2]]).encode(encoding))
    found, pieces = read(path, size=3, encoding="" if encoding == "utf-16" else encoding)
    assert [number for number, _one in found] == [1, 2, 3, 4]
    assert [getattr(one, "external_no", None) for _n, one in found] == ["T0", "T1", None, "T2"]
    assert {one.buyer_remark for _n, one in found if not isinstance(one, HubError)} == {"急上用场"}
    assert [piece.orders for piece in pieces] == [3, 1]
    assert pieces[-1].read_bytes == path.stat().st_size


def test_a_workbook_with_dates_numbers_and_long_numbers(tmp_path):
    book = Workbook()
    sheet = book.active
    sheet.append(HEADER)
    when = datetime(2026, 11, 11, 0, 0, 7)  # noqa: DTZ001  (spreadsheets have no zones)
    sheet.append(["A1", when, when, "李雷", 13912345678, "文三路 90 号", "S", 2, 129.5, None])
    sheet.append([4021755116461118152, when, when, "李雷", "13912345678", "文三路", "S", 1, 1, ""])
    book.save(tmp_path / "a.xlsx")
    found, _pieces = read(tmp_path / "a.xlsx")
    assert (found[0][1].receiver.phone, found[0][1].total_fen) == ("13912345678", 25900)
    assert found[0][1].created_at.isoformat() == "2026-11-11T00:00:07+08:00"
    assert (found[1][0], found[1][1].path) == (3, "external_no")


def test_cells_of_workbooks():
    assert [cell_text(v) for v in (None, 3, 3.0, 3.5, True, 10**15, "x")] == [
        "",
        "3",
        "3",
        "3.5",
        "True",
        "1.000000E+15",
        "x",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(39.9 * 3, "119.7"), (0.1 + 0.2, "0.3"), (12.99999999999999999, "13"), (129.55, "129.55")]
)
def test_what_a_formula_made_is_read_as_a_spreadsheet_shows_it(value, text):
    assert cell_text(value) == text


def sheet_of(path, count, dimension=""):
    """Write a workbook of `count` orders; `dimension` is the size that it gives itself."""
    book = Workbook()
    for cells in [HEADER, *(row(f"A{n}") for n in range(count))]:
        book.active.append(cells)
    book.save(path)
    if dimension:
        with ZipFile(path) as old:
            parts = {name: old.read(name) for name in old.namelist()}
        with ZipFile(path, "w") as new:
            for name, text in parts.items():
                new.writestr(name, re.sub(rb'<dimension ref="[^"]*"', f'<dimension ref="{dimension}"'.encode(), text))
    return path


@pytest.mark.parametrize("dimension", ["A1", "A1:C3", "A1:XFD1048576"])
def test_a_workbook_that_gives_its_size_wrong_is_read_whole(tmp_path, dimension):
    found, _pieces = read(sheet_of(tmp_path / "a.xlsx", 5, dimension))
    assert [(number, one.external_no) for number, one in found] == [(n + 2, f"A{n}") for n in range(5)]
    assert found[4][1].lines[0].unit_price_fen == 12900


def test_the_pieces_of_a_workbook_tell_how_far_it_is_read(tmp_path):
    path = sheet_of(tmp_path / "a.xlsx", 14)
    size = path.stat().st_size
    assert [piece.read_bytes for piece in read(path, size=4)[1]] == [size * 7 // 15, size * 11 // 15, size, size]
    path = sheet_of(path, 14, "A1")
    assert [piece.read_bytes for piece in read(path, size=4)[1]] == [0, 0, 0, path.stat().st_size]


def test_a_broken_workbook(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(HubError):
        read(path)


def test_a_mapping_file_decides(tmp_path):
    mapping = ColumnMapping(
        columns={"external_no": "单据"}, values={"status": {"O": "paid"}},
        constants={"created_at": "2026-11-11", "quantity": "1", "receiver_name": "前台", "unit_price": "5"},
    )  # fmt: skip
    path = write_csv(tmp_path / "a.csv", [["N1", "O"]], header=["单据", "状态"])
    found, _pieces = read(path, mapping=mapping)
    assert (found[0][1].external_no, found[0][1].status, found[0][1].total_fen) == ("N1", "paid", 500)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30)


@how(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.tuples(TEXT, st.integers(1, 999), st.integers(0, 10**7)), min_size=1, max_size=8),
    st.sampled_from(",;\t"),
)
def test_what_is_written_as_csv_comes_back(tmp_path, rows, delimiter):
    written = [
        row(f"A{n}", 买家留言=text, 数量=str(q), 单价=f"{p // 100}.{p % 100:02d}")
        for n, (text, q, p) in enumerate(rows)
    ]
    path = write_csv(tmp_path / "a.csv", written, delimiter=delimiter)
    found, _pieces = read(path)
    assert [one.buyer_remark for _n, one in found] == [text.strip() for text, _q, _p in rows]
    assert [(one.lines[0].quantity, one.lines[0].unit_price_fen) for _n, one in found] == [(q, p) for _t, q, p in rows]
