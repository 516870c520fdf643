"""What Taobao shows of what it was told (protocol reference 1.7). It has no call that reads stock (1.10)."""

from collections.abc import Mapping
from typing import Any

from channels_sync.connectors.readback import objects, texts


def tracking_numbers(row: Mapping[str, Any]) -> frozenset[str]:
    """Return the parcels of a trade; each line names its own."""
    lines = row.get("orders")
    rows = objects(lines, "order") if isinstance(lines, Mapping) else objects(row, "orders")
    return texts(rows, "invoice_no")
