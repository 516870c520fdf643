"""What steps and hand-overs of a warehouse mean for the orders: claims, parcels, stock, and what channels are told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from channels_sync.connectors.base import abilities_of
from channels_sync.services.one_parcel import parcels_of
from channels_sync.services.push import set_aside
from channels_sync.warehouses.base import Confirmed, Step, StockChanged
from orderhub.core.status_graph import has_left
from orderhub.core.words import EffectKind, Source, Status
from orderhub.models import Effect, Shop, StockLevel, Warehouse
from orderhub.services import shipments, stock
from orderhub.services.bulk import records
from orderhub.services.outbox import NewEffect, add_effects
from orderhub.services.shipments import Handed, HandOver
from orderhub.services.status import Claim, apply_claims
from orderhub.services.timeline import Entry, record

KIND = "warehouse_step"
"""The timeline's word for what a warehouse says."""
LATE_CONFIRMATION = timedelta(seconds=60)
"""How long the last parcel of an order waits for earlier ones that were not told yet."""


@dataclass(slots=True, frozen=True)
class Told:
    """One report of one known order, told of the delivery order `code`, before which `given_back` came back.

    `is_past`: another delivery order has followed that one by now.
    """

    order_id: int
    received_at: datetime
    said: Step | Confirmed
    code: str = ""
    given_back: int = 0
    is_past: bool = False

    @property
    def at(self) -> datetime:
        """When it happened by the warehouse's clock, but never later than we heard of it."""
        return min(self.said.at or self.received_at, self.received_at)


def book(*, warehouse: Warehouse, told: Sequence[Told]) -> None:
    """Book steps and hand-overs set-wise: parcels and stock first, then the claims, then what channels are told.

    What a delivery order says that was given back and followed by another one is noted, as far as nothing left with
    it. Call it in a transaction.
    """
    if not told:
        return
    actor = f"warehouse:{warehouse.code}"
    told = _of_present(told, actor)
    handed = shipments.hand_over(
        hand_overs=[
            HandOver(one.order_id, one.at, one.said.is_final, warehouse.code, one.said.parcels, one.said.lines)
            for one in told
            if isinstance(one.said, Confirmed)
        ],
        actor=actor,
    )
    _mark_delivered(told)
    whole, parts, ends = _told_of_whole(told)
    claims = [claim for one in whole for claim in _claims(one)]
    apply_claims(claims=claims + ends, actor=actor)
    steps = [(one, one.said) for one in whole if isinstance(one.said, Step)]
    _note([*parts, *(one for one, step in steps if step.is_problem and not step.status)], actor)
    set_aside(order_ids=[one.order_id for one, step in steps if step.status == Status.WMS_FAILED])
    tell_channels(handed)


def _told_of_whole(told: Sequence[Told]) -> tuple[list[Told], list[Told], list[Claim]]:
    """Return what is said of whole orders, what of single parcels, and the ends of orders whose last word came after
    all their parcels had been signed for or had come back."""
    finals = {one.order_id: one.at for one in told if isinstance(one.said, Confirmed) and one.said.is_final}
    parcels = parcels_of({one.order_id for one in told}, complete=finals)
    for one in told:
        if isinstance(one.said, Step) and one.said.status == Status.RETURNING:
            parcels[one.order_id].came_back(one.said.tracking_no, one.at)
    parts = [one for one in told if isinstance(one.said, Step) and parcels[one.order_id].is_part(one.said)]
    claims = []
    for order_id, at in sorted(finals.items()):
        if delivered_at := parcels[order_id].delivered_at:
            claims.append(Claim(order_id, Source.WAREHOUSE, Status.DELIVERED, delivered_at, KIND))
        elif returned_at := parcels[order_id].returned_at:
            # Nothing comes back that has not left: not before the word that it has.
            claims.append(Claim(order_id, Source.WAREHOUSE, Status.RETURNING, max(returned_at, at), KIND))
    return [one for one in told if one not in parts], parts, claims


def change_stock(*, warehouse: Warehouse, changes: Sequence[StockChanged]) -> set[str]:
    """Book pieces that came or went for other reasons than orders of the hub, and return the articles of which nobody
    has counted what is there: a difference makes no level, or two damaged pieces of 500 would show as −2."""
    if not changes:
        return set()
    wanted = {change.sku for change in changes}
    counted = set(
        StockLevel.objects.filter(warehouse=warehouse.code, sku__in=wanted).values_list("sku", flat=True)
    )  # fmt: skip
    with connection.cursor() as cursor:
        for reason in sorted({change.reason for change in changes}):
            told = [change for change in changes if change.reason == reason and change.sku in counted]
            moves = [stock.Moved(change.sku, warehouse.code, -change.delta, 0) for change in told]
            stock.move(cursor, moves, cause=reason, actor=f"warehouse:{warehouse.code}")
    return wanted - counted


def _of_present(told: Sequence[Told], actor: str) -> list[Told]:
    """Lock the orders in key order and return what counts: all that is said of their present delivery orders, and
    what left with earlier ones. The rest goes into the timelines."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, shop_id, given_back FROM orderhub_order WHERE id = ANY(%s)
            ORDER BY shop_id, external_no FOR NO KEY UPDATE
            """,
            [sorted({one.order_id for one in told})],
        )
        orders = {order_id: (shop_id, given_back) for order_id, shop_id, given_back in cursor.fetchall()}
        told = [
            replace(one, is_past=one.given_back < orders[one.order_id][1]) for one in told if one.order_id in orders
        ]
        noted = [one for one in told if one.is_past and not _is_of_left(one.said)]
        entries = [
            Entry(orders[one.order_id][0], one.order_id, one.at, KIND, Source.WAREHOUSE, actor, data=_facts(one))
            for one in noted
        ]
        record(cursor, entries)
    return [one for one in told if one not in noted]


def _is_of_left(said: Step | Confirmed) -> bool:
    return isinstance(said, Confirmed) or has_left(said.status) or said.status == Status.RETURNING


def _claims(one: Told) -> list[Claim]:
    said, facts = one.said, _facts(one)
    if isinstance(said, Step):
        return [Claim(one.order_id, Source.WAREHOUSE, said.status, one.at, KIND, facts)] if said.status else []
    if said.is_final:
        return [Claim(one.order_id, Source.WAREHOUSE, Status.IN_TRANSIT, one.at, "handed_over", facts)]
    return [
        Claim(one.order_id, Source.WAREHOUSE, Status.PACKED, one.at, KIND, facts),
        Claim(one.order_id, Source.WAREHOUSE, Status.IN_TRANSIT, one.at, "part_handed_over", facts, is_partial=True),
    ]


def _facts(one: Told) -> dict[str, Any]:
    """Return what a timeline keeps of a report; the code only where it is not the order's present one."""
    facts = {"code": one.code if one.is_past else ""}
    if isinstance(one.said, Step):
        facts = {"node": one.said.node, "info": one.said.info, "tracking_no": one.said.tracking_no} | facts
    return {name: value for name, value in facts.items() if value}


def _note(told: Sequence[Told], actor: str) -> None:
    """Write what moves no status into the timelines: problems, and the ends of single parcels."""
    if not told:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, shop_id FROM orderhub_order WHERE id = ANY(%s)", [[one.order_id for one in told]])
        shops = dict(cursor.fetchall())
        record(cursor, [
            Entry(
                shops[one.order_id], one.order_id, one.at, _kind(one.said), Source.WAREHOUSE, actor,
                data=_facts(one) | _came_back(one.said),
            )
            for one in told
        ])  # fmt: skip


def _came_back(said: Step | Confirmed) -> dict[str, Any]:
    """Return the mark of a parcel that came back, by which the last one to do so ends its order."""
    return {"says": said.status} if isinstance(said, Step) and said.status == Status.RETURNING else {}


def _kind(said: Step | Confirmed) -> str:
    return "warehouse_problem" if isinstance(said, Step) and said.is_problem else KIND


def _mark_delivered(told: Sequence[Told]) -> None:
    """Note when parcels were signed for: the one that is named, else all of the order; one that several orders share by
    the first of them."""
    signed = [
        {"id": one.order_id, "at": one.at, "number": one.said.tracking_no}
        for one in told
        if isinstance(one.said, Step) and one.said.status == Status.DELIVERED
    ]
    if not signed:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH signed AS (
                SELECT l.parcel_id, p.tracking_no = r.number AS is_named, r.at,
                       bool_or(p.tracking_no = r.number) OVER (PARTITION BY r.id, r.number) AS names_one
                FROM json_to_recordset(%s::json) AS r(id bigint, at timestamptz, number text)
                JOIN orderhub_parcel_orders l ON l.order_id = r.id JOIN orderhub_parcel p ON p.id = l.parcel_id),
            first AS (SELECT parcel_id, min(at) AS at FROM signed WHERE is_named OR NOT names_one GROUP BY parcel_id)
            UPDATE orderhub_parcel p SET delivered_at = first.at FROM first
            WHERE p.id = first.parcel_id AND p.delivered_at IS NULL
            """,
            [records(signed)],
        )


def tell_channels(handed: Sequence[Handed]) -> None:
    """Queue one effect for each parcel whose channel wants to know; the last parcel says that the order is complete."""
    shops = Shop.objects.in_bulk({item.shop_id for item in handed})
    wanted = [item for item in handed if abilities_of(shops[item.shop_id].platform).ships]
    if not wanted:
        return
    ended = set(
        Effect.objects.filter(
            order_id__in=[item.order_id for item in wanted], kind=EffectKind.SHIPMENT, payload__final=True
        ).values_list("order_id", flat=True)
    )
    effects: list[NewEffect] = []
    for item in wanted:
        effects += _effects(item, is_ended=item.order_id in ended)
        if item.told.is_final:
            ended.add(item.order_id)
    with connection.cursor() as cursor:
        add_effects(cursor, effects)


def _effects(item: Handed, *, is_ended: bool) -> list[NewEffect]:
    """Return what the channel is told of one hand-over.

    `is_ended`: the channel was told before that the order is complete, so that every further parcel says so too. Some
    platforms take an order once: while pieces are missing, a late confirmation gets a little time to come in.
    """
    is_final = item.told.is_final
    wait = LATE_CONFIRMATION if is_final and not item.is_complete else timedelta()
    told = [(f"ship:{item.external_no}:{parcel_id}", parcel_id, is_ended) for parcel_id in item.new_ids]
    if is_final and not is_ended and item.last_parcel_id is not None:
        if item.new_ids:
            key, parcel_id, _is_last = told.pop()
        else:
            # Its parcels were told before it was known that they are all.
            key, parcel_id = f"ship:{item.external_no}:{item.last_parcel_id}:final", item.last_parcel_id
        told.append((key, parcel_id, True))
    due_at = timezone.now() + wait
    return [
        NewEffect(
            item.shop_id, item.order_id, EffectKind.SHIPMENT, key, due_at, {"parcel": parcel_id, "final": is_last}
        )
        for key, parcel_id, is_last in told
    ]
