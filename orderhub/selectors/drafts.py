"""Orders of the pool back in the shape in which they came, for judging them again."""

from collections.abc import Sequence

import structlog

from orderhub.core.crypto import UnreadableError
from orderhub.core.draft import BuyerDraft, LineDraft, OrderDraft, ReceiverDraft
from orderhub.core.words import OPEN_REFUND
from orderhub.models import Order, Receiver

log = structlog.get_logger(__name__)


def drafts_of(order_ids: Sequence[int]) -> dict[int, OrderDraft]:
    """Return the drafts of `order_ids` by order id; receivers are opened in memory only. Three queries.

    An order whose data key is gone is left out and told in the log: nobody can judge it, and the others go on.
    """
    orders = Order.objects.filter(pk__in=list(order_ids)).select_related("buyer", "receiver").prefetch_related("lines")
    drafts: dict[int, OrderDraft] = {}
    for order in orders:
        try:
            drafts[order.pk] = _draft(order)
        except UnreadableError:
            log.warning("receiver cannot be opened", order=order.pk)
    return drafts


def _draft(order: Order) -> OrderDraft:
    receiver: Receiver | None = getattr(order, "receiver", None)
    clear = receiver.open() if receiver else {}
    lines = tuple(
        LineDraft(
            line_no=line.line_no, sku=line.sku, title=line.title, quantity=line.quantity,
            unit_price_fen=line.unit_price_fen, paid_fen=line.paid_fen, refund=line.refund,
        )
        for line in sorted(order.lines.all(), key=lambda line: line.pk)
    )  # fmt: skip
    return OrderDraft(
        external_no=order.external_no, status=_claimed(order, lines), created_at=order.created_at,
        paid_at=order.paid_at, modified_at=order.modified_at, ship_by=order.ship_by,
        buyer=BuyerDraft(
            id=order.buyer.external_id if order.buyer else "", nickname=order.buyer.nickname if order.buyer else "",
            ip=clear.get("ip", ""),
        ),
        receiver=_receiver(receiver, clear), lines=lines, total_fen=order.total_fen, discount_fen=order.discount_fen,
        freight_fen=order.freight_fen, paid_fen=order.paid_fen, buyer_remark=order.buyer_remark,
        seller_remark=order.seller_remark, flag=order.flag, presale=order.presale, channel_hold=order.channel_hold,
        channel_status=order.channel_status, raw=order.extra or {},
    )  # fmt: skip


def _claimed(order: Order, lines: Sequence[LineDraft]) -> str:
    """Return the word that the source said: "paid" where a refund or a deposit was read into the claim from lines and
    presale. Files say both by the status alone, and that must not be forgotten."""
    refunds = {line.refund for line in lines}
    is_derived = {
        "refunding": bool(refunds & OPEN_REFUND),
        "refunded": refunds == {"done"},
        "presale_deposit": order.presale == "deposit",
    }
    return "paid" if is_derived.get(order.channel_claim) else order.channel_claim


def _receiver(receiver: Receiver | None, clear: dict[str, str]) -> ReceiverDraft:
    if receiver is None:
        return ReceiverDraft()
    return ReceiverDraft(
        name=clear.get("name", ""), phone=clear.get("phone", ""), detail=clear.get("detail", ""),
        postcode=clear.get("postcode", ""), country=receiver.country, province=receiver.province, city=receiver.city,
        district=receiver.district, town=receiver.town, kind=receiver.kind, oaid=receiver.oaid,
    )  # fmt: skip
