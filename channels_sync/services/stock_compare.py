"""The stock that a platform shows against what it was last told and took; part of a reconciliation.

An item that is being told something right now is not judged, and one that differs is looked at twice: stock moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from channels_sync.connectors.base import Connector, ShopAccess
from channels_sync.connectors.readback import StockItem, StockShown
from channels_sync.models import Difference, DifferenceKind, Listing, Reconciliation, StockCompared
from channels_sync.selectors.listings import sellable
from channels_sync.selectors.offers import writes_stock
from orderhub.core.errors import HubError
from orderhub.models import Shop

TRIES = 3
"""Failures of the job after which the stock is left out rather than the whole comparison held up."""


@dataclass(slots=True)
class StockResult:
    """Values for the comparison, and a row for each item that differs."""

    values: dict[str, Any]
    rows: list[Difference] = field(default_factory=list)


def compare(job: Reconciliation, access: ShopAccess, connector: Connector) -> StockResult:
    """Return what came of the stock of the job's shop; that of one which is not told its stock is not judged.

    Raises what connectors do, while trying again can help.
    """
    if not connector.reads_stock:
        return StockResult({"stock_state": StockCompared.NOT_OFFERED})
    before = _told(job.shop) if writes_stock(job.shop) else {}
    if not before:
        return StockResult({"stock_state": StockCompared.NOTHING})
    try:
        differing = _differing(job.shop, access, connector, before)
        certain = _differing(job.shop, access, connector, {pk: before[pk] for pk in differing})
    except HubError as error:
        if not error.permanent and job.failures < TRIES:
            raise
        return StockResult({"stock_state": StockCompared.FAILED, "stock_error": str(error)[:1000]})
    values = {
        "stock_state": StockCompared.COMPARED, "stock_items": len(before), "stock_differing": len(certain),
        "stock_error": "",
    }  # fmt: skip
    return StockResult(values, [_row(job, before[pk], shown) for pk, shown in certain.items()])


def item_key(listing: Listing) -> str:
    """Return how a difference names an item."""
    return f"{listing.item_id}:{listing.sku_id}:{listing.outer_id}"[:200]


def tell_again(shop_id: int, keys: Sequence[str]) -> int:
    """Have items told their stock again, by the names of their differences; the next turn of the write does it."""
    told = Listing.objects.filter(shop_id=shop_id, shown__isnull=False)
    wanted = set(keys)
    ids = [listing.pk for listing in told if item_key(listing) in wanted]
    return Listing.objects.filter(pk__in=ids).update(shown=None, stock_retry_at=None)


def _told(shop: Shop) -> dict[int, Listing]:
    """Return the items whose shown quantity is known: told, taken, and nothing under way."""
    rows = sellable(shop).filter(shown__isnull=False, asked__isnull=True, stock_error="").prefetch_related(None)
    return {listing.pk: listing for listing in rows}


def _differing(
    shop: Shop, access: ShopAccess, connector: Connector, listings: dict[int, Listing]
) -> dict[int, StockShown]:
    """Return what the platform shows of the items where it is not what they were told, then as now."""
    if not listings:
        return {}
    items = [StockItem(listing.item_id, listing.sku_id, listing.outer_id) for listing in listings.values()]
    answers = dict(zip(listings, connector.read_stock(access, items), strict=True))
    after = _told(shop)
    return {
        pk: answer
        for pk, answer in answers.items()
        if pk in after and after[pk].shown == listings[pk].shown and answer.quantity != after[pk].shown
    }


def _row(job: Reconciliation, listing: Listing, shown: StockShown) -> Difference:
    platform = str(shown.quantity) if shown.error is None else str(shown.error)
    return Difference(
        reconciliation=job, shop_id=job.shop_id, kind=DifferenceKind.STOCK, external_no=item_key(listing),
        field="stock", pool_value=str(listing.shown), platform_value=platform[:200],
    )  # fmt: skip
