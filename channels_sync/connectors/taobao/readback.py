"""What Taobao shows of what it was told (protocol reference 1.7). It has no call that reads stock (1.10)."""

from collections.abc import Iterator, Mapping
from typing import Any

from channels_sync.connectors.readback import objects, texts


def tracking_numbers(row: Mapping[str, Any]) -> frozenset[str]:
    """Return the parcels of a trade; each line names its own."""
    return texts(lines_of(row), "invoice_no")


def lines_of(trade: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the lines of a trade, within their wrapper or simplified."""
    lines = trade.get("orders") if isinstance(trade, Mapping) else None
    return objects(lines, "order") if isinstance(lines, Mapping) else objects(trade, "orders")
