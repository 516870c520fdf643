"""The effect `wms_push`: ready orders become delivery orders of their warehouse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.warehouses.base import (
    PushAnswer,
    PushLine,
    PushOrder,
    PushReceiver,
    WarehouseAccess,
    warehouses,
)
from orderhub.core.crypto import UnreadableError
from orderhub.core.effects import Job, effect_handlers
from orderhub.core.errors import HubError
from orderhub.core.status_graph import Verdict
from orderhub.core.words import ContactKind, EffectKind, Presale, Refund, Source, Status
from orderhub.models import Order, OrderLine, Receiver, Warehouse
from orderhub.services.status import Claim, apply_claims, change_status

ACTOR = "outbox:wms_push"
WANTED = frozenset({Status.READY, Status.WMS_QUEUED, Status.WMS_FAILED})
"""Queued ones were tried before; failed ones are tried again because a person said so."""
OPEN_REFUND = frozenset({Refund.ASKED, Refund.AGREED})
_MASKED = frozenset({ContactKind.MASKED, ContactKind.CIPHER})


@dataclass(slots=True, frozen=True)
class Prepared:
    """What one `send` needs; `problem` when it is clear beforehand that it cannot work."""

    adapter: str
    access: WarehouseAccess | None
    order: PushOrder | None
    problem: str = ""


class WarehousePush:
    """Pushes ready orders to the warehouse of their shop."""

    concurrency = 8

    def prepare(self, jobs: Sequence[Job]) -> Mapping[int, Prepared]:
        """Read the orders as they are now and mark them as being sent. Three queries and one change for all of them.

        Left out, so that their effect is cancelled: orders that are no longer ready, that the channel holds, that have
        an open refund, or nothing left to send.
        """
        ids = [job.order_id for job in jobs if job.order_id is not None]
        orders = (
            Order.objects.filter(pk__in=ids, status__in=WANTED, channel_hold="")
            .select_related("shop__warehouse", "buyer", "receiver")
            .prefetch_related("lines")
            .in_bulk()
        )
        wanted = {pk: lines for pk, order in orders.items() if (lines := _lines_to_send(order))}
        verdicts = change_status(order_ids=list(wanted), to=Status.WMS_QUEUED, actor=ACTOR)
        sendable = {pk for pk, verdict in verdicts.items() if verdict in {Verdict.APPLY, Verdict.SAME}}
        accesses: dict[int, WarehouseAccess] = {}
        return {
            job.effect_id: _prepared(orders[job.order_id], wanted[job.order_id], accesses)
            for job in jobs
            if job.order_id is not None and job.order_id in sendable
        }

    def send(self, prepared: Prepared) -> PushAnswer:
        """Hand one delivery order over. Raises HubError."""
        if prepared.access is None or prepared.order is None:
            raise HubError(prepared.problem)
        if prepared.adapter not in warehouses:
            raise HubError(_("No adapter knows the warehouse system %(key)s.") % {"key": prepared.adapter})
        return warehouses.get(prepared.adapter).create_order(prepared.access, prepared.order)

    def settle(self, done: Sequence[tuple[Job, PushAnswer]]) -> None:
        """Note the warehouse's word on the orders that it took."""
        now = timezone.now()
        ids = [job.order_id for job, _answer in done if job.order_id is not None]
        houses = dict(Order.objects.filter(pk__in=ids).values_list("pk", "shop__warehouse__code"))
        claims = [
            Claim(
                job.order_id, Source.WAREHOUSE, Status.WMS_ACCEPTED, now, "wms_push",
                _told(job, answer, houses.get(job.order_id)),
            )
            for job, answer in done
            if job.order_id is not None
        ]  # fmt: skip
        if claims:
            apply_claims(claims=claims, actor=ACTOR)

    def give_up(self, dead: Sequence[tuple[Job, HubError]]) -> None:
        """Mark the orders whose push failed for good; the reason stands in their timeline."""
        now = timezone.now()
        claims = [
            Claim(job.order_id, Source.HUB, Status.WMS_FAILED, now, "wms_push", {"reason": str(error)[:500]})
            for job, error in dead
            if job.order_id is not None
        ]
        if claims:
            apply_claims(claims=claims, actor=ACTOR)


effect_handlers.add(EffectKind.WMS_PUSH.value, WarehousePush())


def delivery_order_code(shop_code: str, external_no: str) -> str:
    """Return the number by which the warehouse knows an order, the same at every try."""
    return f"{shop_code}-{external_no}"


def _told(job: Job, answer: PushAnswer, warehouse: str | None) -> dict[str, Any]:
    """Return what the timeline keeps; by `warehouse` a later report of that warehouse finds the order, wherever the
    shop sends by then."""
    told = {"warehouse_order_id": answer.warehouse_order_id, "warehouse": warehouse}
    if answer.warehouse_code != warehouse:
        told["warehouse_code"] = answer.warehouse_code
    kept: dict[str, Any] = {name: value for name, value in told.items() if value}
    if answer.is_repeat:
        kept["repeat"] = True
    if job.attempts > 1:
        kept["attempts"] = job.attempts
    return kept


def _lines_to_send(order: Order) -> list[OrderLine]:
    """Return the lines without refunded ones; none at all while a refund is open or pieces are missing."""
    lines = sorted(order.lines.all(), key=lambda line: line.pk)
    if any(line.refund in OPEN_REFUND or line.short for line in lines):
        return []
    return [line for line in lines if line.refund != Refund.DONE]


def _prepared(order: Order, lines: Sequence[OrderLine], accesses: dict[int, WarehouseAccess]) -> Prepared:
    warehouse: Warehouse | None = order.shop.warehouse
    if warehouse is None or not warehouse.is_active:
        return Prepared("", None, None, _("Shop %(shop)s has no active warehouse.") % {"shop": order.shop.code})
    if getattr(order, "receiver", None) is None:
        return Prepared("", None, None, _("The order has no receiver any more."))
    try:
        if warehouse.pk not in accesses:
            accesses[warehouse.pk] = WarehouseAccess(warehouse.code, warehouse.credentials, warehouse.settings)
        return Prepared(warehouse.adapter, accesses[warehouse.pk], _push_order(order, lines))
    except UnreadableError:
        return Prepared("", None, None, _("The sealed data cannot be opened: a data key is missing."))


def _push_order(order: Order, lines: Sequence[OrderLine]) -> PushOrder:
    return PushOrder(
        code=delivery_order_code(order.shop.code, order.external_no),
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
        lines=[
            PushLine(line.line_no, line.sku, line.title, line.quantity, line.unit_price_fen, line.paid_fen)
            for line in lines
        ],
    )


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
