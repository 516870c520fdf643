"""The pool's side of a comparison with a platform: set-wise, a page or a slice of time at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q

from orderhub.core.words import EffectKind, EffectState, RejectState
from orderhub.models import Effect, Order, ParkedOrder, Reject

TOLD_BACK = (EffectKind.SHIPMENT.value, EffectKind.MEMO.value)


@dataclass(slots=True, frozen=True)
class PoolSlice:
    """What the pool has of one shop, ordered within a span of time. Sums in fen."""

    numbers: frozenset[str]
    total_fen: int
    paid_fen: int
    refunds: int
    """Lines with a refund in any state."""


@dataclass(slots=True, frozen=True)
class Waiting:
    """Why orders may lack in the pool or on the platform although nothing is lost, by order number or id."""

    parked: frozenset[str]
    rejected: frozenset[str]


def pool_orders(shop_id: int, numbers: Sequence[str]) -> dict[str, Order]:
    """Return the orders under these numbers with buyer, receiver, lines and parcels with their pieces. Four queries."""
    rows = Order.objects.filter(shop_id=shop_id, external_no__in=list(numbers))
    rows = rows.select_related("buyer", "receiver").prefetch_related("lines", "parcels", "parcel_lines")
    return {order.external_no: order for order in rows}


def pool_slice(shop_id: int, start: datetime, end: datetime) -> PoolSlice:
    """Return numbers and sums of the orders that were placed from `start` on and before `end`. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.external_no, o.total_fen, o.paid_fen,
                   (SELECT count(*) FROM orderhub_orderline l WHERE l.order_id = o.id AND l.refund <> 'none')
            FROM orderhub_order o WHERE o.shop_id = %s AND o.created_at >= %s AND o.created_at < %s
            """,
            [shop_id, start, end],
        )
        rows = cursor.fetchall()
    sums = (sum(row[place] for row in rows) for place in (1, 2, 3))
    return PoolSlice(frozenset(row[0] for row in rows), *sums)


def waiting(shop_id: int, numbers: Sequence[str]) -> Waiting:
    """Return which of these orders wait at the gate, and which are among the open rejects."""
    if not numbers:
        return Waiting(frozenset(), frozenset())
    wanted = list(numbers)
    parked = ParkedOrder.objects.filter(shop_id=shop_id, external_no__in=wanted)
    rejects = Reject.objects.filter(shop_id=shop_id, external_no__in=wanted, state=RejectState.OPEN)
    return Waiting(
        frozenset(parked.values_list("external_no", flat=True)),
        frozenset(rejects.values_list("external_no", flat=True)),
    )


def untold(order_ids: Sequence[int]) -> set[tuple[int, str]]:
    """Return (order id, kind of effect) of what still waits to be told to the channel: a parcel refused for a refund,
    too, which is told again once that is over."""
    if not order_ids:
        return set()
    rows = Effect.objects.filter(
        Q(state__in=[EffectState.PENDING, EffectState.SENDING])
        | Q(kind=EffectKind.SHIPMENT, state=EffectState.DEAD) & ~Q(order__under_refund=""),
        order_id__in=list(order_ids),
        kind__in=TOLD_BACK,
    )
    return {(order_id, kind) for order_id, kind in rows.values_list("order_id", "kind") if order_id is not None}
