"""The effect `wms_push`: ready orders become delivery orders of their warehouse."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.services.delivery_codes import delivery_order_code
from channels_sync.services.earlier_pushes import QUEUED, UNANSWERED, Trail, earlier_pushes
from channels_sync.warehouses.base import (
    PushAnswer,
    PushLine,
    PushOrder,
    PushReceiver,
    WarehouseAccess,
    WarehouseRefusedError,
    warehouses,
)
from orderhub.core.crypto import UnreadableError
from orderhub.core.effects import Job, effect_handlers
from orderhub.core.errors import HubError, TemporaryError
from orderhub.core.status_graph import HAS_LEFT, Verdict, place_of
from orderhub.core.told import ignored_lines
from orderhub.core.words import OPEN_REFUND, ContactKind, EffectKind, EffectState, Presale, Refund, Source, Status
from orderhub.models import Effect, Order, OrderLine, Receiver, Warehouse
from orderhub.services.status import Claim, apply_claims, change_status
from orderhub.services.timeline import Entry, record

ACTOR = "outbox:wms_push"
WANTED = frozenset({Status.READY, Status.WMS_QUEUED, Status.WMS_FAILED})
"""Queued ones were tried before; failed ones are tried again because a person said so."""
_MASKED = frozenset({ContactKind.MASKED, ContactKind.CIPHER})


class NoWarehouseError(TemporaryError):
    """The shop has nowhere to send: a fault of its settings, so its orders wait until somebody sets a warehouse."""

    concerns_all = True


class MayBeThereError(HubError):
    """The order was sent before, to a warehouse that cannot be asked any more: a person has to."""


@dataclass(slots=True, frozen=True)
class Prepared:
    """What one `send` needs; `problem` when it is clear beforehand that it cannot work, `waits` when it will once a
    person has set a warehouse, `may_be_there` when the order may have arrived before."""

    adapter: str
    access: WarehouseAccess | None
    order: PushOrder | None
    problem: str = ""
    waits: bool = False
    may_be_there: bool = False


class WarehousePush:
    """Pushes ready orders to their warehouse: the one that keeps all their pieces, else that of their shop."""

    concurrency = 8

    def prepare(self, jobs: Sequence[Job]) -> Mapping[int, Prepared]:
        """Mark the orders as being sent and read them as they are then: whatever changes them later meets the mark and
        tells the warehouse. The number of queries does not depend on the number of orders.

        Left out, so that their effect is cancelled: orders that are no longer ready, that the channel holds, that have
        an open refund, or nothing left to send. Orders of a shop without a warehouse stay as they are. One that the
        warehouse gave back is sent again as a delivery order of its own, when a person said so: that is a first try.
        While the channel holds it, it waits for that person as a dead letter: nobody else starts it again.
        """
        orders = _read([job.order_id for job in jobs if job.order_id is not None])
        wanted = {pk for pk, order in orders.items() if _lines_to_send(order)}
        back = _left_to_people(jobs, orders)
        targets = _targets([orders[pk] for pk in wanted - back.keys()])
        homeless = {pk: orders[pk] for pk, house in targets.items() if house is None}
        sent = _read(_marked({pk: house for pk, house in targets.items() if house})) | homeless
        accesses: dict[int, WarehouseAccess] = {}
        going = {pk: order for pk, order in sent.items() if _lines_to_send(order)}
        prepared = {pk: _prepared(order, targets[pk], accesses) for pk, order in going.items()}
        prepared |= {pk: Prepared("", None, None, problem) for pk, problem in back.items() if pk in wanted}
        return {job.effect_id: found for job in jobs if (found := prepared.get(job.order_id or 0))}

    def send(self, prepared: Prepared) -> PushAnswer:
        """Hand one delivery order over. Raises HubError."""
        if prepared.waits:
            raise NoWarehouseError(prepared.problem)
        if prepared.may_be_there:
            raise MayBeThereError(prepared.problem)
        if prepared.access is None or prepared.order is None:
            raise HubError(prepared.problem)
        if prepared.adapter not in warehouses:
            raise HubError(_("No adapter knows the warehouse system %(key)s.") % {"key": prepared.adapter})
        answer = warehouses.get(prepared.adapter).create_order(prepared.access, prepared.order)
        return replace(answer, sent_to=prepared.access.code)

    def settle(self, done: Sequence[tuple[Job, PushAnswer]]) -> None:
        """Note the warehouse's word on the orders that it took. One that came back meanwhile waits for a person."""
        now, orders = timezone.now(), _locked([job.order_id for job, _answer in done])
        told = {order.pk: _told(job, answer, order) for job, answer in done if (order := orders.get(job.order_id or 0))}
        back = [pk for pk in told if orders[pk].warehouse_claim == Status.WMS_FAILED]
        apply_claims(
            claims=[
                Claim(pk, Source.WAREHOUSE, Status.WMS_ACCEPTED, now, "wms_push", facts)
                for pk, facts in told.items()
                if pk not in back
            ],
            actor=ACTOR,
        )
        with connection.cursor() as cursor:
            entries = [
                Entry(orders[pk].shop_id, pk, now, "wms_push", Source.WAREHOUSE, ACTOR, data=told[pk]) for pk in back
            ]
            record(cursor, entries)
        set_aside(order_ids=back)

    def give_up(self, dead: Sequence[tuple[Job, HubError]]) -> None:
        """Mark the orders whose push failed for good; the reason stands in their timeline. One that the warehouse may
        have stays on its way there: whatever its channel says of it is no reason to send it elsewhere."""
        now, orders = timezone.now(), _locked([job.order_id for job, _error in dead])
        trails = earlier_pushes(orders)
        failed: list[Claim] = []
        unanswered: list[Entry] = []
        for job, error in dead:
            order = orders.get(job.order_id or 0)
            reason = {"reason": str(error)[:500]}
            if order is None:
                continue
            if not _may_be_there(job, error, trails.get(order.pk)):
                failed.append(Claim(order.pk, Source.HUB, Status.WMS_FAILED, now, "wms_push", reason))
            elif place_of(order.status, order.under_refund) == Status.WMS_QUEUED:
                unanswered.append(Entry(order.shop_id, order.pk, now, UNANSWERED, Source.HUB, ACTOR, data=reason))
        if failed:
            apply_claims(claims=failed, actor=ACTOR)
        with connection.cursor() as cursor:
            record(cursor, unanswered)


effect_handlers.add(EffectKind.WMS_PUSH.value, WarehousePush())


def set_aside(*, order_ids: Sequence[int]) -> None:
    """Make the pushes of orders that the warehouse gave back dead letters, with its words: a person decides. One that
    was cancelled before its answer came had been made, too."""
    if not order_ids:
        return
    is_failed = Q(order__status=Status.WMS_FAILED) | Q(order__under_refund=Status.WMS_FAILED)
    pushes = Effect.objects.filter(is_failed, order_id__in=order_ids, kind=EffectKind.WMS_PUSH)
    pushes.filter(state__in=[EffectState.DONE, EffectState.CANCELLED]).update(
        state=EffectState.DEAD, finished_at=timezone.now(), last_error=_given_back()
    )


def _given_back() -> str:
    return _("The warehouse gave the order back: see its timeline.")


def _read(order_ids: Iterable[int]) -> dict[int, Order]:
    """Return those of the orders that may be sent, with all that sending them needs. Three queries."""
    # What the channel calls shipped was shipped by hand: it must not leave twice.
    by_hand = Q(channel_claim__in=HAS_LEFT)
    is_wanted = Q(channel_hold="") | Q(status=Status.WMS_FAILED, warehouse_claim=Status.WMS_FAILED)
    orders = Order.objects.filter(is_wanted, ~by_hand, pk__in=list(order_ids), status__in=WANTED)
    return (
        orders.select_related("shop__warehouse", "buyer", "receiver")
        .prefetch_related("lines", "parcel_lines")
        .in_bulk()
    )


def _targets(orders: Sequence[Order]) -> dict[int, Warehouse | None]:
    """Return where each order goes: to the one warehouse that keeps all its pieces, else to that of its shop. One that
    was on its way before goes to the same again, switched off or not: that warehouse may have it, and no other would
    know. Where a person has asked there and tries again, it is free to go elsewhere. Two queries."""
    every = {house.code: house for house in Warehouse.objects.all()}
    active = {code: house for code, house in every.items() if house.is_active}
    trails = earlier_pushes([order.pk for order in orders if order.status == Status.WMS_QUEUED])
    targets: dict[int, Warehouse | None] = {}
    freed = []
    for order in orders:
        trail = trails.get(order.pk, Trail())
        before, now = every.get(trail.warehouse), _target(order, active)
        if before and trail.is_released and not before.is_active and now:
            freed.append(order.pk)
            before = None
        targets[order.pk] = before or now
    if freed:
        # Back to the start of the road, so that the timeline tells of the new way, too.
        change_status(order_ids=freed, to=Status.READY, actor=ACTOR)
    return targets


def _marked(targets: Mapping[int, Warehouse]) -> list[int]:
    """Mark orders as being sent, each with where to, and return those that are: a warehouse may report on an order
    whose answer was lost."""
    whereto = {pk: {"warehouse": house.code} for pk, house in targets.items()}
    verdicts = change_status(order_ids=list(targets), to=Status.WMS_QUEUED, actor=ACTOR, kind=QUEUED, data=whereto)
    return [pk for pk, verdict in verdicts.items() if verdict in {Verdict.APPLY, Verdict.SAME}]


def _may_be_there(job: Job, error: HubError, trail: Trail | None) -> bool:
    """Tell whether the warehouse may have an order whose push is given up. What it refused itself it does not have; any
    other error says nothing of the tries before, or not even of its own."""
    if isinstance(error, WarehouseRefusedError):
        return False
    is_known_before = job.attempts > 1 or (trail is not None and trail.is_unanswered)
    return isinstance(error, MayBeThereError) or not error.permanent or is_known_before


def _left_to_people(jobs: Sequence[Job], orders: Mapping[int, Order]) -> dict[int, str]:
    """Return which of the orders that the warehouse gave back are not sent now, each with the reason."""
    by_itself = {job.order_id for job in jobs if job.attempts > 1}
    held = _("The platform forbids shipping for now: try again once it lifts its hold.")
    return {
        pk: held if order.channel_hold else _given_back()
        for pk, order in orders.items()
        if _is_given_back(order) and (order.channel_hold or pk in by_itself)
    }


def _is_given_back(order: Order) -> bool:
    return order.status == order.warehouse_claim == Status.WMS_FAILED


def _locked(order_ids: Sequence[int | None]) -> dict[int, Order]:
    """Lock the orders in key order and return them by id: no callback comes between reading and writing."""
    orders = Order.objects.filter(pk__in=[pk for pk in order_ids if pk is not None]).order_by("shop_id", "external_no")
    locked = orders.select_related("shop__warehouse").select_for_update(of=("self",), no_key=True)
    return {order.pk: order for order in locked}


def _told(job: Job, answer: PushAnswer, order: Order) -> dict[str, Any]:
    """Return what the timeline keeps; by `warehouse` a later report of that warehouse finds the order, wherever the
    shop sends by then."""
    told = {"warehouse_order_id": answer.warehouse_order_id, "warehouse": answer.sent_to}
    if order.given_back:
        told["code"] = delivery_order_code(order.shop.code, order.external_no, order.given_back)
    if answer.warehouse_code != answer.sent_to:
        told["warehouse_code"] = answer.warehouse_code
    kept: dict[str, Any] = {name: value for name, value in told.items() if value}
    if answer.is_repeat:
        kept["repeat"] = True
    if job.attempts > 1:
        kept["attempts"] = job.attempts
    return kept


def _lines_to_send(order: Order) -> list[tuple[OrderLine, int]]:
    """Return the lines, without refunded ones and those that need no own SKU, each with the pieces that have not left
    yet; none at all while a refund is open or pieces are missing. What left before the warehouse gave the rest back
    must not be packed again."""
    lines = sorted(order.lines.all(), key=lambda line: line.pk)
    if any(line.refund in OPEN_REFUND or line.short for line in lines):
        return []
    gone = Counter[str]()
    for piece in order.parcel_lines.all():
        gone[piece.line_no] += piece.quantity
    aside = ignored_lines(order.extra)
    kept = [line for line in lines if line.refund != Refund.DONE and line.line_no not in aside]
    rest = [(line, line.quantity - gone[line.line_no]) for line in kept]
    return [(line, pieces) for line, pieces in rest if pieces > 0]


def _target(order: Order, houses: Mapping[str, Warehouse]) -> Warehouse | None:
    own = order.shop.active_warehouse
    kept = {line.warehouse for line in order.lines.all() if line.reserved}
    return houses.get(kept.pop(), own) if own and len(kept) == 1 else own


def _prepared(order: Order, warehouse: Warehouse | None, accesses: dict[int, WarehouseAccess]) -> Prepared:
    if warehouse is None:
        text = _("Shop %(shop)s has no active warehouse: set one in the shop's settings, then its orders go out.")
        return Prepared("", None, None, text % {"shop": order.shop.code}, waits=True)
    if not warehouse.is_active:
        text = _(
            "Warehouse %(warehouse)s is switched off but may have the order. Ask there; tried again, it goes elsewhere."
        )
        return Prepared("", None, None, text % {"warehouse": warehouse.code}, may_be_there=True)
    if getattr(order, "receiver", None) is None:
        return Prepared("", None, None, _("The order has no receiver any more."))
    try:
        if warehouse.pk not in accesses:
            accesses[warehouse.pk] = WarehouseAccess(warehouse.code, warehouse.credentials, warehouse.settings)
        return Prepared(warehouse.adapter, accesses[warehouse.pk], _push_order(order))
    except UnreadableError:
        return Prepared("", None, None, _("The sealed data cannot be opened: a data key is missing."))


def _push_order(order: Order) -> PushOrder:
    return PushOrder(
        code=delivery_order_code(order.shop.code, order.external_no, order.given_back),
        platform=order.shop.platform,
        shop_name=order.shop.name,
        external_no=order.external_no,
        created_at=order.created_at,
        paid_at=order.paid_at,
        ship_by=order.ship_by,
        is_urgent=order.is_urgent,
        is_presale=order.presale != Presale.NONE,
        buyer_nickname=order.buyer.nickname if order.buyer else "",
        buyer_remark=order.buyer_remark,
        seller_remark=order.seller_remark,
        total_fen=order.total_fen,
        discount_fen=order.discount_fen,
        freight_fen=order.freight_fen,
        paid_fen=order.paid_fen,
        receiver=_receiver(order.receiver),
        lines=[_push_line(line, pieces) for line, pieces in _lines_to_send(order)],
    )


def _push_line(line: OrderLine, pieces: int) -> PushLine:
    paid_fen = line.paid_fen * pieces // line.quantity
    return PushLine(line.line_no, line.sku, line.title, pieces, line.unit_price_fen, paid_fen)


def _receiver(receiver: Receiver) -> PushReceiver:
    clear = receiver.open()
    return PushReceiver(
        name=clear.get("name", ""),
        phone=clear.get("phone", ""),
        detail=clear.get("detail", ""),
        postcode=clear.get("postcode", ""),
        country=receiver.country,
        province=receiver.province,
        city=receiver.city,
        district=receiver.district,
        town=receiver.town,
        is_masked=receiver.kind in _MASKED or bool(receiver.oaid and "*" in clear.get("phone", "")),
        oaid=receiver.oaid,
    )
