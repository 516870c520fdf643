import orjson
import pytest
from openpyxl import Workbook

from channels_sync.tables.sniff import inspect
from channels_sync.tables.stock import stock_rows
from orderhub.core.errors import HubError

HEADER = "商家编码,仓库,库存,商品名称,吊牌价(元),活动价,活动开始时间\n"


def rows_of(path):
    return list(stock_rows(inspect(path)))


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "utf-16"])
def test_a_table_has_the_values_of_the_ndjson(tmp_path, encoding):
    path = tmp_path / "stock.csv"
    path.write_text(HEADER + "A,WH01,120,精华液,159.00,129,2026-11-10 20:00\n,,,,,,\nB,WH01,3,,,,\n", encoding=encoding)
    first, second = rows_of(path)
    assert (first.number, first.error) == (2, None)
    assert first.value == {
        "sku": "A", "warehouse": "WH01", "on_hand": 120, "title": "精华液", "list_price_fen": 15900,
        "campaign_price_fen": 12900, "campaign_from": "2026-11-10T20:00:00+08:00",
    }  # fmt: skip
    assert (second.number, second.value) == (4, {"sku": "B", "warehouse": "WH01", "on_hand": 3})


def test_a_workbook(tmp_path):
    book = Workbook()
    for cells in (["sku", "warehouse", "on_hand", "list_price_fen"], [123, "WH01", 5, 15900], ["B", "WH01", 2.5, None]):
        book.active.append(cells)
    book.save(tmp_path / "stock.xlsx")
    first, second = rows_of(tmp_path / "stock.xlsx")
    assert first.value == {"sku": "123", "warehouse": "WH01", "on_hand": 5, "list_price_fen": 15900}
    assert (second.error.path, second.error.reason) == ("on_hand", "not a whole number")
    assert orjson.loads(second.raw) == {"sku": "B", "warehouse": "WH01", "on_hand": "2.5"}


def test_a_table_without_a_needed_column_is_refused_whole(tmp_path):
    path = tmp_path / "stock.csv"
    path.write_text("商家编码,数量\nA,1\n", encoding="utf-8")
    with pytest.raises(HubError, match="no column for warehouse; the file has: 商家编码, 数量"):
        rows_of(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lines_of_ndjson(tmp_path, encoding):
    path = tmp_path / "stock.ndjson"
    path.write_text('{"sku": "库"}\r\n\r\n{broken\r\n', encoding=encoding)
    assert [(row.number, row.raw.decode(), row.value) for row in rows_of(path)] == [
        (1, '{"sku": "库"}', {"sku": "库"}), (3, "{broken", None),
    ]  # fmt: skip
