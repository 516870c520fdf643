"""Orders held for a status word that nobody knew: which ones a word of today lets go, and what they become."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from channels_sync.connectors.webhook import WebhookConnector, known_words, unknown_hold
from orderhub.core.words import Status
from orderhub.models import Order, Shop
from orderhub.selectors.drafts import drafts_of
from orderhub.services.batch import DraftRow
from orderhub.services.pool_door import PoolDoor

STANDING = (Status.PAID, Status.WMS_QUEUED, Status.WMS_FAILED)
"""Where a hold keeps an order from going on."""


def waiting() -> dict[Shop, list[int]]:
    """Return the orders by shop that are held for a word which their shop's settings know by now. One query a shop that
    has words of its own."""
    shops = Shop.objects.filter(platform=WebhookConnector.key, is_active=True, settings__has_key="statuses")
    found: dict[Shop, list[int]] = {}
    for shop in shops.select_related("warehouse"):
        held = Order.objects.filter(shop=shop, status__in=STANDING, channel_hold__in=list(_by_hold(shop)))
        if ids := list(held.order_by("pk").values_list("pk", flat=True)):
            found[shop] = ids
    return found


@dataclass(slots=True)
class HeldOrders(PoolDoor):
    """Brings orders of a shop with the status that their word means by now."""

    shop: Shop

    def read(self) -> list[DraftRow]:
        """Return those that still wait for a word which is known."""
        words = _by_hold(self.shop)
        drafts = [draft for draft in drafts_of(self.order_ids).values() if draft.channel_hold in words]
        return [
            DraftRow(place, replace(draft, status=words[draft.channel_hold], channel_hold=""))
            for place, draft in enumerate(drafts)
        ]


def _by_hold(shop: Shop) -> Mapping[str, str]:
    return {
        unknown_hold(word): status for word, status in known_words(shop.settings).items() if status in Status.values
    }
