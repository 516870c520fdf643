"""Telling "I have this order already" from a refusal that is about something else that is there twice.

`明细行商品编码重复` is a refusal: whoever takes it for a repeat waits for an order that nobody ships.
"""

import re
from enum import Enum

_TWICE = re.compile(r"已存在|重复|already\s*exist|duplicate", re.IGNORECASE)
_ORDER = re.compile(r"单号|单据|订单|发货单|出库单|交货单|单(?=已存在|重复)|order", re.IGNORECASE)
_ARTICLE = re.compile(
    r"商品|货品|物料|明细|条码|订单行|行号|行项|\d\s*行|(?<!单)(?<!单据)编码|运单|快递单|面单"
    r"|item|sku|goods|barcode|\bline|order\s*line|waybill|tracking",
    re.IGNORECASE,
)


class Twice(Enum):
    """What a refusal says is there twice."""

    ORDER = "order"
    UNNAMED = "unnamed"
    """It does not say what: the warehouse may have the order."""
    NO = "no"


def what_is_there_twice(said: str, order_code: str) -> Twice:
    """Return what a refusal of the order with this code is about; its code may be made of any words."""
    words = said.replace(order_code, " ") if order_code else said
    if not _TWICE.search(words) or _ARTICLE.search(words):
        return Twice.NO
    return Twice.ORDER if _ORDER.search(words) else Twice.UNNAMED
