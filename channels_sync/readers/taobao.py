"""Reads pages of TOP trades: `{"trades": [...]}`, or one trade (a reject that is tried again)."""

from channels_sync import payloads
from channels_sync.connectors.taobao.mapping import read_trade
from channels_sync.readers.base import ReadRow, read_rows, readers

KEY = "taobao"


@readers.register(KEY)
def read(body: bytes, content_type: str) -> list[ReadRow]:
    """Return one row per trade, counted from 0. Raises BodyError."""
    rows = payloads.loads_rows(body, "trades", content_type)
    return read_rows(KEY, enumerate(rows), read_trade, "tid")
