"""Places that cannot be shipped to for the moment: snow, flood, a closed depot (reference 4.3)."""

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from orderhub.core.carriers import NAMES, is_same_carrier
from triage.predicates.base import Batch, Detail, FactType, Need, Stop, fact
from triage.predicates.order import SHANGHAI
from triage.predicates.region import region_basis, regions


def _judge(batch: Batch) -> list[Stop | bool | None]:
    """Return the stop that holds each order, False without one, None where place or courier are not known."""
    running = batch.context.stops
    if not running:
        return [False] * len(batch)
    prefixes = tuple(stop.prefix for stop in running)
    found: list[Stop | bool | None] = []
    for candidate, (kind, code) in zip(batch.candidates, regions(batch), strict=True):
        if kind is None:
            found.append(None)
        elif not code.startswith(prefixes):
            found.append(False)
        else:
            found.append(_holding(running, code, batch.context.couriers.get(candidate.shop_id, "")))
    return found


def _holding(running: Sequence[Stop], code: str, courier: str) -> Stop | bool | None:
    there = [stop for stop in running if code.startswith(stop.prefix)]
    for stop in there:
        if not stop.courier or (courier and is_same_carrier(stop.courier, courier)):
            return stop
    return False if courier else None


def _explain(batch: Batch, i: int) -> dict[str, object]:
    stop = batch.once(_judge)[i]
    if not isinstance(stop, Stop):
        return {}
    return {
        "region.stop_id": stop.id,
        "region.stop_place": stop.place,
        "region.stop_courier": stop.courier,
        "region.stop_until": f"{stop.ends_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
        "region.stop_reason": stop.reason,
        # By these the order is judged again when the stop or the courier is another.
        "region.stop_region": stop.region,
        "region.stop_ships_with": batch.context.couriers.get(batch.candidates[i].shop_id, "") if stop.courier else "",
    }


@fact(
    "region.is_stopped",
    _("Shipping there is stopped"),
    FactType.FLAG,
    about=_(
        "By a shipping stop that runs when the order is judged. One for a single courier counts where the shop's "
        "warehouse ships with it; unknown where no courier is set."
    ),
    example=True,
    needs=[Need.STOPS],
    details=(
        Detail("region.stop_place", _("Stopped region"), FactType.TEXT),
        Detail("region.stop_courier", _("Courier"), FactType.WORD, {"": _("every courier"), **NAMES}),
        Detail("region.stop_until", _("Stopped until"), FactType.TEXT),
        Detail("region.stop_reason", _("Why stopped"), FactType.TEXT),
    ),
    explain=_explain,
    basis=region_basis,
)
def is_stopped(batch: Batch) -> list[bool | None]:
    """Tell whether each order goes where its shop cannot ship to now."""
    return [None if stop is None else bool(stop) for stop in batch.once(_judge)]
