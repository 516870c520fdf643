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
PATTERNS: Mapping[str, str] = {
    "before_date": rf"{_BEFORE}(?:{_WANTED}|{THREAT})|{_FIRM}{_BEFORE}(?=\s*(?:[{_CLAUSE}~～]|$))",
    "after_date": rf"{_NUMBER}\s*(?:号|日|点|天)\s*(?:以后|之后|过后|后)\s*再?\s*(?:发|寄|送)|{_NOT_BEFORE}",
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
