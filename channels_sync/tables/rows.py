"""The rows of a CSV or XLSX file as texts, one after the other."""

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from openpyxl import load_workbook

from channels_sync.tables.sniff import XLSX, FileFacts
from orderhub.core.errors import HubError

LARGEST_LINE = 24 * 1024 * 1024
LARGEST_CELL = 16 * 1024 * 1024
"""A remark of 10 MB is taken (and cut later); a quote that never ends is not."""


@dataclass(slots=True, frozen=True)
class TableRow:
    """One row with its number as a spreadsheet shows it: the header is row 1."""

    number: int
    cells: list[str]
    read_bytes: int


def table_rows(facts: FileFacts) -> Iterator[TableRow]:
    """Yield every row that is not empty, the header first. Raises HubError where the file cannot be read on."""
    yield from _sheet_rows(facts) if facts.kind == XLSX else _csv_rows(facts)


def _csv_rows(facts: FileFacts) -> Iterator[TableRow]:
    csv.field_size_limit(LARGEST_CELL)
    with facts.path.open("rb") as raw:
        lines = _decoded_lines(raw, facts.encoding)
        reader = csv.reader(lines, delimiter=facts.delimiter)
        number = 0
        while True:
            number += 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise HubError(f"row {number}: {error} (a quotation mark that is never closed?)") from error
            if any(cells):
                yield TableRow(number, cells, raw.tell())


def utf8_lines(file: BinaryIO, encoding: str) -> Iterator[bytes]:
    """Yield the lines of NDJSON as they are; another charset is turned into UTF-8 first: in UTF-16 the byte of a line
    end is part of other characters too. A line that is cut at LARGEST_LINE is too long."""
    if encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"}:
        while line := file.readline(LARGEST_LINE):
            yield line
        return
    for text in _decoded_lines(file, encoding):
        yield text.encode()


def _decoded_lines(raw: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield decoded lines with their ends; characters that cannot be read become U+FFFD, which readers refuse."""
    is_utf8 = encoding.lower().replace("_", "-") in {"utf-8", "utf8"}
    decoder = codecs.getincrementaldecoder("utf-8-sig" if is_utf8 else encoding)("replace")
    rest = ""
    while block := raw.read(256 * 1024):
        lines = (rest + decoder.decode(block)).split("\n")
        rest = lines.pop()
        for line in lines:
            yield line + "\n"
        if len(rest) > LARGEST_CELL:
            raise HubError("a line is longer than 16 million characters")
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


def _sheet_rows(facts: FileFacts) -> Iterator[TableRow]:
    try:
        book = load_workbook(facts.path, read_only=True, data_only=True)
    except Exception as error:
        raise HubError(f"the workbook cannot be read: {type(error).__name__}") from error
    try:
        sheet = book.worksheets[0]
        told = sheet.max_row or 0
        # Exports of other systems often say A1 here, whatever the sheet holds; rows beyond would be left out.
        sheet.reset_dimensions()
        for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
            cells = [cell_text(value) for value in values]
            if any(cells):
                # How far the unpacked file is read nobody says; the rows tell it well enough.
                yield TableRow(number, cells, facts.size * number // told if number <= told else 0)
    finally:
        book.close()


def cell_text(value: Any) -> str:
    """Return a cell as text, numbers with the 15 digits that a spreadsheet shows: `=39.9*3` is kept as
    119.69999999999999. One of more than 15 digits has lost its last ones and comes in the form that readers refuse,
    `4.02E+18`."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 1e15:
        return f"{value:.6E}"
    return f"{value:.15g}" if isinstance(value, float) else str(value)
