"""Builds orders and batches for tests of triage: a regular order unless something is changed."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import Any

from channels_sync.bundles import Part, components, noted
from orderhub.core.draft import BuyerDraft, LineDraft, OrderDraft, ReceiverDraft
from orderhub.core.told import IGNORED, TOLD
from orderhub.services.bulk import copy_tables
from triage.decisions import Candidate
from triage.defaults.words import word_lists
from triage.matchers import Words
from triage.predicates.base import Batch, Context
from triage.services import new_findings, replace_findings

NOW = datetime(2026, 11, 11, 0, 30, tzinfo=UTC)
RECEIVER = {
    "name": "李雷", "phone": "13912345678", "province": "浙江省", "city": "杭州市", "district": "西湖区",
    "detail": "文三路 90 号 3 幢 501 室",
}  # fmt: skip
LINE = {"line_no": "1", "sku": "SERUM-30", "title": "精华液 30ml", "quantity": 1, "unit_price_fen": 12900}
_ids = count(1_000_000)


@lru_cache(maxsize=1)
def starter_words() -> Words:
    return Words({words.key: [term for term, _note, active in words.terms if active] for words in word_lists()})


def line(**changes: Any) -> LineDraft:
    return LineDraft(**{**LINE, **changes})


def draft(
    *, at: float = 0, lines: tuple[LineDraft, ...] | None = None, receiver=None, buyer=None, **changes
) -> OrderDraft:
    """Return a paid order placed `at` seconds after NOW."""
    created = NOW + timedelta(seconds=at)
    return OrderDraft(
        **{
            "external_no": "T1", "status": "paid", "created_at": created, "modified_at": created, "total_fen": 12900,
            "receiver": ReceiverDraft(**{**RECEIVER, **(receiver or {})}), "buyer": BuyerDraft(**(buyer or {})),
            "lines": lines or (line(),), **changes,
        }
    )  # fmt: skip


def bundle(price: int, *parts: tuple[str, int], code: str = "SET-1", **changes: Any) -> dict[str, Any]:
    """Return the lines and notes of an order of one bundle that was sold at `price` fen."""
    told = line(sku=code, item_id="11", unit_price_fen=price, **changes)
    lines = components(told, [Part(sku, quantity) for sku, quantity in parts])
    return {"lines": tuple(lines), "raw": {TOLD: [noted(told, lines)]}}


def put_aside(*numbers: str) -> dict[str, Any]:
    """Return the notes of an order of which somebody put these lines aside (补差价, 补邮费)."""
    return {TOLD: [{"line_no": number, "item_id": "77", "sku_id": "", IGNORED: True} for number in numbers]}


def candidate(
    order: OrderDraft | None = None, *, shop_id=1, buyer_id=None, short=(), is_known=False, order_id=None, **changes
) -> Candidate:
    return Candidate(order_id or next(_ids), shop_id, order or draft(**changes), buyer_id, tuple(short), is_known)


def batch(*candidates: Candidate, **context: Any) -> Batch:
    return Batch(list(candidates), list(candidates), Context(NOW, **context), starter_words())


def fact_of(key: str, *, context: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Return the value of one fact for one order."""
    return batch(candidate(**changes), **(context or {})).column(key)[0]


def store(cursor, candidates, decisions):
    """Write what was found, as the pipeline does."""
    copy_tables(cursor, new_findings(candidates, decisions))
    replace_findings(cursor, candidates, decisions)
