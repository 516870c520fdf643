"""Word lists compiled for matching: one pass over a text, whatever the number of words."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from orderhub.core import divisions

EXACT, CONTAINS, STARTS, ENDS, PATTERN = "exact", "contains", "starts", "ends", "pattern"

_NUMBER = r"(?:\d{1,4}|[一二三四五六七八九十两]{1,3})"
PATTERNS: Mapping[str, str] = {
    "before_date": rf"{_NUMBER}\s*(?:号|日|点|天)\s*(?:之前|以前|前)",
    "after_date": rf"{_NUMBER}\s*(?:号|日|点|天)\s*(?:以后|之后|过后|后)\s*再?\s*(?:发|寄|送)",
    "no_courier": r"(?:不要|不用|别用|别发|拒绝)(?:发)?[一-鿿]{1,4}(?:快递|速递|物流)",
    "together": r"(?:和|跟|与)\S{0,12}一起(?:发|寄)",
    "direction": r"往[东南西北][一-鿿]{0,3}?\s*\d+\s*(?:米|公里|里)",
    "nth_house": rf"[东南西北左右]边?第\s*{_NUMBER}\s*(?:家|户|间|栋)",
}
"""Vetted patterns that a word list may name; people never write regular expressions themselves."""

_TAIL = r"[\s。.,，、!！~～)）]*\Z"


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

    __slots__ = ("_any", "_every", "_patterns", "_weights", "terms")

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms = tuple(terms)
        self._weights: dict[str, int] = {}
        self._patterns: dict[str, int] = {}
        parts = [self._part(term) for term in sorted(self.terms, key=lambda term: -len(term.text))]
        source = "|".join(parts) or r"(?!)"
        self._any = re.compile(source, re.IGNORECASE)
        self._every = re.compile(f"(?=(?P<whole>{source}))", re.IGNORECASE)

    def _part(self, term: Term) -> str:
        if term.match == PATTERN:
            self._patterns[f"p_{term.text}"] = term.weight
            return f"(?P<p_{term.text}>{PATTERNS.get(term.text, '(?!)')})"
        literal = term.text.lower()
        self._weights[literal] = max(term.weight, self._weights.get(literal, 0))
        text = re.escape(term.text)
        if term.match == EXACT:
            return rf"\A\s*{text}{_TAIL}"
        if term.match == STARTS:
            return rf"\A{text}"
        return rf"{text}{_TAIL}" if term.match == ENDS else text

    def has(self, text: str) -> bool:
        """Whether any term is in `text`."""
        return self._any.search(text) is not None

    def first(self, text: str) -> str:
        """Return the first place that matches, or an empty text."""
        found = self._any.search(text)
        return found.group().strip() if found else ""

    def hits(self, text: str) -> list[Hit]:
        """Return every place, overlapping ones too, in order."""
        if not self._any.search(text):
            return []
        return [self._hit(found) for found in self._every.finditer(text)]

    def cut(self, text: str) -> str:
        """Return `text` with a space where a term was."""
        return self._any.sub(" ", text)

    def _hit(self, found: re.Match[str]) -> Hit:
        whole = found.group("whole")
        weight = next(
            (weight for name, weight in self._patterns.items() if found.group(name) is not None),
            None,
        )
        if weight is None:
            bare = whole.strip(" 。.,，、!！~～)）\t\n").lower()
            weight = self._weights.get(bare, self._weights.get(whole.strip().lower(), 1))
        return Hit(whole.strip(), weight, found.start("whole"), found.end("whole"))


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
    """Return the division-code prefix that a region term means, or an empty text for an unknown name."""
    name = text.strip()
    if name.isdigit():
        return name
    known = divisions.load()
    for province in known.provinces:
        found = province if known.find_province(name) is province else known.find_city(province, name)
        if found is not None and (found is province or not province.is_direct_ruled):
            return found.code
    return ""
