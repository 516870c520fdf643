import json

import pytest

from channels_sync.tables.columns import ColumnMapping, find_columns, read_mapping
from orderhub.core.errors import HubError

TAOBAO_EXPORT = [
    "订单编号", "买家会员名", "订单状态", "订单创建时间", "订单付款时间 ", "收货人姓名", "收货地址 ", "联系手机",
    "商家编码", "宝贝标题 ", "购买数量", "商品价格(元)", "买家实际支付金额", "买家留言", "备注",
]  # fmt: skip


def test_a_platform_export_is_understood_without_a_mapping():
    columns = find_columns(TAOBAO_EXPORT, ColumnMapping())
    assert columns.order == {
        "external_no": 0, "buyer_nickname": 1, "status": 2, "created_at": 3, "paid_at": 4, "receiver_name": 5,
        "address": 6, "phone": 7, "paid": 12, "buyer_remark": 13, "seller_remark": 14,
    }  # fmt: skip
    assert columns.line == {"sku": 8, "title": 9, "quantity": 10, "unit_price": 11}
    assert columns.unused == ()


def test_english_and_fen_columns():
    columns = find_columns(["Order No", "Created-At", "QTY", "unit_price_fen", "SKU", "Total (yuan)"], ColumnMapping())
    assert columns.order == {"external_no": 0, "created_at": 1, "total": 5}
    assert columns.line == {"quantity": 2, "unit_price_fen": 3, "sku": 4}


def test_the_first_of_two_equal_headers_counts():
    assert find_columns(["订单号", "数量", "下单时间", "数量"], ColumnMapping()).line == {"quantity": 1}


def test_columns_that_nobody_reads_are_named():
    header = ["订单号", "备用电话", "数量", "", "下单时间", "数量"]
    assert find_columns(header, ColumnMapping()).unused == ("备用电话", "数量")


def test_missing_columns_are_named_with_what_is_there():
    with pytest.raises(HubError, match="no column for created_at, quantity; the file has: 订单号, 颜色"):
        find_columns(["订单号", "颜色"], ColumnMapping())


def test_a_mapping_wins_and_fills_in(tmp_path):
    path = tmp_path / "m.json"
    mapping = {
        "columns": {"external_no": "单据", "quantity": "颜色"},
        "values": {"status": {"O": "paid"}},
        "constants": {"created_at": "2026-11-11", "country": "CN"},
    }
    path.write_text(json.dumps(mapping), encoding="utf-8")
    columns = find_columns(["订单号", "单据", "颜色", "状态"], read_mapping(path))
    assert columns.order_cells(["x", " A1 ", "3", "O"]) == {
        "created_at": "2026-11-11", "country": "CN", "external_no": "A1", "status": "paid",
    }  # fmt: skip
    assert columns.line_cells(["x", "A1", "3"]) == {"quantity": "3"}


@pytest.mark.parametrize(
    "value",
    [[], {"colums": {}}, {"columns": []}, {"columns": {"orderno": "x"}}, {"values": {"status": "paid"}}],
)
def test_a_mapping_that_makes_no_sense_is_refused(tmp_path, value):
    path = tmp_path / "m.json"
    path.write_text(json.dumps(value))
    with pytest.raises(HubError):
        read_mapping(path)


def test_a_mapping_to_a_column_that_is_not_there():
    with pytest.raises(HubError, match="单据"):
        find_columns(["订单号"], ColumnMapping(columns={"external_no": "单据"}))
