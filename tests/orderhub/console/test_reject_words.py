"""Reasons and fields of refused rows, as a Chinese reader sees them."""

import re

import orjson
import pytest
from django.utils import translation

from channels_sync.readers import read
from orderhub.console.reject_words import field_words, reason_words
from tests.drafts import draft, line

CHINESE = re.compile("[\u4e00-\u9fff]")
MOMENT = "2026-11-11T20:00:00+08:00"


def refused(**values):
    """Return path and reason with which a draft of these values is refused."""
    (row,) = read("draft", orjson.dumps([{**draft("T1"), **values}]))
    return row.error.path, row.error.reason


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({"external_no": 7}, "订单号", "此处应为文字。"),
        ({"external_no": ""}, "订单号", "内容为空。"),
        ({"external_no": "9" * 65}, "订单号", "文字超过 64 个字符。"),
        ({"status": None}, "状态", "必填，未提供。"),
        ({"created_at": "2026-11-11"}, "下单时间", f"不是有效时间，正确写法如：{MOMENT}。"),
        ({"created_at": "2026-11-11T20:00:00"}, "下单时间", f"时间缺少时区，正确写法如：{MOMENT}。"),
        ({"created_at": 1762862400}, "下单时间", "此处应为文字形式的时间。"),
        ({"paid_at": "0001-01-01T00:00:00Z"}, "付款时间", "时间不合理：0001-01-01T00:00:00+00:00。"),
        ({"receiver": None}, "收件人", "必填，未提供。"),
        ({"lines": []}, "商品明细", "订单没有商品明细。"),
        ({"lines": [1]}, "商品明细（第 1 项明细）", "数据结构不正确。"),
        ({"lines": [line(), line()]}, "行号（第 2 项明细）", "同一订单内行号重复。"),
        ({"lines": [line(quantity=0)]}, "件数（第 1 项明细）", "数值不能小于 1。"),
        ({"lines": [line(quantity=True)]}, "件数（第 1 项明细）", "不是整数。"),
        ({"total_fen": -1}, "订单金额", "数值不能小于 0。"),
        ({"total_fen": 10**13}, "订单金额", "数值不能大于 10000000000。"),
        ({"total_fen": 1.5}, "订单金额", "不是整数。"),
        ({"flag": "pink"}, "旗标",
         "取值无法识别，可用：none, grey, red, yellow, green, blue, purple, orange, cyan。"),
    ],
)  # fmt: skip
def test_what_a_draft_is_refused_for(values, field, reason):
    path, told = refused(**values)
    with translation.override("zh-hans"):
        assert (field_words(path), reason_words(told)) == (field, reason)


@pytest.mark.parametrize(
    "reason",
    [
        "no time: '1970-01-01'", "not a time: 'x'", "not a time in unix seconds: 'x'",
        "not a time like 2026-11-11 20:00:00", "not a believable amount", "not a believable amount: -5",
        "not an amount in fen: '1.5'", "not an amount of money", "more than two decimals",
        "must be a whole number from 1, not '0'", "not a whole number",
        "price, discount and change give no believable amount",
        "price and number of pieces give no believable amount", "a trade must be an object",
        "an order must be an object", "a line must be an object", "the trade has no lines",
        "the order has no receiver", "the platform refuses the details: 订单不存在", "JD refuses the details: 无权限",
        "not a status: '999'", "unknown word; known are paid and their Chinese names", "not a row of a table",
        "not JSON: Expecting value", "nested too deep", "cannot be stored: Integer exceeds 64-bit range",
        "the number lost its last digits in a spreadsheet; format the column as text", "must be a text",
        "has characters that cannot be read in the file's encoding", "refused by a rule", "expected a list of rows",
        "there is no SKU A-1", "an ignored item has no SKU", "at most 50 SKUs", "at most 100 characters",
        "another state than in row 2", "A-1 appears twice for this item", "one SKU appears twice",
        "an item id, a channel SKU id or a merchant code is needed", "each part is an object with sku and quantity",
        "1 to 1000 pieces, not 0", "must be a text or a number", "must be an object", "the file is empty",
        "columns sku and one of item_id, sku_id, outer_id are needed; the file has: ",
        "the workbook cannot be read: BadZipFile",
        "a JSON list cannot be read as a stream: write one order per line (NDJSON)",
        "a line is longer than 16 million characters",
        "row 3: unexpected end of data (a quotation mark that is never closed?)",
    ],
)  # fmt: skip
def test_reasons_of_platforms_files_and_the_database_have_words(reason):
    with translation.override("zh-hans"):
        told = reason_words(reason)
        assert CHINESE.search(told) and told != reason
        assert reason_words(f"{reason} (row 12)") == f"{told}（表格第 12 行）"


@pytest.mark.parametrize(("path", "words"), [("orders.order[0].price", "orders.order[0].price"), ("", "")])
def test_the_fields_of_platforms_keep_their_names(path, words):
    assert field_words(path) == words


def test_a_reason_without_words_is_shown_as_it_is():
    assert reason_words("平台的原话") == "平台的原话"
