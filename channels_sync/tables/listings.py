"""Files of channel items and their SKUs: one row for each SKU of an item (CSV, XLSX), or one object a line (NDJSON)."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import orjson
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from channels_sync.bundles import Part, merchant_code
from channels_sync.tables import cells
from channels_sync.tables.columns import plain_header
from channels_sync.tables.rows import table_rows
from channels_sync.tables.sniff import NDJSON, FileFacts
from orderhub.core.errors import FieldError, HubError
from orderhub.core.money import MAX_FEN, yuan

COLUMNS = ("shop", "item_id", "sku_id", "outer_id", "title", "spec", "state", "sku", "quantity", "value")
SYNONYMS = {
    "item_id": "商品id 宝贝id 平台商品id num_iid product_id",
    "sku_id": "规格id 平台规格id 平台sku_id channel_sku_id",
    "outer_id": "商家编码 平台商家编码 merchant_code outer_iid outer_sku_id",
    "title": "商品名称 宝贝标题 商品标题 标题",
    "spec": "规格 商品规格 销售属性 规格名称 variant",
    "state": "状态",
    "sku": "自有sku 本地sku 系统sku 货品编码 货号 own_sku",
    "quantity": "数量 件数 pieces qty",
    "value": "价值 分摊价 分摊价格 单件价值",
}
STATES = {"matched": "已匹配 匹配", "unmatched": "未匹配 待匹配", "ignored": "已忽略 忽略 无需匹配"}
LIMITS = {"item_id": 64, "sku_id": 64, "outer_id": 100, "title": 500, "spec": 500, "sku": 100}
UNREADABLE = "\ufffd"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(slots=True)
class Item:
    """One item of a file: its key, its parts, and the row where it begins; `error` spoils it as a whole."""

    row: int
    item_id: str
    sku_id: str
    outer_id: str
    title: str = ""
    spec: str = ""
    state: str = ""
    parts: list[Part] = field(default_factory=list)
    part_rows: dict[str, int] = field(default_factory=dict)
    error: tuple[int, FieldError] | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """By what the item is known."""
        return self.item_id, self.sku_id, self.outer_id


def read_items(facts: FileFacts) -> list[Item]:
    """Return the items of a file in its order, each once. Raises HubError where it cannot be read as a whole."""
    rows = _json_rows(facts) if facts.kind == NDJSON else _table_rows(facts)
    items: dict[object, Item] = {}
    for number, cells_of, problem in rows:
        item = _read(number, cells_of, problem)
        known = items.setdefault(item.key if any(item.key) else number, item)
        if known is not item:
            _join(known, item, number)
    return list(items.values())


def _join(known: Item, item: Item, number: int) -> None:
    """Rows of one item are its parts; what they say otherwise must agree."""
    known.error = known.error or item.error
    if item.state and known.state and item.state != known.state:
        known.error = known.error or (number, FieldError("state", f"another state than in row {known.row}"))
    known.state = known.state or item.state
    have = {part.sku for part in known.parts}
    twice = next((part.sku for part in item.parts if part.sku in have), None)
    if twice is not None:
        known.error = known.error or (number, FieldError("sku", f"{twice} appears twice for this item"))
    known.parts += item.parts
    known.part_rows |= {part.sku: number for part in item.parts}


def _read(number: int, row: dict[str, Any], problem: str) -> Item:
    item = Item(number, "", "", "")
    try:
        if problem:
            raise FieldError("", problem)
        texts = {name: _text(row, name) for name in LIMITS if name != "sku"}
        for name in ("item_id", "sku_id"):
            texts[name] = cells.identifier(texts[name], name)
        code = merchant_code(texts["item_id"], texts["sku_id"], texts["outer_id"])
        item = Item(number, texts["item_id"], texts["sku_id"], code, texts["title"], texts["spec"])
        if not any(item.key):
            raise FieldError("item_id", "an item id, a channel SKU id or a merchant code is needed")
        state = _text(row, "state")
        item.state = cells.word(state, STATES, "state") if state else ""
        rows = row.get("parts")
        item.parts = [_part(part) for part in (rows if isinstance(rows, list) else [row])]
        item.parts = [part for part in item.parts if part.sku]
        item.part_rows = {part.sku: number for part in item.parts}
        if len(item.part_rows) < len(item.parts):
            raise FieldError("parts", "one SKU appears twice")
    except FieldError as error:
        item.error = (number, error)
    return item


def _part(row: Any) -> Part:
    if not isinstance(row, dict):
        raise FieldError("parts", "each part is an object with sku and quantity")
    sku, quantity = _text(row, "sku"), _text(row, "quantity")
    count = cells.whole(quantity, "quantity") if quantity else 1
    if sku and not 1 <= count <= 1000:
        raise FieldError("quantity", f"1 to 1000 pieces, not {count}")
    value = cells.whole(_text(row, "value_fen"), "value_fen") if _text(row, "value_fen") else None
    if value is None and _text(row, "value"):
        value = cells.fen(_text(row, "value"), "value")
    if value is not None and not 0 <= value <= MAX_FEN:
        raise FieldError("value", "not a believable amount")
    return Part(sku, count, value)


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | type(None)):
        raise FieldError(name, "must be a text or a number")
    text = "" if value is None else str(value).strip().removeprefix("'").replace("\x00", "")
    if UNREADABLE in text:
        raise FieldError(name, "has characters that cannot be read in the file's encoding")
    limit = LIMITS.get(name, 100)
    if len(text) > limit:
        raise FieldError(name, f"at most {limit} characters")
    return text


def _table_rows(facts: FileFacts) -> Iterator[tuple[int, dict[str, Any], str]]:
    rows = table_rows(facts)
    header = next(rows, None)
    places = {plain_header(name): place for place, name in reversed(list(enumerate(header.cells if header else [])))}
    found = {}
    for name in COLUMNS[1:]:
        words = (name, *SYNONYMS[name].split())
        place = next((places[key] for word in words if (key := plain_header(word)) in places), None)
        if place is not None:
            found[name] = place
    if "sku" not in found or not {"item_id", "sku_id", "outer_id"} & found.keys():
        columns = ", ".join(header.cells if header else [])[:300]
        raise HubError(f"columns sku and one of item_id, sku_id, outer_id are needed; the file has: {columns}")
    for row in rows:
        yield row.number, {n: row.cells[p] for n, p in found.items() if p < len(row.cells)}, ""


def _json_rows(facts: FileFacts) -> Iterator[tuple[int, dict[str, Any], str]]:
    with facts.path.open(encoding=facts.encoding, errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield number, {}, f"not JSON: {error}"
                continue
            yield (number, value, "") if isinstance(value, dict) else (number, {}, "must be an object")


class Writer(AbstractContextManager["Writer"]):
    """Writes items into a file whose name says the form: `.csv`, `.xlsx` or `.ndjson`."""

    def __init__(self, path: Path) -> None:
        forms: dict[str, Callable[[Path], _Form]] = {".csv": _Csv, ".xlsx": _Xlsx, ".ndjson": _Lines, ".jsonl": _Lines}
        if path.suffix.lower() not in forms:
            raise HubError(f"the file name must end in {', '.join(forms)}")
        self._form = forms[path.suffix.lower()](path)

    def add(self, shop: str, item: Item) -> None:
        """Write one item."""
        self._form.add(shop, item)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._form.close()


class _Form:
    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, shop: str, item: Item) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class _Csv(_Form):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        # A spreadsheet takes UTF-8 only with a byte order mark.
        self._file: IO[str] = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def add(self, shop: str, item: Item) -> None:
        self._writer.writerows([_harmless(cell) for cell in row] for row in _rows(shop, item))

    def close(self) -> None:
        self._file.close()


class _Xlsx(_Form):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("listings")
        self._sheet.append(COLUMNS)

    def add(self, shop: str, item: Item) -> None:
        for row in _rows(shop, item):
            self._sheet.append([self._cell(value) for value in row])

    def _cell(self, value: str) -> Any:
        cell = WriteOnlyCell(self._sheet, value=value)
        cell.data_type = "s"
        return cell

    def close(self) -> None:
        self._book.save(self.path)


class _Lines(_Form):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: IO[bytes] = path.open("wb")

    def add(self, shop: str, item: Item) -> None:
        parts = [{"sku": p.sku, "quantity": p.quantity, "value_fen": p.value_fen} for p in item.parts]
        line = {"shop": shop, **{name: getattr(item, name) for name in COLUMNS[1:7]}, "parts": parts}
        self._file.write(orjson.dumps(line) + b"\n")

    def close(self) -> None:
        self._file.close()


def _rows(shop: str, item: Item) -> Iterable[Sequence[str]]:
    head = [shop, *(str(getattr(item, name)) for name in COLUMNS[1:7])]
    if not item.parts:
        yield [*head, "", "", ""]
    for part in item.parts:
        yield [*head, part.sku, str(part.quantity), "" if part.value_fen is None else yuan(part.value_fen)]


def _harmless(cell: str) -> str:
    """A text that a spreadsheet would take for a formula gets a quotation mark in front, which reading takes off."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
