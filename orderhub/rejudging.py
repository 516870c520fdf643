"""Known orders on the path once more: rules changed, stock came, a person accepted, later orders showed a pattern."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from orderhub.core.errors import HubError
from orderhub.core.words import Lane
from orderhub.models import Order, Shop
from orderhub.pipeline import Intake, take_batch
from orderhub.selectors.shortages import orders_to_restock
from orderhub.services import stock
from orderhub.services.pool_door import PoolDoor
from triage.selectors.outdated import outdated_price_findings
from triage.selectors.siblings import unmarked_repeats, unmarked_siblings, unseen_clusters
from triage.selectors.stops import orders_past_their_stop
from triage.services import accept_findings


def retriage(order_ids: Sequence[int], actor: str) -> int:
    """Judge known orders again (rules changed, stock came, a person accepted), in batches of one shop each, and return
    how many were judged."""
    by_shop: dict[int, list[int]] = defaultdict(list)
    known = Order.objects.filter(pk__in=list(order_ids)).order_by("pk").values_list("pk", "shop_id")
    for order_id, shop_id in known:
        by_shop[shop_id].append(order_id)
    judged, size = 0, settings.HUB_BATCH_SIZE
    for shop in Shop.objects.filter(pk__in=by_shop).select_related("warehouse").order_by("pk"):
        ids = by_shop[shop.pk]
        for start in range(0, len(ids), size):
            door = PoolDoor(ids[start : start + size])
            judged += len(take_batch(Intake(shop, "hub", actor, door, is_again=True), ()))
    return judged


def recheck_siblings() -> int:
    """Judge orders again that look different by what came after them, and return how many.

    The first orders of a cluster once the later ones have shown it, and clusters that came in batches at once; one that
    repeats a purchase which was taken in at the same time, or after it; prices held against the list price before the
    shop's own mean was known; orders held by a shipping stop that has ended.
    """
    found = [*unmarked_siblings(), *unseen_clusters(), *unmarked_repeats(), *outdated_price_findings()]
    found += orders_past_their_stop()
    return retriage(list(dict.fromkeys(found)), "hub")


def restock() -> int:
    """Judge orders again that lack pieces which came (counted, reported, given back), and return how many."""
    return retriage(orders_to_restock(), "hub")


@transaction.atomic
def release_order(order_id: int, actor: str, reason: str, may_release_abnormal: bool, seen: Collection[str]) -> None:
    """Let a held order go: a person accepts the findings that were shown (`seen`, marks of `hooks.open_reasons`), and
    it is judged again without them.

    Raises HubError for a frozen order unless the person may release those, and where a reason has changed since it was
    shown. The lane is read under the lock, because the order may have been judged again since the person saw it.
    """
    with connection.cursor() as cursor:
        # Before the order's own lock: a batch that works alone waits for those that hold stock, never for an order.
        stock.enter(cursor, alone=False)
    lane = Order.objects.select_for_update().values_list("lane", flat=True).get(pk=order_id)
    if lane == Lane.ABNORMAL and not may_release_abnormal:
        raise HubError(_("The order is frozen: a supervisor or risk reviewer decides."))
    accept_findings(order_id=order_id, actor=actor, reason=reason, seen=seen)
    retriage([order_id], actor)
