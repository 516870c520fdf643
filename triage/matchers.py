"""Word lists compiled for matching: one pass over a text, whatever the number of words."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from orderhub.core import divisions

EXACT, CONTAINS, STARTS, ENDS, PATTERN = "exact", "contains", "starts", "ends", "pattern"

_FILL = re.compile(r"(?<=..)(?:00)+$")
_NUMBER = r"(?:\d{1,4}|[一二三四五六七八九十两]{1,3})"
_CLAUSE = r"，,。；;！!？?\n"
_BEFORE = rf"(?:{_NUMBER}\s*(?:号|日|点)|月底|月末|周末|(?:周|星期|礼拜)[一二三四五六日天])\s*(?:之前|以前|前)"
# What was ordered before that day (15 号前拍的) and what must not happen before it is no wish to be quick …
_WANTED = rf"[^{_CLAUSE}不没未别勿莫拍买下订付的]{{0,6}}?(?:[要到需达拿发寄送]|[用收](?!不))"
# … but "not by the 15th and I want my money back" is.
THREAT = r"[还再]?[不没]能?[发寄送到][^。；;！!\n]{0,6}?(?:就|退|取消)"
"""What follows a date when the order is worth nothing after it."""
_COURIER = r"顺丰|[圆中申]通|韵达|极兔|京东|邮政|百世|德邦"
_FIRM = r"(?:务必|必须|一定|赶|希望|(?<!不)要)在?\s*"
_NOT_BEFORE = (
    rf"{_BEFORE}(?!{THREAT})[^{_CLAUSE}要到用发寄送]{{0,6}}[，,\s]?(?:请|先|暂时?|都|也|千万)?"
    r"(?:不要?|不用|别|勿|莫)(?:先|急着|给我|再|要)?[发寄送]"
    rf"(?!错|漏|票|货?上门|{_COURIER})"
)
_DAY = (
    rf"(?:{_NUMBER}\s*(?:号|日)|(?:周|星期|礼拜)[一二三四五六日天末]|[后明]天|下个?(?:周|星期|礼拜|月)|"
    r"月[底初]|年后|节后)"
)
_SEASON = r"(?:双(?:十一|十二|11|12)|618|年|节|国庆|元旦|五一|十一|中秋|端午|假期?|活动|开学)"
_AFTER = r"(?:以后|之后|过后|后)"
# Not 发现 and 再送一个; what may also ship later (晚两天发也行) is no wish to wait.
_GOES = r"[发寄](?!现|票|错|漏|一?[个份件次些]|货?[也都])"
_SHIPS = rf"(?:{_GOES}|送(?![我点礼赠]|一?[个份件些]|货?(?:上门|[也都])))"
_AFTER_DATE = (
    rf"(?:{_NUMBER}\s*(?:号|日|点|天)|{_DAY}|{_SEASON})\s*{_AFTER}\s*再?\s*{_SHIPS}|{_DAY}\s*再\s*{_SHIPS}|"
    rf"[晚迟过缓等]\s*(?:{_NUMBER}|几)\s*[天周]再\s*{_SHIPS}|[晚迟缓]\s*{_NUMBER}\s*[天周]\s*{_SHIPS}"
)
# Not 不要发货单, 不要发货太慢; "有瑕疵的不要发货" is about the goods, so 不要 begins a clause or follows a time.
_GOODS = r"货(?![单清票错漏到给去得的太慢晚迟延时前后吗么]|那么|这么)"
_NOT_YET = (
    r"(?:先|暂时?|暂且)(?:请|都|也|千万)?(?:不[要用]?|别|勿)(?:先|给我|急着|着急)?"
    rf"[发寄](?:{_GOODS}|(?!货|错|漏|票|现|{_COURIER}))|"
    rf"(?:^|[{_CLAUSE}\s]|请|麻烦|千万|目前|最近|这[几两]天|[今明]天|周末)(?:不[要用]|别|勿)(?:先|给我|急着|着急)?"
    rf"[发寄](?:{_GOODS}|(?:出|过来)?(?=[了啊哦呀吧]*(?:[{_CLAUSE}~～\s]|$)))"
)
_PUT_OFF = (
    r"(?<!已)(?<!已经)(?<!什么)(?<!怎么)(?<!如)(?<!如果)(?<!若)(?<!又)(?<!会)(?:延迟|推迟|延后|延期|暂缓)"
    rf"(?:{_NUMBER}天|几天|一下|到[^{_CLAUSE}]{{1,6}}?)?再?[发寄]"
    rf"(?!货?(?:了|的话|[^{_CLAUSE}]{{0,4}}(?:赔|退|投诉|通知|联系|告知|说)))"
)
_RECEIVER = r"(?:(?:[收送]货|收件|配送|邮寄|联系|手机)?(?:地址|电话|号码)|手机号|收[件货]人|联系人|姓名|名字)"
_ARTICLE = r"(?:颜色|尺码|码数|尺寸|规格|款式|型号|数量)"
_INTO = (
    rf"(?:改|换)[成为](?!了)[^{_CLAUSE}]{{0,6}}?"
    rf"(?:色|码|号|款|[黑白红蓝绿灰粉紫黄](?=的|[^一-鿿]|$)|(?<![A-Za-z])[Xx]*[SMLsml](?![A-Za-z])|{_COURIER})"
)
_CHANGE_OF = rf"(?:改|换|变更)(?:一下|下|成|为|一?[个种]|新的?|别的|其他){{0,2}}\s*(?:{_RECEIVER}|{_ARTICLE})|{_INTO}"
# Not "颜色错了要退": of the article the buyer must have chosen wrongly.
_WRONG = (
    r"(?<!如)(?<!如果)(?<!若)(?<!要是)(?:"
    rf"(?:{_RECEIVER}(?:信息)?|{_ARTICLE})(?:好像|可能|都|也|我|又|请|麻烦|帮我|帮忙|给我)?(?:[选拍填写点]错|[改换](?![天日]))|"
    rf"{_RECEIVER}(?:信息)?(?:好像|可能)?(?:[留弄搞输]?错(?![不过])|有误|不对))"
)
PATTERNS: Mapping[str, str] = {
    "before_date": rf"{_BEFORE}(?:{_WANTED}|{THREAT})|{_FIRM}{_BEFORE}(?=\s*(?:[{_CLAUSE}~～]|$))",
    "after_date": rf"{_AFTER_DATE}|{_NOT_BEFORE}",
    "not_yet": rf"{_NOT_YET}|{_PUT_OFF}",
    "on_notice": (
        rf"(?<!到了)等我的?通知(?![派配送取])|(?:等|听)候?我?的?(?:通知|消息|电话)(?:以?后|了)?(?:再|才)?{_GOES}|"
        rf"等我[^{_CLAUSE}]{{0,8}}?再(?:给我)?{_GOES}"
    ),
    "change_of": _CHANGE_OF,
    "wrong_field": _WRONG,
    "no_courier": (
        rf"(?:不要|不用|别用|别发|不发|勿发|拒绝)[发用走]?(?:{_COURIER}|(?!放)[一-鿿]{{1,4}}(?:快递|速递|物流)(?![柜员站]))"
    ),
    "as_gift": r"送人(?=$|[^一-鿿]|[的用啊哦呀呢了吗要做当礼请]|包装|麻烦|谢谢)",
    "together": r"(?:和|跟|与)\S{0,12}一起(?:发|寄)",
    "direction": (
        r"往[东南西北][一-鿿]{0,3}?\s*\d+\s*(?:米|公里|里)|"
        r"(?:桥头|红绿灯)[^号]{0,3}(?:[左右][转拐]|直走|就[到是]|往[前东南西北左右]|\d+\s*米)"
    ),
    "nth_house": rf"[东南西北左右]边?第\s*{_NUMBER}\s*(?:家|户|间|栋)",
}
"""Vetted patterns that a word list may name; people never write regular expressions themselves."""

TAIL = " \t\r\n。.,，、!！~～)）"
"""What may follow the end of a text without changing it."""


class Term(NamedTuple):
    """One entry of a word list."""

    text: str
    match: str = CONTAINS
    weight: int = 1


class Hit(NamedTuple):
    """One place where a term was found."""

    text: str
    weight: int
    start: int
    end: int


class Matcher:
    """A word list, compiled. Case does not matter; overlapping terms are all found, the longest at each place."""

    __slots__ = ("_ends", "_exact", "_has_case", "_literals", "_patterns", "_starts", "_weights", "terms")

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms = tuple(terms)
        self._weights: dict[str, int] = {}
        for term in self.terms:
            if term.match == PATTERN:
                continue
            literal = term.text.lower()
            self._weights[literal] = max(term.weight, self._weights.get(literal, 0))
        self._has_case = any(literal.upper() != literal for literal in self._weights)
        self._exact = frozenset(self._texts(EXACT))
        self._starts = self._texts(STARTS)
        self._ends = self._texts(ENDS)
        # Literals alone let the regular-expression engine skip by first character; patterns would spoil that.
        self._literals = re.compile("|".join(map(re.escape, self._texts(CONTAINS))) or "(?!)")
        self._patterns = tuple(
            (re.compile(PATTERNS.get(term.text, "(?!)")), term.weight) for term in self.terms if term.match == PATTERN
        )

    def _texts(self, match: str) -> tuple[str, ...]:
        found = (term.text.lower() for term in self.terms if term.match == match)
        return tuple(sorted(dict.fromkeys(found), key=lambda text: -len(text)))

    def has(self, text: str) -> bool:
        """Whether any term is in `text`."""
        low = text.lower() if self._has_case else text
        if self._literals.search(low):
            return True
        if self._ends and low.rstrip(TAIL).endswith(self._ends):
            return True
        if (self._exact and low.strip(TAIL) in self._exact) or (self._starts and low.startswith(self._starts)):
            return True
        return any(pattern.search(low) for pattern, _weight in self._patterns)

    def first(self, text: str) -> str:
        """Return the first place that matches, or an empty text."""
        found = self.hits(text)
        return found[0].text if found else ""

    def hits(self, text: str) -> list[Hit]:
        """Return every place in order; at one place the longest term."""
        low = text.lower()
        found = [hit for hit in self._spans(low) if hit.end > hit.start]
        by_start: dict[int, Hit] = {}
        for hit in found:
            if hit.start not in by_start or by_start[hit.start].end < hit.end:
                by_start[hit.start] = hit
        return [by_start[start]._replace(text=text[start : by_start[start].end]) for start in sorted(by_start)]

    def cut(self, text: str) -> str:
        """Return `text` with a space where a term was, the longest term first."""
        low = text.lower()
        found = self._literals.search(low)
        while found:
            text = f"{text[: found.start()]} {text[found.end() :]}"
            low = text.lower()
            found = self._literals.search(low, found.start())
        return text

    def _spans(self, low: str) -> Iterator[Hit]:
        place = 0
        while found := self._literals.search(low, place):
            yield Hit(found.group(), self._weights[found.group()], *found.span())
            place = found.start() + 1
        bare = low.rstrip(TAIL)
        for text in self._ends:
            if bare.endswith(text):
                yield Hit(text, self._weights[text], len(bare) - len(text), len(bare))
        for text in self._starts:
            if low.startswith(text):
                yield Hit(text, self._weights[text], 0, len(text))
        whole = low.strip(TAIL)
        if whole in self._exact:
            yield Hit(whole, self._weights[whole], low.index(whole), low.index(whole) + len(whole))
        for pattern, weight in self._patterns:
            yield from (Hit(match.group(), weight, *match.span()) for match in pattern.finditer(low))


class Words:
    """All word lists of one rule-set version, each compiled when first asked for."""

    def __init__(self, lists: Mapping[str, Iterable[Term]]) -> None:
        self._lists = {key: tuple(terms) for key, terms in lists.items()}
        self._matchers: dict[str, Matcher] = {}
        self._codes: dict[str, tuple[str, ...]] = {}
        self.kept: dict[object, object] = {}
        """What predicates derive from the lists once, by their own key."""

    def __getitem__(self, key: str) -> Matcher:
        matcher = self._matchers.get(key)
        if matcher is None:
            matcher = self._matchers[key] = Matcher(self._lists.get(key, ()))
        return matcher

    def texts(self, key: str) -> frozenset[str]:
        """Return the bare terms of one list."""
        return frozenset(term.text for term in self._lists.get(key, ()))

    def prefixes(self, key: str) -> tuple[str, ...]:
        """Return a list of regions as division-code prefixes; names (新疆, 甘孜州) are looked up."""
        if key not in self._codes:
            self._codes[key] = tuple(
                dict.fromkeys(code for term in self._lists.get(key, ()) if (code := region_code(term.text)))
            )
        return self._codes[key]


@lru_cache(maxsize=4096)
def region_code(text: str) -> str:
    """Return the division-code prefix that a region term means, or an empty text for an unknown name or code.

    The zeros that fill a code up to six digits (650000) belong to no prefix.
    """
    name, known = text.strip(), divisions.load()
    if name.isascii() and name.isdigit():
        code = _FILL.sub("", name)
        return code if known.begins(code) else ""
    for province in known.provinces:
        found = province if known.find_province(name) is province else known.find_city(province, name)
        if found is not None and (found is province or not province.is_direct_ruled):
            return found.code
    return ""
