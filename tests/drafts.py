"""Order drafts for tests: a regular order unless something is changed."""

from typing import Any

import orjson

from orderhub.core.results import IntakeResult
from orderhub.deliveries import process
from orderhub.models import Shop
from orderhub.services.inbox import receive

RECEIVER = {
    "name": "李雷", "phone": "13912345678", "country": "CN", "province": "浙江省", "city": "杭州市",
    "district": "西湖区", "town": "", "detail": "文三路 90 号 3 幢 501 室", "postcode": "",
}  # fmt: skip


def line(**changes: Any) -> dict[str, Any]:
    """Return one line of one piece at 129 yuan."""
    return {"line_no": "1", "sku": "SERUM-30", "title": "精华液 30ml", "quantity": 1, "unit_price_fen": 12900,
            "paid_fen": 12900, "refund": "none"} | changes  # fmt: skip


def draft(number: str = "T1", **changes: Any) -> dict[str, Any]:
    """Return a paid, regular order."""
    return {
        "external_no": number, "status": "paid", "created_at": "2026-11-11T00:00:07+08:00",
        "paid_at": "2026-11-11T00:00:31+08:00", "modified_at": "2026-11-11T00:00:31+08:00",
        "buyer": {"id": f"u-{number}", "nickname": "小李"}, "receiver": RECEIVER, "lines": [line()],
        "total_fen": 12900, "paid_fen": 12900,
    } | changes  # fmt: skip


def later(minutes: int) -> str:
    """Return a `modified_at` some minutes after the first one."""
    return f"2026-11-11T00:{minutes:02d}:31+08:00"


_keys = iter(range(10**9))


def deliver(shop: Shop, *rows: Any, key: str = "", body: bytes | None = None) -> IntakeResult:
    """Store one delivery of `rows` and take it in."""
    item = receive(
        shop=shop, source="api", reader="draft", delivery_key=key or f"test:{next(_keys)}",
        body=orjson.dumps(list(rows)) if body is None else body,
    )  # fmt: skip
    return process(item.pk)
