"""Texts of table cells as values of a draft.

What cannot be used is told by what was expected, never by the cell: reasons are kept in clear text, and in a row that
has slipped by one column every cell may hold a person's data.
"""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from orderhub.core.errors import FieldError
from orderhub.core.money import fen_from_yuan

SHANGHAI = ZoneInfo("Asia/Shanghai")

STATUSES = {
    "unpaid": "等待买家付款 待付款 未付款",
    "presale_deposit": "定金已付 已付定金",
    "paid": "买家已付款,等待卖家发货 买家已付款 等待卖家发货 待发货 已付款 等待发货 已支付",
    "in_transit": "卖家已发货,等待买家确认 卖家已发货 已发货 待收货 运输中 部分发货",
    "delivered": "已签收 已收货",
    "completed": "交易成功 已完成 完成",
    "cancelled": "交易关闭 已取消 已关闭 关闭 取消",
    "refunding": "退款中 售后中",
    "refunded": "已退款 退款完成",
}
REFUNDS = {
    "none": "没有申请退款 无退款 无 否 退款关闭",
    "asked": "退款中 申请退款 待处理 买家已经申请退款",
    "agreed": "同意退款 待退货 卖家已经同意退款",
    "done": "退款成功 已退款",
    "refused": "拒绝退款 卖家拒绝退款",
}
FLAGS = {
    "none": "无", "grey": "灰 灰旗 灰色", "red": "红 红旗 红色", "yellow": "黄 黄旗 黄色", "green": "绿 绿旗 绿色",
    "blue": "蓝 蓝旗 蓝色", "purple": "紫 紫旗 紫色 粉 粉旗", "orange": "橙 橙旗 橙色", "cyan": "青 青旗 青色",
}  # fmt: skip
PRESALES = {"none": "否 无", "deposit": "定金已付 已付定金", "balance_paid": "尾款已付 已付尾款"}
NO_TIME = "not a time like 2026-11-11 20:00:00"
_SCIENTIFIC = re.compile(r"^\d(?:\.\d+)?[eE]\+?\d+$")
_MONEY = re.compile(r"[\s,，¥￥元]|RMB|CNY", re.IGNORECASE)
_TIME = re.compile(
    r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$"
)


def order_number(text: str) -> str:
    """Return an order number as `identifier` does."""
    return identifier(text, "external_no")


def identifier(text: str, path: str) -> str:
    """Return a number that is a name, without what spreadsheets put around it (`="123"`, a leading quote).

    Raises FieldError for one that a spreadsheet has turned into a number.
    """
    number = text.strip().removeprefix("=").strip("\"'\t ")
    if _SCIENTIFIC.match(number):
        raise FieldError(path, "the number lost its last digits in a spreadsheet; format the column as text")
    return number


def moment(text: str, path: str) -> str:
    """Return a time as ISO text; one without an offset is China Standard Time. Raises FieldError."""
    found = _TIME.match(text.strip())
    if found is None:
        raise FieldError(path, NO_TIME)
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    offset = found.group(7)
    try:
        value = datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI)
        if offset:
            plain = value.replace(tzinfo=None).isoformat()
            value = datetime.fromisoformat(plain + offset.replace("Z", "+00:00"))
        return value.isoformat()
    except ValueError as error:
        raise FieldError(path, NO_TIME) from error


def fen(text: str, path: str) -> int:
    """Return yuan text (`¥1,234.50`, `129元`) in fen. Raises FieldError."""
    try:
        return fen_from_yuan(_MONEY.sub("", text))
    except ValueError as error:
        raise FieldError(path, str(error)) from error


def whole(text: str, path: str) -> int:
    """Return a whole number; `3.0` is one. Raises FieldError."""
    plain = re.sub(r"\.0+$", "", text.strip().replace(",", ""))
    if not re.fullmatch(r"-?[0-9]{1,18}", plain):
        raise FieldError(path, "not a whole number")
    return int(plain)


def word(text: str, words: dict[str, str], path: str) -> str:
    """Return the hub's word for a cell: the word itself or one of its names. Raises FieldError."""
    plain = text.strip().replace("，", ",").replace(" ", "")
    for ours, names in words.items():
        if plain == ours or plain in names.split():
            return ours
    raise FieldError(path, f"unknown word; known are {', '.join(words)} and their Chinese names")
