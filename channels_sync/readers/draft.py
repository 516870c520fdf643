"""Reads OrderDraft rows: a JSON list, `{"orders": [...]}`, one object, or NDJSON."""

from channels_sync import payloads
from channels_sync.readers.base import ReadRow, read_rows, readers
from orderhub.core.draft import read_draft

KEY = "draft"
_LINES = ("ndjson", "jsonl", "json-seq")


@readers.register(KEY)
def read(body: bytes, content_type: str) -> list[ReadRow]:
    """Return one row per order; rows of a list and lines of NDJSON are counted from 0. Raises BodyError."""
    if any(word in content_type for word in _LINES) or _has_lines(body):
        rows = payloads.loads_lines(body, content_type)
    else:
        rows = list(enumerate(payloads.loads_rows(body, "orders", content_type)))
    return read_rows(KEY, rows, read_draft, "external_no")


def _has_lines(body: bytes) -> bool:
    """One order a line: the first line is a whole object, and another line follows it."""
    first, _, rest = body.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    return first.startswith(b"{") and first.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{")
