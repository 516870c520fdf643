"""Several parcels of one order: what is said of one of them is the order's only once it is true of all."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from channels_sync.warehouses.base import Step
from orderhub.core.status_graph import has_left, place_of
from orderhub.core.words import Status

_ENDS = frozenset({Status.DELIVERED, Status.RETURNING})


@dataclass(slots=True)
class Parcels:
    """The parcels of one order: when each was signed for or came back, by tracking number, and whether they are all
    there are."""

    signed: dict[str, datetime | None] = field(default_factory=dict)
    back: dict[str, datetime] = field(default_factory=dict)
    doubled: set[str] = field(default_factory=set)
    """Those that brought pieces beyond what was ordered and nothing else: one that was told before under another number
    as a rule, so that of the two only one has an end."""
    is_all: bool = False

    @property
    def delivered_at(self) -> datetime | None:
        """When the last of them was signed for; None until then."""
        return self._last(at for at in self.signed.values() if at is not None)

    @property
    def returned_at(self) -> datetime | None:
        """When the last of them came back; None until then."""
        return self._last(self.back.values())

    def came_back(self, number: str, at: datetime) -> None:
        """Note that one of them came back; an unknown number is none of them."""
        if number in self.signed:
            self.back[number] = at

    def is_part(self, step: Step) -> bool:
        """Tell whether `step` is the end of one parcel only. Of an order whose parcels nobody told, and where no parcel
        is named, it is the end of the order."""
        if step.status not in _ENDS or not step.tracking_no or not self.signed:
            return False
        return (self.delivered_at if step.status == Status.DELIVERED else self.returned_at) is None

    def _last(self, ends: Iterable[datetime]) -> datetime | None:
        times = list(ends)
        return max(times) if self.is_all and times and len(times) >= len(self.signed) - len(self.doubled) else None


def parcels_of(order_ids: Collection[int], *, complete: Collection[int]) -> dict[int, Parcels]:
    """Return the parcels of each order; those of the `complete` ones are known to be all, as are those of orders that
    have left. Which came back, and which brought only pieces beyond what was ordered, the timelines tell. One query."""
    found: dict[int, Parcels] = defaultdict(Parcels)
    if not order_ids:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.id, o.status, o.under_refund, p.tracking_no, p.delivered_at, t.back_at,
                t.has_excess AND NOT EXISTS (
                    SELECT FROM orderhub_parcelline i
                    WHERE i.order_id = l.order_id AND i.parcel_id = l.parcel_id AND i.quantity > 0)
            FROM orderhub_order o
            JOIN orderhub_parcel_orders l ON l.order_id = o.id JOIN orderhub_parcel p ON p.id = l.parcel_id
            CROSS JOIN LATERAL (
                SELECT max(at) FILTER (WHERE data ->> 'says' = %s) AS back_at,
                    bool_or(data ->> 'too_many' IS NOT NULL) AS has_excess
                FROM orderhub_timelineentry WHERE order_id = o.id AND data ->> 'tracking_no' = p.tracking_no) t
            WHERE o.id = ANY(%s)
            """,
            [Status.RETURNING.value, sorted(order_ids)],
        )
        for order_id, status, under_refund, number, signed_at, back_at, is_doubled in cursor.fetchall():
            place, parcels = place_of(status, under_refund), found[order_id]
            parcels.is_all = order_id in complete or has_left(place) or place == Status.RETURNING
            parcels.signed[number] = signed_at
            if back_at:
                parcels.back[number] = back_at
            if is_doubled:
                parcels.doubled.add(number)
    return found
