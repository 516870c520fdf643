"""The same buyer ordering the same article in the same quantity again within minutes."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from orderhub.core.draft import OrderDraft
from orderhub.core.told import without_refunded
from triage.predicates.base import Batch, Bought, Detail, FactType, Need, fact

WINDOW = timedelta(minutes=10)
NOT_BOUGHT = frozenset({"unpaid", "presale_deposit", "cancelled", "refunded"})
"""Statuses in which an order is no first purchase that a second could repeat."""


def repeated_lines(draft: OrderDraft) -> list[tuple[str, int]]:
    """Return SKU and quantity of the lines that count: gifts are the same for everybody, refunded lines nobody's."""
    kept = without_refunded(draft)
    return [(line.sku, line.quantity) for line in kept.lines if line.unit_price_fen and line.sku]


def earlier_purchases(batch: Batch) -> list[Bought | None]:
    """Return for each order the latest purchase of the same within the window before it, in pool or batch."""
    return batch.once(_earlier)


def _earlier(batch: Batch) -> list[Bought | None]:
    times = Counter(c.buyer_id for c in batch.everyone if c.buyer_id is not None)
    siblings: dict[int, list[tuple[datetime, int, Bought]]] = defaultdict(list)
    places = {}
    for place, candidate in enumerate(batch.everyone):
        buyer, draft = candidate.buyer_id, candidate.draft
        if buyer is None or times[buyer] < 2:
            continue
        places[candidate.order_id] = place
        if draft.status not in NOT_BOUGHT:
            for sku, quantity in repeated_lines(draft):
                bought = Bought(candidate.order_id, draft.created_at, sku, quantity)
                siblings[buyer].append((draft.created_at, place, bought))
    stored = batch.context.bought
    found: list[Bought | None] = []
    for candidate in batch.candidates:
        buyer = candidate.buyer_id
        if buyer is None or (buyer not in stored and buyer not in siblings):
            found.append(None)
            continue
        at, place = candidate.draft.created_at, places.get(candidate.order_id, 0)
        before = [row for row in stored.get(buyer, ()) if row.at <= at]
        before += [row for when, where, row in siblings.get(buyer, ()) if (when, where) < (at, place)]
        found.append(_latest_same(before, candidate.draft))
    return found


def _latest_same(before: list[Bought], draft: OrderDraft) -> Bought | None:
    wanted = set(repeated_lines(draft))
    same = [row for row in before if row.at > draft.created_at - WINDOW and (row.sku, row.quantity) in wanted]
    return max(same, key=lambda row: row.at, default=None)


def _explain(batch: Batch, i: int) -> dict[str, object]:
    earlier = earlier_purchases(batch)[i]
    if earlier is None:
        return {}
    seconds = (batch.drafts[i].created_at - earlier.at).total_seconds()
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
    about=_("Same SKU and same quantity, gifts left out. Unknown without a buyer id."),
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
