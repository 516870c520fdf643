"""The effect `shipment`: each parcel that the warehouse handed over is told to the channel of its order."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync import readers
from channels_sync.connectors.base import Connector, ShopAccess, abilities_of, connectors
from channels_sync.connectors.exchange import Shipment, ShippedLine
from channels_sync.services import tokens
from channels_sync.services.contents import Contents, channel_lines, holds_all
from channels_sync.services.one_parcel import parcels_of
from orderhub.core.effects import Job, effect_handlers
from orderhub.core.errors import HubError
from orderhub.core.words import EffectKind, Source
from orderhub.models import Order, OrderLine, Parcel, ParcelLine, Shop
from orderhub.services.timeline import Entry, record

ACTOR = "outbox:shipment"


@dataclass(slots=True, frozen=True)
class Prepared:
    """What one `send` needs; `problem` when it is clear beforehand that it cannot work."""

    shop: Shop
    shipment: Shipment
    problem: str = ""
    is_corrected: bool = False
    """What it holds was told as `earlier` parcels: no platform is told another number, a person enters it there."""


class ShipmentTeller:
    """Tells channels of parcels; one that the channel has already is no error there."""

    concurrency = 8

    def prepare(self, jobs: Sequence[Job]) -> Mapping[int, Prepared]:
        """Read parcels, their lines and what else has left of their orders, five queries for all of them and one more
        where one may be a correction.

        Left out, so that their effect is cancelled: parcels of shops whose platform takes no shipments, parcels that
        are gone, and parcels before the last whose pieces travel in another one as far as we know.
        """
        ids = [job.order_id for job in jobs if job.order_id is not None]
        orders = Order.objects.filter(pk__in=ids).select_related("shop").in_bulk()
        contents = _contents(ids)
        lines: dict[int, list[OrderLine]] = defaultdict(list)
        for line in OrderLine.objects.filter(order__in=ids).order_by("id"):
            lines[line.order_id].append(line)
        parcels = {order_id: _sorted_parcels(found) for order_id, found in _parcels(ids).items()}
        shops: dict[int, tuple[Shop, str]] = {}
        corrected = _corrections(jobs, orders, parcels, contents)
        prepared = {}
        for job in jobs:
            order = orders.get(job.order_id or 0)
            if order is None or not abilities_of(order.shop.platform).ships:
                continue
            found = parcels.get(order.pk, [])
            shipment = corrected.get(job.effect_id) or _shipment(job, order, lines[order.pk], found, contents)
            if shipment is not None:
                is_corrected = job.effect_id in corrected
                prepared[job.effect_id] = replace(_prepared(order.shop, shipment, shops), is_corrected=is_corrected)
        return prepared

    def send(self, prepared: Prepared) -> None:
        """Tell one parcel, with a renewed session where the platform refuses the present one; those of a shop that is
        switched off wait. Of a corrected one it is seen whether the platform shows it. Raises HubError."""
        if prepared.problem:
            raise HubError(prepared.problem)
        connector = connectors.get(prepared.shop.platform)
        tell = partial(_look_for, connector) if prepared.is_corrected else connector.ship
        tokens.telling(prepared.shop, lambda access: tell(access, prepared.shipment))

    def settle(self, done: Sequence[tuple[Job, None]]) -> None:
        """Note in the timelines that the channels know."""
        if not done:
            return
        found = Parcel.objects.in_bulk([_parcel_id(job) for job, _answer in done])
        with connection.cursor() as cursor:
            record(cursor, [entry for job, _answer in done if (entry := _entry(job, found.get(_parcel_id(job))))])


effect_handlers.add(EffectKind.SHIPMENT.value, ShipmentTeller())


def _parcel_id(job: Job) -> int:
    return int((job.payload or {}).get("parcel", 0))


def _parcels(order_ids: Sequence[int]) -> dict[int, list[Parcel]]:
    links = Parcel.orders.through.objects.filter(order_id__in=order_ids).values_list("order_id", "parcel_id")
    found = Parcel.objects.in_bulk({parcel_id for _order, parcel_id in links})
    by_order: dict[int, list[Parcel]] = defaultdict(list)
    for order_id, parcel_id in links:
        by_order[order_id].append(found[parcel_id])
    return by_order


def _sorted_parcels(parcels: Sequence[Parcel]) -> list[Parcel]:
    return sorted(parcels, key=lambda parcel: parcel.pk)


def _contents(order_ids: Sequence[int]) -> Contents:
    contents: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    rows = ParcelLine.objects.filter(order__in=order_ids, quantity__gt=0).exclude(parcel=None)
    for row in rows.order_by("line_no", "id"):
        lines = contents[row.order_id, row.parcel_id or 0]
        lines[row.line_no] = lines.get(row.line_no, 0) + row.quantity
    return contents


def _shipment(
    job: Job, order: Order, lines: Sequence[OrderLine], parcels: Sequence[Parcel], contents: Contents
) -> Shipment | None:
    place = next((place for place, parcel in enumerate(parcels) if parcel.pk == _parcel_id(job)), None)
    if place is None:
        return None
    parcel, earlier = parcels[place], [one for one in parcels if one.pk != _parcel_id(job)]
    is_final = bool((job.payload or {}).get("final"))
    told: Sequence[ShippedLine] = ()
    if not connectors.get(order.shop.platform).takes_parts:
        if not is_final:
            return None
    elif not holds_all(order, contents.get((order.pk, parcel.pk), {}), lines, is_alone=not earlier):
        told = channel_lines(order, lines, parcels[: place + 1], contents)
        if not told and (earlier or not is_final):
            return None
    return Shipment(
        external_no=order.external_no,
        carrier=parcel.carrier,
        tracking_no=parcel.tracking_no,
        lines=told,
        shipped_at=parcel.handed_over_at,
        is_final=is_final,
        earlier=[(one.carrier, one.tracking_no) for one in earlier],
    )


def _corrections(
    jobs: Sequence[Job], orders: Mapping[int, Order], parcels: Mapping[int, list[Parcel]], contents: Contents
) -> dict[int, Shipment]:
    """Return, by effect, the last parcels that hold nothing because their pieces had left with others before: those
    told later, and those told with pieces beyond what was ordered. Of parcels that were told together a warehouse may
    have said nothing of what is in which; none of them is wrong."""
    empty: dict[int, tuple[Order, Parcel, list[Parcel]]] = {}
    for job in jobs:
        order = orders.get(job.order_id or 0)
        if order is None or not (job.payload or {}).get("final"):
            continue
        parcel, holding = _holding_nothing(job, order, parcels.get(order.pk, []), contents)
        if parcel is not None and holding:
            empty[job.effect_id] = order, parcel, holding
    known = parcels_of({order.pk for order, _parcel, _holding in empty.values()}, complete=())
    return {
        effect_id: Shipment(
            order.external_no, parcel.carrier, parcel.tracking_no,
            earlier=[(one.carrier, one.tracking_no) for one in holding],
        )
        for effect_id, (order, parcel, holding) in empty.items()
        if all(one.created_at < parcel.created_at for one in holding)
        or parcel.tracking_no in known[order.pk].doubled
    }  # fmt: skip


def _holding_nothing(
    job: Job, order: Order, parcels: Sequence[Parcel], contents: Contents
) -> tuple[Parcel | None, list[Parcel]]:
    """Return the parcel of an effect where it holds nothing, else None, and those that hold something. Platforms that
    take an order once say themselves that they have it."""
    holding = [one for one in parcels if contents.get((order.pk, one.pk))]
    parcel = next((one for one in parcels if one.pk == _parcel_id(job) and one not in holding), None)
    takes_parts = abilities_of(order.shop.platform).ships and connectors.get(order.shop.platform).takes_parts
    return (parcel if takes_parts else None), holding


def _look_for(connector: Connector, access: ShopAccess, shipment: Shipment) -> None:
    """Raise HubError unless the platform shows the parcel's number. Where only the carrier was corrected, the number
    that it shows may be that of before: a person has to look."""
    if connector.fetches and shipment.tracking_no not in {number for _carrier, number in shipment.earlier}:
        for page in connector.fetch(access, [shipment.external_no]):
            for row in readers.read(page.reader, page.body, page.content_type):
                if isinstance(row.source, dict) and shipment.tracking_no in connector.tracking_numbers(row.source):
                    return
    known = ", ".join(f"{carrier} {number}" for carrier, number in shipment.earlier)
    raise HubError(
        _("The channel was told of these pieces as %(known)s: enter %(parcel)s on the platform, then try again.")
        % {"known": known, "parcel": f"{shipment.carrier} {shipment.tracking_no}"}
    )


def _prepared(shop: Shop, shipment: Shipment, shops: dict[int, tuple[Shop, str]]) -> Prepared:
    if shop.pk not in shops:
        problem = "" if shop.can_open else _("The sealed data cannot be opened: a data key is missing.")
        shops[shop.pk] = shop, problem
    shop, problem = shops[shop.pk]
    return Prepared(shop, shipment, problem)


def _entry(job: Job, parcel: Parcel | None) -> Entry | None:
    if job.order_id is None or parcel is None or parcel.handed_over_at is None:
        return None
    data: dict[str, Any] = {"tracking_no": parcel.tracking_no}
    if job.attempts > 1:
        data["attempts"] = job.attempts
    return Entry(job.shop_id, job.order_id, timezone.now(), "shipment", Source.HUB, ACTOR, data=data)
