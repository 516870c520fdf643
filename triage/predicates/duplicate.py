"""The same buyer ordering the same article in the same quantity again within minutes."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from orderhub.core.draft import OrderDraft
from orderhub.core.told import with_goods_only
from triage.decisions import Candidate
from triage.predicates.base import Batch, Bought, Detail, FactType, Need, fact

WINDOW = timedelta(minutes=10)
NOT_BOUGHT = frozenset({"unpaid", "presale_deposit", "cancelled", "refunded"})
"""Statuses in which an order is no first purchase that a second could repeat."""
NOT_GONE = frozenset({"paid", "ready", "short", "in_triage_hold", "wms_failed", "refunding"})
"""Statuses in which a purchase may not have gone to the warehouse yet."""


def repeated_lines(draft: OrderDraft) -> list[tuple[str, int]]:
    """Return SKU and quantity of the lines that count: gifts and what was put aside (freight supplements) are the same
    for everybody, refunded lines nobody's."""
    kept = with_goods_only(draft)
    return [(line.sku, line.quantity) for line in kept.lines if line.unit_price_fen and line.sku]


def earlier_purchases(batch: Batch) -> list[Bought | None]:
    """Return for each order the latest purchase of the same within the window that it repeats, in pool or batch.

    Of two such orders the one that was paid later repeats the other; the first one may have been placed, and left
    unpaid, before. Where one is with the warehouse already, only the other can still be asked about.
    """
    return batch.once(_earlier)


def _earlier(batch: Batch) -> list[Bought | None]:
    times = Counter(c.buyer_id for c in batch.everyone if c.buyer_id is not None)
    siblings: dict[int, list[Bought]] = defaultdict(list)
    for candidate in batch.everyone:
        buyer, draft = candidate.buyer_id, candidate.draft
        if buyer is not None and times[buyer] > 1 and draft.status not in NOT_BOUGHT:
            for sku, quantity in repeated_lines(draft):
                bought = Bought(candidate.order_id, draft.created_at, _paid_at(draft), sku, quantity)
                siblings[buyer].append(bought)
    stored = batch.context.bought
    found: list[Bought | None] = []
    for candidate in batch.candidates:
        buyer = candidate.buyer_id
        if buyer is None or (buyer not in stored and buyer not in siblings):
            found.append(None)
        else:
            found.append(_latest_same([*stored.get(buyer, ()), *siblings.get(buyer, ())], candidate))
    return found


def _latest_same(others: Sequence[Bought], candidate: Candidate) -> Bought | None:
    draft = candidate.draft
    wanted, mine = set(repeated_lines(draft)), (_paid_at(draft), candidate.order_id)
    same = [
        row
        for row in others
        if (row.sku, row.quantity) in wanted
        and abs(row.at - draft.created_at) < WINDOW
        and (row.is_gone or (row.paid_at, row.order_id) < mine)
    ]
    return max(same, key=lambda row: (row.paid_at, row.order_id), default=None)


def _paid_at(draft: OrderDraft) -> datetime:
    return draft.paid_at or draft.created_at


def _explain(batch: Batch, i: int) -> dict[str, object]:
    earlier = earlier_purchases(batch)[i]
    if earlier is None:
        return {}
    seconds = abs((_paid_at(batch.drafts[i]) - earlier.paid_at).total_seconds())
    return {
        "duplicate.sku": earlier.sku,
        "duplicate.quantity": earlier.quantity,
        "duplicate.minutes": round(seconds / 60, 1),
        "duplicate.order": earlier.order_id,
    }


@fact(
    "duplicate.is_repeat",
    _("Same buyer bought the same within 10 minutes"),
    FactType.FLAG,
    about=_(
        "Same SKU and same quantity, gifts left out. Of two such orders the one paid later. Unknown without a buyer id."
    ),
    example=True,
    needs=[Need.BOUGHT],
    details=(
        Detail("duplicate.sku", _("SKU"), FactType.TEXT),
        Detail("duplicate.quantity", _("Quantity"), FactType.NUMBER),
        Detail("duplicate.minutes", _("Minutes before"), FactType.NUMBER),
        Detail("duplicate.order", _("Earlier order"), FactType.NUMBER),
    ),
    explain=_explain,
    basis=lambda draft: ";".join(f"{sku}={quantity}" for sku, quantity in repeated_lines(draft)),
)
def is_repeat(batch: Batch) -> list[bool | None]:
    """Tell whether each order repeats a purchase of minutes before."""
    return [
        None if candidate.buyer_id is None else earlier is not None
        for candidate, earlier in zip(batch.candidates, earlier_purchases(batch), strict=True)
    ]
