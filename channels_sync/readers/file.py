"""Reads the pieces of CSV and XLSX files: one order a line, its cells still texts (`docs/channels/file.md`)."""

from datetime import datetime
from typing import Any

from channels_sync import payloads
from channels_sync.payloads import Unreadable
from channels_sync.readers.base import ReadRow, readers
from channels_sync.tables import cells
from channels_sync.tables.addresses import split_address
from orderhub.core.draft import OrderDraft, read_draft
from orderhub.core.errors import FieldError
from orderhub.core.money import MAX_FEN, by_value

KEY = "file"
TIMES = ("created_at", "paid_at", "modified_at", "ship_by")
MONEY = ("total", "discount", "freight", "paid")
TEXTS = ("buyer_remark", "seller_remark", "channel_hold")
WORDS = {"status": cells.STATUSES, "flag": cells.FLAGS, "presale": cells.PRESALES}
BUYER = {"buyer_id": "id", "buyer_nickname": "nickname", "buyer_ip": "ip"}
RECEIVER = ("phone", "country", "province", "city", "district", "town", "postcode")
CHANNEL_IDS = {"item_id": "item_id", "channel_sku_id": "sku_id"}
UNREADABLE = "\ufffd"


@readers.register(KEY)
def read(body: bytes, content_type: str) -> list[ReadRow]:
    """Return one row per order under the number that its first row has in the file. Raises BodyError."""
    return [_read_row(number, source) for number, source in payloads.loads_lines(body, content_type)]


def _read_row(place: int, source: Any) -> ReadRow:
    if isinstance(source, Unreadable) or not isinstance(source, dict):
        return ReadRow(place, None, FieldError("", "not a row of a table"), "", KEY, source)
    row = source.get("row")
    row = row if isinstance(row, int) and 0 <= row < 2**31 else place
    fields = source.get("fields")
    number = str(fields.get("external_no", ""))[:64] if isinstance(fields, dict) else ""
    try:
        draft = make_draft(source)
    except FieldError as error:
        return ReadRow(row, None, error, number, KEY, source)
    return ReadRow(row, draft, None, draft.external_no, KEY, source)


def make_draft(source: dict[str, Any]) -> OrderDraft:
    """Return the draft of one order's cells. Raises FieldError with the column's field name."""
    if source.get("problem"):
        raise FieldError("external_no", str(source["problem"]))
    fields = _texts(source.get("fields"), "fields")
    lines, worths = _lines(source)
    draft: dict[str, Any] = {
        "external_no": cells.order_number(fields.get("external_no", "")),
        **{name: cells.moment(fields[name], name) for name in TIMES if name in fields},
        **{name: cells.word(fields[name], words, name) for name, words in WORDS.items() if name in fields},
        **{name: fields[name] for name in TEXTS if name in fields},
        "buyer": {ours: fields[name] for name, ours in BUYER.items() if name in fields},
        "receiver": _receiver(fields),
        "lines": lines,
    }
    _fill_in(draft, _amounts(fields), worths)
    return read_draft(draft)


def _fill_in(draft: dict[str, Any], amounts: dict[str, int], worths: list[int]) -> None:
    """What a table leaves out follows from the rest: an order with a payment time is paid, the total is what the lines
    are worth together, the version is the latest time known."""
    draft.setdefault("status", "paid" if "paid_at" in draft else "unpaid")
    times = [draft[name] for name in ("created_at", "paid_at") if name in draft]
    if times:
        draft.setdefault("modified_at", max(times, key=datetime.fromisoformat))
    lines = draft["lines"]
    if len(lines) == 1 and not lines[0]["unit_price_fen"] and lines[0]["quantity"] > 0:
        worths = [max(amounts.get("total_fen", 0), *worths)]
        lines[0]["unit_price_fen"] = amounts.get("total_fen", 0) // lines[0]["quantity"]
    total = amounts.setdefault("total_fen", sum(worths))
    if draft["status"] not in {"unpaid", "presale_deposit", "cancelled"}:
        due = total - amounts.get("discount_fen", 0) + amounts.get("freight_fen", 0)
        amounts.setdefault("paid_fen", max(due, 0))
    _fill_in_paid(lines, worths, amounts.get("paid_fen", 0) - amounts.get("freight_fen", 0))
    draft |= amounts


def _fill_in_paid(lines: list[dict[str, Any]], worths: list[int], goods: int) -> None:
    """Where no line says what was paid for it, what was paid for the goods goes to the lines by value; where some do,
    the others count in full."""
    parts = worths
    if all(line["paid_fen"] is None for line in lines):
        parts = by_value(worths, min(max(goods, 0), max(sum(worths), 0)))
    for line, part in zip(lines, parts, strict=True):
        if line["paid_fen"] is None:
            line["paid_fen"] = part


def _amounts(fields: dict[str, str]) -> dict[str, int]:
    found = {}
    for name in MONEY:
        if f"{name}_fen" in fields:
            found[f"{name}_fen"] = cells.whole(fields[f"{name}_fen"], f"{name}_fen")
        elif name in fields:
            found[f"{name}_fen"] = cells.fen(fields[name], name)
    return found


def _receiver(fields: dict[str, str]) -> dict[str, str]:
    receiver = {name: fields[name] for name in RECEIVER if name in fields}
    if fields.get("receiver_name"):
        receiver["name"] = fields["receiver_name"]
    address = fields.get("address", "")
    if address:
        receiver = {**(split_address(address) if "province" not in fields else {"detail": address}), **receiver}
    if not receiver:
        raise FieldError("receiver_name", "the order has no receiver")
    return receiver


def _lines(source: dict[str, Any]) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the lines and what each is worth, in fen."""
    rows = source.get("rows")
    lines = source.get("lines")
    if not isinstance(lines, list) or not lines:
        raise FieldError("lines", "required")
    numbers = rows if isinstance(rows, list) and len(rows) == len(lines) else [source.get("row")] * len(lines)
    found = [
        _line(place, _texts(line, "lines"), row) for place, (line, row) in enumerate(zip(lines, numbers, strict=True))
    ]
    return [line for line, _worth in found], [worth for _line, worth in found]


def _line(place: int, line: dict[str, str], row: Any) -> tuple[dict[str, Any], int]:
    """Return one line and what it is worth: a price that is worked out of what was paid leaves a rest. What was paid
    for it is None where the table does not say."""
    path = f"lines[{place}]"
    try:
        quantity = cells.whole(line.get("quantity", ""), f"{path}.quantity")
        price = _line_money(line, "unit_price", path)
        paid = _line_money(line, "line_paid", path)
        refund = cells.word(line.get("refund", "none"), cells.REFUNDS, f"{path}.refund")
    except FieldError as error:
        raise FieldError(error.path, f"{error.reason} (row {row})") from error
    worth = (paid or 0) if price is None else price * quantity
    if price is None:
        price = worth // quantity if quantity > 0 else 0
    if quantity * price > MAX_FEN:
        raise FieldError(f"{path}.unit_price", f"not a believable amount (row {row})")
    made = {
        "line_no": line.get("line_no", str(place + 1)),
        "sku": line.get("sku", ""),
        "title": line.get("title", "")[:500],
        "quantity": quantity,
        "unit_price_fen": price,
        "paid_fen": paid,
        "refund": refund,
        **{ours: cells.identifier(line[name], f"{path}.{name}") for name, ours in CHANNEL_IDS.items() if name in line},
        "spec": line.get("spec", "")[:500],
    }
    return made, worth


def _line_money(line: dict[str, str], name: str, path: str) -> int | None:
    if f"{name}_fen" in line:
        return cells.whole(line[f"{name}_fen"], f"{path}.{name}_fen")
    return cells.fen(line[name], f"{path}.{name}") if name in line else None


def _texts(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise FieldError(path, "required")
    for name, text in value.items():
        if not isinstance(text, str):
            raise FieldError(str(name), "must be a text")
        if UNREADABLE in text:
            raise FieldError(str(name), "has characters that cannot be read in the file's encoding")
    return value
