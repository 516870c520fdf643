"""How like two texts or codes are: the ground on which own SKUs are suggested for channel items."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import log, sqrt

_TOKEN = re.compile(r"[^\W_]+")
_FACTOR = re.compile(r"^(.+?)\s*[*xX×]\s*(\d{1,4})$")
MOST_TOKENS = 12


def plain(code: str) -> str:
    """Return a code without case, width, spaces and punctuation: `Serum_30 ` and `ＳＥＲＵＭ-30` are the same."""
    return "".join(_TOKEN.findall(unicodedata.normalize("NFKC", code).casefold()))


def within(code: str) -> Iterator[str]:
    """Yield what a code holds between its separators, longest first, in the form of `plain`: `TB-SERUM-30-2026` holds
    `serum30`. Pieces below four characters are too common to mean anything."""
    tokens = _TOKEN.findall(unicodedata.normalize("NFKC", code).casefold())[:MOST_TOKENS]
    for length in range(len(tokens) - 1, 0, -1):
        for start in range(len(tokens) - length + 1):
            piece = "".join(tokens[start : start + length])
            if len(piece) >= 4:
                yield piece


def formula(code: str) -> list[tuple[str, int]]:
    """Return the codes and pieces of a bundle that merchants write as `A*2+B`, empty where it is none."""
    pieces = [piece.strip() for piece in re.split(r"[+＋]", code)]
    found = [_factor(piece) for piece in pieces if piece]
    return found if len(found) == len(pieces) and (len(found) > 1 or found[0][1] > 1) else []


def _factor(piece: str) -> tuple[str, int]:
    match = _FACTOR.match(piece)
    return (match.group(1).strip(), max(int(match.group(2)), 1)) if match else (piece, 1)


class TitleIndex:
    """Titles by pairs of characters, which serve Chinese as well as Latin text; rare pairs count more."""

    def __init__(self, titles: Mapping[str, str]) -> None:
        grams = {key: _grams(title) for key, title in titles.items()}
        spread = Counter(gram for found in grams.values() for gram in found)
        self._weights = {gram: log(1 + len(titles) / count) for gram, count in spread.items()}
        self._unknown = log(1 + len(titles))
        self._keys: dict[str, list[str]] = defaultdict(list)
        self._norms: dict[str, float] = {}
        for key, found in grams.items():
            self._norms[key] = self._norm(found)
            for gram in found:
                self._keys[gram].append(key)

    def like(self, text: str, most: int = 3) -> list[tuple[str, float]]:
        """Return the keys of the most similar titles with their likeness from 0 to 1, the best first."""
        wanted = _grams(text)
        norm = self._norm(wanted)
        scores: dict[str, float] = defaultdict(float)
        for gram in wanted:
            weight = self._weights.get(gram, 0.0) ** 2
            for key in self._keys.get(gram, ()):
                scores[key] += weight
        found = [(key, score / (norm * self._norms[key])) for key, score in scores.items()]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:most]

    def _norm(self, grams: Iterable[str]) -> float:
        return sqrt(sum(self._weights.get(gram, self._unknown) ** 2 for gram in grams)) or 1.0


def _grams(text: str) -> set[str]:
    words = _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())
    return {gram for word in words for gram in (_pairs(word) if len(word) > 1 else [word])}


def _pairs(word: str) -> list[str]:
    return [word[place : place + 2] for place in range(len(word) - 1)]
