"""What a platform shows of what it was told: stock of items, tracking numbers of an order. Values only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orderhub.core.errors import HubError

REFUSED_KEY = "hub_refused"
"""What every connector puts into an order that its platform refuses to show."""


def is_refusal(raw_row: bytes) -> bool:
    """Tell whether a raw row stands for an order that its platform refused to show."""
    return f'"{REFUSED_KEY}":'.encode() in raw_row


@dataclass(slots=True, frozen=True)
class StockItem:
    """One channel item, by the platform's ids and the merchant's code."""

    item_id: str
    sku_id: str
    outer_id: str


@dataclass(slots=True, frozen=True)
class StockShown:
    """How many pieces the platform shows of an item, in the sense in which it is told them; `error` says why not."""

    quantity: int | None = None
    error: HubError | None = None


def whole(value: Any) -> int | None:
    """Return a number that a platform wrote as a number or as text, None for anything else."""
    text = str(value)
    return int(text) if text.removeprefix("-").isdigit() and text.isascii() and len(text) < 12 else None


def objects(holder: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list under `name`; nothing where there is none."""
    rows = holder.get(name) if isinstance(holder, Mapping) else None
    return (row for row in rows if isinstance(row, Mapping)) if isinstance(rows, list) else iter(())


def texts(rows: Iterator[Mapping[str, Any]], name: str) -> frozenset[str]:
    """Return the texts under `name` that are not empty."""
    return frozenset(str(row[name]) for row in rows if row.get(name))
