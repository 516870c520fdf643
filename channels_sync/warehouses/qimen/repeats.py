"""Telling "I have this order already" from a refusal that is about something else that is there twice.

`明细行商品编码重复` is a refusal: whoever takes it for a repeat waits for an order that nobody ships.
"""

import re
from enum import Enum

_TWICE = re.compile(r"已存在|重复|already\s*exist|duplicate", re.IGNORECASE)
_NOUN = re.compile(
    r"(?P<article>商品|货品|物料|明细|条码|订单行|行号|行项|\d\s*行|运单|快递单|面单"
    r"|(?<!单)(?<!单据)(?<!仓库)(?<!货主)(?<!客户)编码"
    r"|item|sku|goods|barcode|\bline|order\s*line|waybill|tracking)"
    r"|(?P<order>单号|单据|订单|发货单|出库单|交货单|单(?=已存在|重复)|order)",
    re.IGNORECASE,
)
_THING = re.compile(r"(?:重复|duplicate)[的\s]*", re.IGNORECASE)
"""What is there twice comes right after these words, else before them."""
_STOP = re.compile(r"[，,;；。!！()（）\n]|\.\s")


class Twice(Enum):
    """What a refusal says is there twice."""

    ORDER = "order"
    UNNAMED = "unnamed"
    """It does not say what: the warehouse may have the order."""
    NO = "no"


def what_is_there_twice(said: str, order_code: str) -> Twice:
    """Return what a refusal of the order with this code is about; its code may be made of any words."""
    words = said.replace(order_code, " ") if order_code else said
    found = {_of(words, twice) for twice in _TWICE.finditer(words)} or {Twice.NO}
    if Twice.ORDER in found:
        return Twice.ORDER if Twice.NO not in found else Twice.UNNAMED
    return Twice.NO if Twice.NO in found else Twice.UNNAMED


def _of(words: str, twice: re.Match[str]) -> Twice:
    """Return what one "there twice" is about: its own part of the sentence says it, else the whole."""
    start = max((stop.end() for stop in _STOP.finditer(words, 0, twice.start())), default=0)
    stop = _STOP.search(words, twice.end())
    return (
        _within(words, twice, start, stop.start() if stop else len(words))
        or _within(words, twice, 0, len(words))
        or Twice.UNNAMED
    )


def _within(words: str, twice: re.Match[str], start: int, end: int) -> Twice | None:
    """Return what is there twice by the words from `start` to `end`; None where they name nothing.

    An article is only where it stands for that itself: an order that is there may be told with its articles.
    """
    nouns = list(_NOUN.finditer(words, start, end))
    if not nouns:
        return None
    before = [noun for noun in nouns if noun.start() < twice.start()]
    thing = _THING.match(words, twice.start())
    meant = (thing and _NOUN.match(words, thing.end(), end)) or (before[-1] if before else None)
    kinds = {noun.lastgroup for noun in nouns}
    if kinds == {"article"} or (meant and meant.lastgroup == "article"):
        return Twice.NO
    return Twice.ORDER if kinds == {"order"} else Twice.UNNAMED
