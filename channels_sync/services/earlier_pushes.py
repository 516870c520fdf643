"""What an order's timeline tells of its earlier pushes: which warehouse may have it without ever having said so."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q

from orderhub.core.words import EffectKind, Source, Status
from orderhub.models import TimelineEntry

QUEUED = "status"
"""The kind of the entry that an order is on its way to a warehouse."""
UNANSWERED = "push_unanswered"
"""That its push was given up without a word of the warehouse."""
_RETRIED = "retried"


@dataclass(slots=True)
class Trail:
    """Where an order was last sent, whether that was given up unanswered, and whether a person has sent it on since."""

    warehouse: str = ""
    is_unanswered: bool = False
    is_released: bool = False


def earlier_pushes(order_ids: Collection[int]) -> dict[int, Trail]:
    """Return the trail of each order, an empty one where it was never sent. One query."""
    trails: dict[int, Trail] = defaultdict(Trail)
    tells = Q(kind=QUEUED, status_to=Status.WMS_QUEUED) | Q(kind=UNANSWERED) | Q(kind=_RETRIED, source=Source.PERSON)
    entries = TimelineEntry.objects.filter(tells, order_id__in=list(order_ids)).order_by("pk")
    for order_id, kind, data in entries.values_list("order_id", "kind", "data"):
        facts = data or {}
        if kind == QUEUED:
            trails[order_id] = Trail(facts.get("warehouse", ""))
        elif kind == UNANSWERED:
            trails[order_id].is_unanswered, trails[order_id].is_released = True, False
        elif EffectKind.WMS_PUSH in facts.get("effects", ()):
            trails[order_id].is_released = trails[order_id].is_unanswered
    return trails
