"""Stock files: one level a row (CSV, XLSX), or one object a line (NDJSON)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from channels_sync import payloads
from channels_sync.tables import cells
from channels_sync.tables.columns import plain_header
from channels_sync.tables.rows import table_rows, utf8_lines
from channels_sync.tables.sniff import NDJSON, FileFacts
from orderhub.core.errors import FieldError, HubError

SYNONYMS = {
    "sku": "商家编码 sku编码 规格编码 商品编码 货品编码 货号 自有sku sku_code item_code",
    "warehouse": "仓库 仓库编码 仓库代码 warehouse_code",
    "on_hand": "库存 库存数量 库存数 实物库存 在库数量 数量 stock quantity qty",
    "title": "商品名称 货品名称 商品标题 标题 品名",
    "list_price": "标价 吊牌价 价格 单价 售价 price",
    "campaign_price": "活动价 活动价格 大促价",
    "campaign_from": "活动开始 活动开始时间",
    "campaign_to": "活动结束 活动结束时间",
}
"""By field: further header names, besides the field's own."""
PRICES = ("list_price", "campaign_price")
TIMES = ("campaign_from", "campaign_to")
REQUIRED = ("sku", "warehouse", "on_hand")
UNREADABLE = "\ufffd"


@dataclass(slots=True, frozen=True)
class StockRow:
    """One row with its number in the file and its bytes; `value` is None where it is no JSON."""

    number: int
    raw: bytes
    value: Any
    error: FieldError | None = None


def stock_rows(facts: FileFacts) -> Iterator[StockRow]:
    """Yield every filled row in the form of the NDJSON. Raises HubError where the file cannot be read on."""
    yield from _json_rows(facts) if facts.kind == NDJSON else _table_rows(facts)


def _json_rows(facts: FileFacts) -> Iterator[StockRow]:
    with facts.path.open("rb") as file:
        for number, line in enumerate(utf8_lines(file, facts.encoding), start=1):
            raw = line.removeprefix(b"\xef\xbb\xbf").strip()
            if not raw:
                continue
            try:
                yield StockRow(number, raw, payloads.loads(raw))
            except payloads.BodyError:
                yield StockRow(number, raw, None)


def _table_rows(facts: FileFacts) -> Iterator[StockRow]:
    rows = table_rows(facts)
    header = next(rows, None)
    names = header.cells if header else []
    places = _places(names)
    missing = [name for name in REQUIRED if name not in places]
    if missing:
        raise HubError(f"no column for {', '.join(missing)}; the file has: {', '.join(names)[:300]}")
    for row in rows:
        found = {name: row.cells[place].strip() for name, place in places.items() if place < len(row.cells)}
        raw = orjson.dumps(dict(zip(names, row.cells, strict=False)))
        try:
            yield StockRow(row.number, raw, _level({name: text for name, text in found.items() if text}))
        except FieldError as error:
            yield StockRow(row.number, raw, found, error)


def _places(header: Sequence[str]) -> dict[str, int]:
    places = {plain_header(name): place for place, name in reversed(list(enumerate(header)))}
    words = {name: (name, *more.split()) for name, more in SYNONYMS.items()}
    words |= {f"{name}_fen": (f"{name}_fen",) for name in PRICES}
    found = {name: next((places[key] for word in of if (key := plain_header(word)) in places), None)
             for name, of in words.items()}  # fmt: skip
    return {name: place for name, place in found.items() if place is not None}


def _level(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return a row's filled cells as the values of the NDJSON: pieces as numbers, money in fen. Raises FieldError."""
    for name, text in texts.items():
        if UNREADABLE in text:
            raise FieldError(name, "has characters that cannot be read in the file's encoding")
    level: dict[str, Any] = {name: texts[name] for name in ("warehouse", "title") if name in texts}
    level["sku"] = cells.identifier(texts.get("sku", ""), "sku")
    if "on_hand" in texts:
        level["on_hand"] = cells.whole(texts["on_hand"], "on_hand")
    for name in PRICES:
        if f"{name}_fen" in texts:
            level[f"{name}_fen"] = cells.whole(texts[f"{name}_fen"], f"{name}_fen")
        elif name in texts:
            level[f"{name}_fen"] = cells.fen(texts[name], name)
    return level | {name: cells.moment(texts[name], name) for name in TIMES if name in texts}
