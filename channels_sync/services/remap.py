"""Open orders follow a changed mapping: which ones, and what their lines become. The pipeline writes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper
from django.db.models.functions import Now
from msgspec.structs import replace

from channels_sync.bundles import as_told
from channels_sync.models import Listing
from channels_sync.readers import ReadRow
from channels_sync.selectors.listings import is_open
from channels_sync.services.listings import map_drafts
from orderhub.core.draft import OrderDraft
from orderhub.core.results import Outcome
from orderhub.core.told import ignored_lines, unmatched_codes
from orderhub.models import Shop
from orderhub.selectors.drafts import drafts_of
from orderhub.services.batch import Batch, DraftRow, Incoming
from orderhub.services.pool_door import PoolDoor

_IN_POOL = ("line_no", "sku", "title", "quantity", "unit_price_fen", "paid_fen", "refund")


def due() -> tuple[list[int], datetime | None]:
    """Return the items whose open orders have to follow, and the time of the database now. One query."""
    rows = list(Listing.objects.filter(remap_until__isnull=False).values_list("pk", Now()))
    return [pk for pk, _now in rows], rows[0][1] if rows else None


def done(*, listing_ids: Sequence[int], began: datetime) -> int:
    """Note that a pass that began then is over, and return how many items are settled by it.

    An item that changed shortly before stays: a delivery may be on its way with what was true before.
    """
    return Listing.objects.filter(pk__in=listing_ids, remap_until__lte=began).update(remap_until=None)


def orders_to_change(shop: Shop, order_ids: Sequence[int]) -> list[int]:
    """Return those of the orders whose lines come out otherwise, without a lock: most do not, and intake need not wait
    for them. Six queries."""
    drafts = drafts_of(order_ids)
    ids = list(drafts)
    return [ids[row.row] for row in _mapped_otherwise(shop, list(drafts.values()))]


@dataclass(slots=True)
class OpenOrdersOnly(PoolDoor):
    """The door of a remapping: brings the orders that come out otherwise. One that went to the warehouse keeps its
    lines."""

    shop: Shop

    def read(self) -> list[DraftRow]:
        """Return the orders, mapped anew, of which the lines or the unmatched ones are others. Six queries."""
        return _mapped_otherwise(self.shop, list(drafts_of(self.order_ids).values()))

    def after(self, cursor: CursorWrapper, batch: Batch) -> None:
        """Take out of the sorted batch what must stay as it is."""
        batch.changed = [incoming for incoming in batch.changed if _may_follow(incoming)]
        follow = {incoming.row for incoming in batch.changed}
        batch.results = [
            told if told.row in follow else replace(told, outcome=Outcome.UNCHANGED) for told in batch.results
        ]


def _mapped_otherwise(shop: Shop, drafts: Sequence[OrderDraft]) -> list[DraftRow]:
    rows = [ReadRow(place, as_told(draft), None, draft.external_no, "") for place, draft in enumerate(drafts)]
    map_drafts(None, shop, rows)
    return [
        DraftRow(row.row, row.draft)
        for row, draft in zip(rows, drafts, strict=True)
        if row.draft is not None and _shape(row.draft) != _shape(draft)
    ]


def _may_follow(incoming: Incoming) -> bool:
    return incoming.known is not None and is_open(incoming.known.place)


def _shape(draft: OrderDraft) -> tuple[object, ...]:
    return (
        unmatched_codes(draft),
        ignored_lines(draft.raw),
        [tuple(getattr(line, name) for name in _IN_POOL) for line in draft.lines],
    )
