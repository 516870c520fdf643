"""A file in pieces of some hundred orders, each of which is one delivery of the inbox.

The pieces of a file are the same at every run, so that an import that was killed goes on where it stopped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson

from channels_sync.tables.columns import ColumnMapping, Columns, find_columns
from channels_sync.tables.rows import LARGEST_LINE, TableRow, table_rows, utf8_lines
from channels_sync.tables.sniff import NDJSON, FileFacts
from orderhub.core.draft import unread_keys
from orderhub.core.errors import HubError

LARGEST_BODY = 8 * 1024 * 1024
NDJSON_TYPE = "application/x-ndjson"
MOST_LINES = 2000
"""More rows are not kept together; an order has at most 500 lines anyway, so all of them are refused."""


@dataclass(slots=True, frozen=True)
class Chunk:
    """One piece. `first_row` is the number of its first row in the file, `read_bytes` how far the file is read,
    `unused` names what nobody reads: the columns of a table, of NDJSON the keys of the first line of the piece."""

    number: int
    first_row: int
    orders: int
    body: bytes
    reader: str
    read_bytes: int
    unused: Sequence[str] = ()

    def file_row(self, row: int) -> int:
        """Return the row of the file that a row of the delivery stands for."""
        return self.first_row + row if self.reader == "draft" else row


def chunks(facts: FileFacts, mapping: ColumnMapping, size: int) -> Iterator[Chunk]:
    """Yield the file in pieces of up to `size` orders. Raises HubError where it cannot be read on."""
    yield from _line_chunks(facts, size) if facts.kind == NDJSON else _table_chunks(facts, mapping, size)


def _line_chunks(facts: FileFacts, size: int) -> Iterator[Chunk]:
    number, row = 0, 1
    lines: list[bytes] = []
    waiting = 0
    with facts.path.open("rb") as file:
        for line in utf8_lines(file, facts.encoding):
            if len(line) >= LARGEST_LINE:
                raise HubError(f"row {row + len(lines)}: longer than {LARGEST_LINE // 1024 // 1024} MB")
            lines.append(line)
            waiting += len(line)
            if len(lines) >= size or waiting >= LARGEST_BODY:
                yield _line_chunk(number, row, lines, file.tell())
                number, row, lines, waiting = number + 1, row + len(lines), [], 0
        if lines:
            yield _line_chunk(number, row, lines, file.tell())


def _line_chunk(number: int, row: int, lines: Sequence[bytes], read: int) -> Chunk:
    try:
        unused = tuple(unread_keys(orjson.loads(lines[0])))
    except orjson.JSONDecodeError:
        unused = ()  # the reader says what is wrong with it
    return Chunk(number, row, len(lines), b"".join(lines), "draft", read, unused)


@dataclass(slots=True)
class _Group:
    """Rows that follow each other and have one order number."""

    number: str
    row: int
    fields: dict[str, str]
    lines: list[dict[str, str]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    problem: str = ""

    def as_json(self) -> bytes:
        value = {"row": self.row, "rows": self.rows, "fields": self.fields, "lines": self.lines}
        return orjson.dumps(value | ({"problem": self.problem} if self.problem else {}))


def _table_chunks(facts: FileFacts, mapping: ColumnMapping, size: int) -> Iterator[Chunk]:
    rows = table_rows(facts)
    header = next(rows, None)
    if header is None:
        raise HubError("the file has no rows")
    columns = find_columns(header.cells, mapping)
    number, waiting, read = 0, 0, 0
    groups: list[bytes] = []
    first = header.number + 1
    for group, read in _groups(rows, columns):
        encoded = group.as_json()
        if groups and (len(groups) >= size or waiting >= LARGEST_BODY):
            yield Chunk(number, first, len(groups), b"\n".join(groups), "file", read, columns.unused)
            number, groups, waiting, first = number + 1, [], 0, group.row
        groups.append(encoded)
        waiting += len(encoded)
    if groups:
        yield Chunk(number, first, len(groups), b"\n".join(groups), "file", facts.size, columns.unused)


def _groups(rows: Iterator[TableRow], columns: Columns) -> Iterator[tuple[_Group, int]]:
    """Yield each order with its rows; a number that comes again further down would replace the first lines, so those
    rows are marked to be refused."""
    seen: set[int] = set()
    group: _Group | None = None
    for row in rows:
        fields = columns.order_cells(row.cells)
        number = fields.get("external_no", "")
        if group is not None and number == group.number and number and len(group.lines) < MOST_LINES:
            _add_row(group, fields, columns, row)
            continue
        if group is not None:
            yield group, row.read_bytes
        group = _Group(number, row.number, fields)
        _add_row(group, {}, columns, row)
        key = int.from_bytes(blake2b(number.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        if number and key in seen:
            group.problem = "this order number stands further up already; sort the file by order number"
        seen.add(key)
    if group is not None:
        yield group, 0


def _add_row(group: _Group, fields: dict[str, str], columns: Columns, row: TableRow) -> None:
    """Add a row as a line; what the order's first row leaves empty is taken from a later one."""
    for name, value in fields.items():
        group.fields.setdefault(name, value)
    group.lines.append(columns.line_cells(row.cells))
    group.rows.append(row.number)
