"""Orders held for a status word that nobody knew: which ones a word of today lets go, and what they become."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q
from msgspec.structs import replace

from channels_sync.connectors.webhook import WebhookConnector, known_words, unknown_hold
from orderhub.core.draft import OrderDraft
from orderhub.core.words import Status
from orderhub.models import Order, Shop
from orderhub.selectors.drafts import drafts_of
from orderhub.services.batch import DraftRow
from orderhub.services.pool_door import PoolDoor

STANDING = (Status.PAID, Status.WMS_QUEUED, Status.WMS_FAILED)
"""Where a hold keeps an order from going on."""


def waiting() -> dict[Shop, list[int]]:
    """Return the orders by shop that came with a word which their shop's settings know by now: held for it, or by a
    hold of the other system's own. One query a shop that has words of its own."""
    shops = Shop.objects.filter(platform=WebhookConnector.key, is_active=True, settings__has_key="statuses")
    found: dict[Shop, list[int]] = {}
    for shop in shops.select_related("warehouse"):
        words = _known(shop)
        came = Q(channel_hold__in=[unknown_hold(word) for word in words])
        # Those that came as "paid" for want of a word; one that means just that changes nothing of them.
        news = [word for word, status in words.items() if status != Status.PAID]
        came |= Q(channel_status__in=news, channel_claim=Status.PAID) & ~Q(channel_hold="")
        held = Order.objects.filter(came, shop=shop, status__in=STANDING)
        if ids := list(held.order_by("pk").values_list("pk", flat=True)):
            found[shop] = ids
    return found


@dataclass(slots=True)
class HeldOrders(PoolDoor):
    """Brings orders of a shop with the status that their word means by now."""

    shop: Shop

    def read(self) -> list[DraftRow]:
        """Return those that still wait for a word which is known."""
        words = _known(self.shop)
        drafts = [told for draft in drafts_of(self.order_ids).values() if (told := _told(draft, words))]
        return [DraftRow(place, draft) for place, draft in enumerate(drafts)]


def _told(draft: OrderDraft, words: Mapping[str, str]) -> OrderDraft | None:
    """Return an order as its word says by now; None where that is nothing new."""
    by_hold = {unknown_hold(word): status for word, status in words.items()}
    if draft.channel_hold in by_hold:
        return replace(draft, status=by_hold[draft.channel_hold], channel_hold="")
    status = words.get(draft.channel_status, Status.PAID)
    is_news = draft.channel_hold and draft.status == Status.PAID != status
    return replace(draft, status=status) if is_news else None


def _known(shop: Shop) -> Mapping[str, str]:
    """Return what the words of a shop mean, as far as they are kept. Without those that mean "unpaid": that is never
    later than the "paid" as which their orders came, so that only a newer version says it."""
    words = known_words(shop.settings)
    return {word[:64]: status for word, status in words.items() if status in Status.values and status != Status.UNPAID}
