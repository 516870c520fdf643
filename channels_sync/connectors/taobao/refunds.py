"""Refunds of a window by their own time of change (protocol reference 1.9): nobody says that one moves its trade's."""

from collections.abc import Callable, Mapping
from typing import Any

from channels_sync.connectors.base import Window
from channels_sync.connectors.readback import objects
from channels_sync.connectors.taobao.client import top_time

METHOD = "taobao.refunds.receive.get"
FIELDS = "refund_id,tid,modified"
Call = Callable[[str, Mapping[str, str]], Mapping[str, Any]]
Rows = list[Mapping[str, Any]]


def changed(call: Call, window: Window, page_size: int) -> Rows:
    """Return the refunds changed in `window`, some perhaps twice, that of the latest change last.

    Read like the trades: one that changes meanwhile leaves the window and those behind it move up, so after the count
    from the last page to the first.
    """
    params = {
        "fields": FIELDS,
        "start_modified": top_time(window.start),
        "end_modified": top_time(window.end),
        "page_size": str(page_size),
    }
    first = call(METHOD, {**params, "page_no": "1", "use_has_next": "false"})
    rows, total = _rows(first), int(first.get("total_results") or 0)
    if len(rows) < total:
        for page in range(-(-total // page_size), 0, -1):
            rows += _rows(call(METHOD, {**params, "page_no": str(page), "use_has_next": "true"}))
    return sorted(rows, key=lambda row: str(row.get("modified") or ""))


def _rows(content: Mapping[str, Any]) -> Rows:
    wrapper = content.get("refunds")
    return list(objects(wrapper, "refund") if isinstance(wrapper, Mapping) else objects(content, "refunds"))
