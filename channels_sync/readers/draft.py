"""Reads OrderDraft rows: a JSON list, `{"orders": [...]}`, one object, or NDJSON."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.json import Decoder

from channels_sync import payloads
from channels_sync.readers.base import ReadRow, read_rows, readers
from orderhub.core.draft import OrderDraft, read_flawless, read_own_draft

KEY = "draft"
_LINES = ("ndjson", "jsonl", "json-seq")


class _Body(Struct):
    """`{"orders": [...]}`; what else the object says is for others."""

    orders: list[OrderDraft]


_decode_list = Decoder(list[OrderDraft]).decode
_decode_body = Decoder(_Body).decode
_decode_lines = Decoder(OrderDraft).decode_lines


@readers.register(KEY)
def read(body: bytes, content_type: str) -> list[ReadRow]:
    """Return one row per order; rows of a list and lines of NDJSON are counted from 0. Raises BodyError.

    A body that is flawless is read at once; any other row by row, so that a bad row costs only itself.
    """
    is_lines = any(word in content_type for word in _LINES) or _has_lines(body)
    drafts = _flawless(body, is_lines=is_lines)
    if drafts is not None:
        return [ReadRow(place, draft, None, draft.external_no, KEY) for place, draft in enumerate(drafts)]
    if is_lines:
        rows = payloads.loads_lines(body, content_type)
    else:
        rows = list(enumerate(payloads.loads_rows(body, "orders", content_type)))
    return read_rows(KEY, rows, read_own_draft, "external_no")


def _flawless(body: bytes, *, is_lines: bool) -> Sequence[OrderDraft] | None:
    if payloads.CONTROL_ESCAPE.search(body):
        return None
    if is_lines:
        drafts = read_flawless(_decode_lines, body)
        # Blank lines count where rows are numbered, and are passed over here.
        return drafts if drafts is not None and len(drafts) == body.rstrip().count(b"\n") + 1 else None
    if body.startswith(b"["):
        return read_flawless(_decode_list, body)
    return read_flawless(lambda whole: _decode_body(whole).orders, body)


def _has_lines(body: bytes) -> bool:
    """One order a line: the first line is a whole object, and another line follows it."""
    first, _, rest = body.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    return first.startswith(b"{") and first.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{")
