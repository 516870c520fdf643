from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync.tables import cells
from channels_sync.tables.addresses import split_address
from orderhub.core.errors import FieldError


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-11-11 00:00:07", "2026-11-11T00:00:07+08:00"),
        ("2026/11/1 9:05", "2026-11-01T09:05:00+08:00"),
        ("2026-11-11", "2026-11-11T00:00:00+08:00"),
        ("2026年11月11日 08:00", "2026-11-11T08:00:00+08:00"),
        ("2026-11-11T00:00:07Z", "2026-11-11T00:00:07+00:00"),
        ("2026-11-11T00:00:07.123+09:00", "2026-11-11T00:00:07+09:00"),
    ],
)
def test_times(text, iso):
    assert cells.moment(text, "created_at") == iso


@pytest.mark.parametrize("text", ["", "2026-13-01", "11.11.2026", "45972.5", "now", "2026-11-11 25:00"])
def test_what_is_no_time(text):
    with pytest.raises(FieldError) as refused:
        cells.moment(text, "created_at")
    assert refused.value.path == "created_at"


@pytest.mark.parametrize(("text", "fen"), [("¥1,234.50", 123450), ("129元", 12900), (" 0.5 ", 50), ("-3", -300)])
def test_money(text, fen):
    assert cells.fen(text, "total") == fen


@pytest.mark.parametrize("text", ["", "1.234", "abc", "1e999", "NaN"])
def test_what_is_no_money(text):
    with pytest.raises(FieldError):
        cells.fen(text, "total")


@given(st.integers(0, 10**10))
def test_money_is_exact(fen):
    assert cells.fen(f"{fen // 100:,}.{fen % 100:02d}", "total") == fen


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)))  # noqa: DTZ001  (the table's own zone)
def test_every_time_comes_back(moment):
    found = datetime.fromisoformat(cells.moment(f"{moment:%Y/%m/%d %H:%M:%S}", "x"))
    assert found.replace(tzinfo=None) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "number"), [('="4012"', "4012"), ("'4012", "4012"), (" 4012\t", "4012"), ("A-1", "A-1")]
)
def test_order_numbers(text, number):
    assert cells.order_number(text) == number


@pytest.mark.parametrize("text", ["4.02E+18", "4e18", "2.0261111E+15"])
def test_order_numbers_that_a_spreadsheet_has_spoilt(text):
    with pytest.raises(FieldError):
        cells.order_number(text)


@pytest.mark.parametrize(
    ("text", "status"),
    [("paid", "paid"), ("买家已付款，等待卖家发货", "paid"), ("待发货", "paid"), ("已发货", "in_transit"),
     ("交易关闭", "cancelled"), ("交易成功", "completed")],
)  # fmt: skip
def test_status_words(text, status):
    assert cells.word(text, cells.STATUSES, "status") == status


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (cells.whole, "not a whole number"),
        (cells.moment, "not a time like 2026-11-11 20:00:00"),
        (cells.fen, "not an amount of money"),
        (lambda text, path: cells.word(text, cells.PRESALES, path),
         "unknown word; known are none, deposit, balance_paid and their Chinese names"),
    ],
)  # fmt: skip
def test_a_reason_says_what_was_expected_and_never_repeats_the_cell(read, reason):
    with pytest.raises(FieldError) as refused:
        read("浙江省杭州市西湖区文三路90号", "lines[0].quantity")
    assert (refused.value.path, refused.value.reason) == ("lines[0].quantity", reason)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("浙江省 杭州市 西湖区 北山街道 文三路 90 号", ("浙江省", "杭州市", "西湖区", "北山街道", "文三路 90 号")),
        ("浙江省杭州市西湖区文三路90号", ("浙江省", "杭州市", "西湖区", "", "文三路90号")),
        ("上海市浦东新区世纪大道 1 号", ("上海市", "上海市", "浦东新区", "", "世纪大道 1 号")),
        ("上海 上海市 浦东新区 世纪大道 1 号", ("上海市", "上海市", "浦东新区", "", "世纪大道 1 号")),
        ("新疆乌鲁木齐市天山区和平路 3 号", ("新疆维吾尔自治区", "乌鲁木齐市", "天山区", "", "和平路 3 号")),
        ("文三路 90 号", ("", "", "", "", "文三路 90 号")),
        ("12 Example Road, Toronto", ("", "", "", "", "12 Example Road, Toronto")),
    ],
)
def test_addresses_in_one_cell(text, found):
    parts = split_address(text)
    assert tuple(parts.get(name, "") for name in ("province", "city", "district", "town", "detail")) == found
