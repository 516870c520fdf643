"""What a reader hands on, and the registry of readers."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from msgspec import Struct

from channels_sync.payloads import Unreadable
from orderhub.core.draft import OrderDraft, json_row
from orderhub.core.errors import FieldError
from orderhub.core.registry import Registry


class ReadRow(Struct):
    """One row of a delivery: either a draft, or the error that says which field cannot be used and why."""

    row: int
    draft: OrderDraft | None
    error: FieldError | None
    external_no: str
    reader: str
    source: Any = None
    """The row as decoded, None where the draft says it all; `raw` makes bytes that the same reader reads again."""
    told: OrderDraft | None = None
    """The draft as the channel told it, once own SKUs were put into `draft`."""

    @property
    def raw(self) -> bytes:
        """The row as bytes, for the reject table and for another try."""
        if self.source is None and self.draft is not None:
            return json_row(self.told or self.draft)
        if isinstance(self.source, bytes):
            return self.source
        if isinstance(self.source, Unreadable):
            return self.source.raw.encode("utf-8", "replace")
        return _encoded(self.source)


Reader = Callable[[bytes, str], list[ReadRow]]
readers: Registry[Reader] = Registry("reader", "channels_sync.readers")


def read(reader: str, body: bytes, content_type: str = "application/json") -> list[ReadRow]:
    """Return the rows of one delivery by the reader of that key.

    Raises HubError when the body as a whole cannot be read, UnknownKeyError for an unknown reader.
    """
    return readers.get(reader)(body, content_type)


def read_rows(
    reader: str, rows: Iterable[tuple[int, Any]], make: Callable[[Any], OrderDraft], number_key: str
) -> list[ReadRow]:
    """Make a ReadRow of every (row, decoded value) with `make`, which raises FieldError for a bad one."""
    return [_read_row(reader, number, source, make, number_key) for number, source in rows]


def _read_row(reader: str, number: int, source: Any, make: Callable[[Any], OrderDraft], number_key: str) -> ReadRow:
    if isinstance(source, Unreadable):
        return ReadRow(number, None, FieldError("", source.reason), "", reader, source)
    try:
        draft = make(source)
        check_extras(draft)
    except FieldError as error:
        return ReadRow(number, None, error, _number(source, number_key), reader, source)
    return ReadRow(number, draft, None, draft.external_no, reader, source)


def check_extras(draft: OrderDraft) -> None:
    """Raise FieldError where what a connector keeps cannot be stored: nested too deep, numbers beyond 64 bits."""
    if draft.raw:
        try:
            orjson.dumps(draft.raw)
        except TypeError as error:
            raise FieldError("raw", f"cannot be stored: {error}") from error


def _encoded(source: Any) -> bytes:
    """Return a decoded row as JSON, also one that holds numbers or a depth that the fast writer refuses."""
    try:
        return orjson.dumps(source)
    except TypeError:
        return json.dumps(source, ensure_ascii=False, default=str).encode("utf-8", "replace")


def _number(source: Any, key: str) -> str:
    value = source.get(key) if isinstance(source, dict) else None
    return str(value)[:64] if isinstance(value, str | int) else ""
