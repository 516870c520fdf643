"""Made-up orders as files: NDJSON of drafts, or a flat CSV/XLSX with one line per order line."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from channels_sync.sandbox.masking import masked_draft
from channels_sync.sandbox.mix import Profile
from channels_sync.sandbox.orders import SandboxOrder

Row = dict[str, Any]

FORMATS = ("ndjson", "csv", "xlsx")
ORDER_COLUMNS = ("external_no", "status", "created_at", "paid_at", "modified_at", "ship_by")
BUYER_COLUMNS = ("id", "nickname", "ip")
RECEIVER_COLUMNS = (
    "name", "phone", "country", "province", "city", "district", "town", "detail", "postcode", "oaid",
)  # fmt: skip
LINE_COLUMNS = ("line_no", "sku", "title", "quantity", "unit_price_fen")
SUM_COLUMNS = (
    "total_fen", "discount_fen", "freight_fen", "paid_fen",
    "buyer_remark", "seller_remark", "flag", "presale", "channel_hold",
)  # fmt: skip
COLUMNS = (
    *ORDER_COLUMNS,
    *(f"buyer_{name}" for name in BUYER_COLUMNS),
    *(f"receiver_{name}" for name in RECEIVER_COLUMNS),
    *LINE_COLUMNS,
    "line_paid_fen",
    "line_refund",
    *SUM_COLUMNS,
)
"""Header of CSV and XLSX: the draft's fields, flattened; order fields repeat on each line of the order."""


def write(orders: list[SandboxOrder], path: Path, *, form: str, profile: Profile, encoding: str = "utf-8") -> None:
    """Write the orders; a character that `encoding` lacks becomes a question mark. Raises ValueError for a form."""
    drafts = (masked_draft(order.draft) if profile == "masked" else order.draft for order in orders)
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == "ndjson":
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(draft, ensure_ascii=False) + "\n" for draft in drafts)
    elif form == "csv":
        with path.open("w", encoding=encoding, errors="replace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(_flat(drafts))
    elif form == "xlsx":
        _write_xlsx(_flat(drafts), path)
    else:
        raise ValueError(f"unknown format {form!r}; one of {', '.join(FORMATS)}")


def write_labels(orders: Iterable[SandboxOrder], path: Path) -> None:
    """Write the right answers, one JSON line per order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(order.label(), ensure_ascii=False) + "\n" for order in orders)


def _flat(drafts: Iterable[Row]) -> Iterator[list[Any]]:
    for draft in drafts:
        head = [draft[name] or "" for name in ORDER_COLUMNS]
        head += [draft["buyer"][name] for name in BUYER_COLUMNS]
        head += [draft["receiver"].get(name, "") for name in RECEIVER_COLUMNS]
        sums = [draft[name] for name in SUM_COLUMNS]
        for line in draft["lines"]:
            yield [*head, *(line[name] for name in LINE_COLUMNS), line["paid_fen"], line["refund"], *sums]


def _write_xlsx(rows: Iterable[list[Any]], path: Path) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("orders")
    sheet.append(list(COLUMNS))
    for row in rows:
        sheet.append(row)
    book.save(path)
