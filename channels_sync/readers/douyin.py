"""Reads pages of Douyin shop orders: `{"orders": [...]}`, or one order (a reject that is tried again)."""

from channels_sync import payloads
from channels_sync.connectors.douyin.mapping import read_order
from channels_sync.readers.base import ReadRow, read_rows, readers

KEY = "douyin"


@readers.register(KEY)
def read(body: bytes, content_type: str) -> list[ReadRow]:
    """Return one row per order, counted from 0. Raises BodyError."""
    rows = payloads.loads_rows(body, "orders", content_type)
    return read_rows(KEY, enumerate(rows), read_order, "order_id")
