"""Open orders follow a changed mapping or a status word that somebody entered: they take the path of the pipeline once
more, with the SKUs and words of today."""

import sys
import time
from collections.abc import Sequence

from django.conf import settings

from channels_sync.selectors.listings import open_orders
from channels_sync.services import remap as following
from channels_sync.services import status_words
from channels_sync.services.remap import OpenOrdersOnly, orders_to_change
from orderhub.core.results import Outcome
from orderhub.models import Shop
from orderhub.pipeline import Intake, take_batch

REMAP_SECONDS = 60.0


def remap(listing_ids: Sequence[int], actor: str, most: int, *, seconds: float = REMAP_SECONDS) -> tuple[int, int]:
    """Let open orders follow changed channel items; return how many changed, and how many were not looked at: beyond
    `most`, or once the time was over. An order that went to the warehouse keeps what it left with."""
    deadline, changed, left = time.monotonic() + seconds, 0, 0
    for shop_id, order_ids in open_orders(listing_ids).items():
        shop = Shop.objects.select_related("warehouse").get(pk=shop_id)
        while order_ids and most > 0 and time.monotonic() < deadline:
            size = min(settings.HUB_BATCH_SIZE, most)
            batch, order_ids, most = order_ids[:size], order_ids[size:], most - size
            door = OpenOrdersOnly(orders_to_change(shop, batch), shop)
            told = take_batch(Intake(shop, "hub", actor, door, is_again=True), ()) if door.order_ids else []
            changed += sum(row.outcome is Outcome.CHANGED for row in told)
        left += len(order_ids)
    return changed, left


def remap_changed() -> int:
    """Let open orders follow every channel item that changed lately, and return how many orders changed; what is left
    when the time is over goes on at the next run."""
    listing_ids, began = following.due()
    if began is None:
        return 0
    changed, left = remap(listing_ids, "hub", sys.maxsize)
    if not left:
        following.done(listing_ids=listing_ids, began=began)
    return changed


def let_go_known_words() -> int:
    """Let orders go on that were held for a status word which their shop knows by now, and return how many changed."""
    changed, size = 0, settings.HUB_BATCH_SIZE
    for shop, order_ids in status_words.waiting().items():
        for start in range(0, len(order_ids), size):
            door = status_words.HeldOrders(order_ids[start : start + size], shop)
            told = take_batch(Intake(shop, "hub", "hub", door, is_again=True), ())
            changed += sum(row.outcome is Outcome.CHANGED for row in told)
    return changed
