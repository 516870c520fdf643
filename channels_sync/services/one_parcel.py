"""Several parcels of one order: what is said of one of them is the order's only once it is true of all."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from channels_sync.warehouses.base import Step
from orderhub.core.status_graph import has_left, place_of
from orderhub.core.words import Status

_ENDS = frozenset({Status.DELIVERED, Status.RETURNING})


@dataclass(slots=True)
class Parcels:
    """The parcels of one order: when each was signed for, by tracking number, and whether they are all there are."""

    signed: dict[str, datetime | None] = field(default_factory=dict)
    doubled: set[str] = field(default_factory=set)
    """Those that brought pieces beyond what was ordered and nothing else: one that was told before under another number
    as a rule, so that of the two only one has an end."""
    is_all: bool = False

    @property
    def delivered_at(self) -> datetime | None:
        """When the last of them was signed for; None until then."""
        times = [at for at in self.signed.values() if at is not None]
        return max(times) if self.is_all and times and len(times) >= len(self.signed) - len(self.doubled) else None

    def is_part(self, step: Step) -> bool:
        """Tell whether `step` is the end of one parcel only. Of an order whose parcels nobody told, and where no parcel
        is named, it is the end of the order."""
        if step.status not in _ENDS or not step.tracking_no or not self.signed:
            return False
        is_only = self.is_all and self.signed.keys() == {step.tracking_no}
        return not is_only and not (step.status == Status.DELIVERED and self.delivered_at)


def parcels_of(order_ids: Collection[int], *, complete: Collection[int]) -> dict[int, Parcels]:
    """Return the parcels of each order; those of the `complete` ones are known to be all, as are those of orders that
    have left. Two queries."""
    found: dict[int, Parcels] = defaultdict(Parcels)
    if not order_ids:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.id, o.status, o.under_refund, p.tracking_no, p.delivered_at FROM orderhub_order o
            JOIN orderhub_parcel_orders l ON l.order_id = o.id JOIN orderhub_parcel p ON p.id = l.parcel_id
            WHERE o.id = ANY(%s)
            """,
            [sorted(order_ids)],
        )
        for order_id, status, under_refund, number, signed_at in cursor.fetchall():
            place = place_of(status, under_refund)
            found[order_id].is_all = order_id in complete or has_left(place) or place == Status.RETURNING
            found[order_id].signed[number] = signed_at
        cursor.execute(
            """
            SELECT DISTINCT l.order_id, p.tracking_no FROM orderhub_parcel_orders l
            JOIN orderhub_parcel p ON p.id = l.parcel_id
            JOIN orderhub_timelineentry t ON t.order_id = l.order_id
                AND t.data ->> 'tracking_no' = p.tracking_no AND t.data ->> 'too_many' IS NOT NULL
            WHERE l.order_id = ANY(%s) AND NOT EXISTS (
                SELECT FROM orderhub_parcelline i
                WHERE i.order_id = l.order_id AND i.parcel_id = l.parcel_id AND i.quantity > 0)
            """,
            [sorted(order_id for order_id, parcels in found.items() if len(parcels.signed) > 1)],
        )
        for order_id, number in cursor.fetchall():
            found[order_id].doubled.add(number)
    return found
