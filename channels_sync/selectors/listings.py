"""Reading what channels sell, and of which own SKUs it is made."""

from django.db.models import QuerySet

from channels_sync.models import Listing, ListingState
from orderhub.models import Shop


def sellable(shop: Shop) -> QuerySet[Listing]:
    """Return the matched items of a shop that the channel knows by an id of its own, with their parts. Two queries."""
    rows = Listing.objects.filter(shop=shop, state=ListingState.MATCHED).exclude(item_id="", sku_id="")
    return rows.prefetch_related("parts").order_by("id")
