"""Raw bodies as JSON: one fast call when they are clean, row by row and lenient when they are not.

Lone surrogates, control characters, NaN, numbers beyond a double, nesting without end and foreign charsets all occur in
what platforms and files send; each costs the row that has it, never the rows beside it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from orderhub.core.draft import clean_text
from orderhub.core.errors import HubError

CONTROL_ESCAPE = re.compile(rb"\\u00[01]|\\u007[fF]")
"""A control character written as an escape; only bodies that have one are walked through."""
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w-]+)", re.IGNORECASE)
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},"]', re.DOTALL)
_SPACE = " \t\r\n"


class BodyError(HubError):
    """A whole body is not what it should be: cut short, not JSON, in no charset that is known."""


class Unreadable:
    """A row that could be told apart from its neighbours but not be read."""

    __slots__ = ("raw", "reason")

    def __init__(self, raw: str, reason: str) -> None:
        self.raw = raw
        self.reason = reason


def as_text(body: bytes, content_type: str = "") -> str:
    """Return a body as text: UTF-8, else the charset that the content type names, else GB18030.

    Raises BodyError when none fits.
    """
    named = _CHARSET.search(content_type)
    for charset in ("utf-8-sig", named.group(1) if named else "gb18030", "gb18030"):
        try:
            return body.decode(charset)
        except (UnicodeDecodeError, LookupError):
            continue
    raise BodyError("the text is neither UTF-8 nor GB18030")


def loads(body: bytes, content_type: str = "") -> Any:
    """Return the JSON value of a body, its texts free of control characters and lone surrogates.

    NaN and infinite numbers become null. Raises BodyError.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return clean_text(lenient(as_text(body, content_type)))
    return clean_text(value) if CONTROL_ESCAPE.search(body) else value


def lenient(text: str) -> Any:
    """Return the JSON value of a text that strict readers refuse. Raises BodyError."""
    try:
        return json.loads(text, strict=False, parse_constant=_nothing, parse_float=_finite)
    except RecursionError as error:
        raise BodyError("nested too deep") from error
    except ValueError as error:
        raise BodyError(f"not JSON: {str(error)[:120]}") from error


def loads_rows(body: bytes, key: str, content_type: str = "") -> list[Any]:
    """Return the rows of a body: a list, an object with the list under `key`, or one object.

    A row that cannot be read is returned as Unreadable. Raises BodyError when the rows cannot be told apart.
    """
    try:
        value = loads(body, content_type)
    except BodyError:
        return _split(as_text(body, content_type), key)
    if isinstance(value, dict):
        inner = value.get(key)
        return inner if isinstance(inner, list) else [value]
    if isinstance(value, list):
        return value
    raise BodyError("expected a list of rows")


def loads_lines(body: bytes, content_type: str = "") -> list[tuple[int, Any]]:
    """Return (line, value) for every line of NDJSON that is not blank, lines counted from 0."""
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n")
    lines = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    numbers = [number for number, line in enumerate(lines) if line.strip()]
    try:
        values = orjson.loads(b"[" + b",".join(lines[number] for number in numbers) + b"]")
    except orjson.JSONDecodeError:
        values = None
    if values is None or len(values) != len(numbers):
        return [(number, _line(lines[number], content_type)) for number in numbers]
    if CONTROL_ESCAPE.search(body):
        values = clean_text(values)
    return list(zip(numbers, values, strict=True))


def _line(line: bytes, content_type: str) -> Any:
    try:
        return loads(line, content_type)
    except BodyError as error:
        return Unreadable(line.decode("utf-8", "replace"), str(error))


def _split(text: str, key: str) -> list[Any]:
    """Tell the elements of the list apart by its brackets alone and read each by itself."""
    start = _list_start(text, key)
    return [_element(text[begin:end]) for begin, end in _elements(text, start)]


def _element(text: str) -> Any:
    try:
        return clean_text(lenient(text))
    except BodyError as error:
        return Unreadable(text, str(error))


def _list_start(text: str, key: str) -> int:
    stripped = text.lstrip(_SPACE)
    if stripped.startswith("["):
        return len(text) - len(stripped) + 1
    named = re.search(rf'"{re.escape(key)}"\s*:\s*\[', text)
    if not stripped.startswith("{") or named is None:
        raise BodyError("not JSON: neither a list nor an object with one")
    return named.end()


def _elements(text: str, start: int) -> Iterator[tuple[int, int]]:
    depth, begin = 0, start
    for token in _TOKEN.finditer(text, start):
        mark = token.group()
        if mark == '"':
            break
        if mark in "[{":
            depth += 1
        elif mark in "]}" and depth:
            depth -= 1
        elif not depth and mark in ",]}":
            if text[begin : token.start()].strip(_SPACE):
                yield begin, token.start()
            begin = token.end()
            if mark != ",":
                return
    raise BodyError("the body ends in the middle of a row")


def _nothing(_name: str) -> None:
    """NaN and Infinity are no JSON."""


def _finite(text: str) -> float | None:
    number = float(text)
    return number if abs(number) != float("inf") else None
