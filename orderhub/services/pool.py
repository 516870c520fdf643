"""Writing a decided batch into the pool: COPY for new orders, one set-wise update for changed ones."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from orderhub.core.crypto import UnreadableError, blind
from orderhub.core.draft import OrderDraft
from orderhub.core.status_graph import RANK, REFUND_CLAIMS, drifts, judge
from orderhub.core.words import LANE_RANK, OPEN_REFUND, Change, Lane, Presale, Source, Status
from orderhub.models import Receiver
from orderhub.services import receivers, timeline
from orderhub.services.batch import Batch, Incoming
from orderhub.services.bulk import Table, copy_tables, json_text, records, stamp
from orderhub.services.stock import NOTHING

BEFORE_WAREHOUSE = frozenset(
    {Status.UNPAID, Status.PRESALE_DEPOSIT, Status.PAID, Status.IN_TRIAGE_HOLD, Status.READY, Status.SHORT}
)
BEFORE_PAYMENT = frozenset({Status.UNPAID, Status.PRESALE_DEPOSIT})
REFUND_RANK = {"none": 0, "refused": 1, "done": 2, "agreed": 3, "asked": 4}

ORDER_COLUMNS = (
    "id", "shop_id", "external_no", "buyer_id", "status", "lane", "worst_lane", "is_urgent", "channel_status",
    "channel_claim", "channel_claim_at", "warehouse_claim", "carrier_claim", "under_refund", "refund_at", "has_drift",
    "created_at", "paid_at", "modified_at", "ship_by", "ship_by_source", "received_at", "triaged_at",
    "held_since", "rule_set_id", "total_fen", "discount_fen", "freight_fen", "paid_fen", "item_count",
    "buyer_remark", "seller_remark", "flag", "presale", "channel_hold", "refund", "ip_index", "merge_key",
    "content_hash", "inbox_id", "extra",
)  # fmt: skip
LINE_COLUMNS = (
    "shop_id", "order_id", "line_no", "sku", "title", "quantity", "unit_price_fen", "paid_fen", "refund", "reserved",
    "short", "warehouse",
)  # fmt: skip
TOLD_OF_LINES = LINE_COLUMNS[2 : LINE_COLUMNS.index("reserved")]
"""What the channel says of a line; the rest is ours."""

_CHANGED = [c for c in ORDER_COLUMNS if c not in {"id", "shop_id", "external_no", "warehouse_claim", "carrier_claim",
                                                  "received_at"}]  # fmt: skip
_TYPES = {
    "buyer_id": "bigint", "is_urgent": "bool", "channel_claim_at": "timestamptz", "refund_at": "timestamptz",
    "has_drift": "bool", "created_at": "timestamptz", "paid_at": "timestamptz", "modified_at": "timestamptz",
    "ship_by": "timestamptz", "triaged_at": "timestamptz", "held_since": "timestamptz",
    "rule_set_id": "bigint", "total_fen": "bigint", "discount_fen": "bigint", "freight_fen": "bigint",
    "paid_fen": "bigint", "item_count": "int", "ip_index": "bigint", "merge_key": "bigint", "content_hash": "bigint",
    "inbox_id": "bigint", "extra": "jsonb",
}  # fmt: skip


def claim_of(draft: OrderDraft) -> str:
    """Return what the channel claims: its status word, a deposit or a refund read into it."""
    if draft.status == Status.PAID and draft.presale == Presale.DEPOSIT:
        return Status.PRESALE_DEPOSIT
    if draft.status in RANK and draft.status != Status.UNPAID:
        refunds = {line.refund for line in draft.lines}
        if refunds & OPEN_REFUND:
            return Status.REFUNDING
        if refunds == {"done"}:
            return Status.REFUNDED
    return draft.status


def is_triaged(incoming: Incoming) -> bool:
    """Tell whether an order goes through triage: paid in full, not held by the channel, no refund open, not yet in
    the warehouse's hands. What the warehouse refused counts as new once the channel says something else of it."""
    known = incoming.known
    if incoming.claim != Status.PAID or incoming.draft.channel_hold:
        return False
    if known is None or known.place in BEFORE_WAREHOUSE | {Status.REFUNDING}:
        return True
    return known.place == Status.WMS_FAILED != known.warehouse_claim and incoming.content_hash != known.content_hash


def settle_claim(incoming: Incoming) -> None:
    """Say what the channel claims of an order and whether it is judged; where it is not, its status follows at once."""
    incoming.claim = claim_of(incoming.draft)
    incoming.triaged = is_triaged(incoming)
    if not incoming.triaged:
        settle_status(incoming)


def settle_status(incoming: Incoming) -> None:
    """Set the order's status from the claim of the channel, the lane and the stock.

    A short order that a person must look at is held: "short" would hide it from the queue where it is released.
    """
    claim, known = incoming.claim, incoming.known
    incoming.under_refund = ""
    if incoming.triaged:
        held = incoming.lane in {Lane.TO_CONFIRM, Lane.ABNORMAL}
        short = incoming.is_short and incoming.lane != Lane.ABNORMAL and not incoming.needs_answer
        incoming.status = Status.SHORT if short else Status.IN_TRIAGE_HOLD if held else Status.READY
    elif known is None or (known.status in BEFORE_PAYMENT and RANK.get(Status(claim), 99) >= RANK[known.place]):
        # Nothing was done with it yet: the channel's word stands as for one that comes for the first time.
        incoming.status = claim
        incoming.under_refund = incoming.draft.status if claim == Status.REFUNDING else ""
    elif known.place in BEFORE_WAREHOUSE and claim in BEFORE_WAREHOUSE:
        is_held = claim == Status.PAID and incoming.draft.channel_hold
        incoming.status = claim if is_held else known.place
    else:
        step = judge(known.status, claim, Source.CHANNEL, known.under_refund)
        incoming.status, incoming.under_refund = step.status, step.under_refund


def line_rows(batch: Batch) -> Table:
    """Return the lines of the new orders as rows to be copied."""
    return Table("orderhub_orderline", LINE_COLUMNS, _line_rows(batch.shop.pk, batch.new))


def receiver_rows(batch: Batch) -> Table:
    """Return the receivers of the new orders as rows to be copied."""
    return Table("orderhub_receiver", receivers.COLUMNS, _receiver_rows(batch.shop.pk, batch.new))


def order_rows(batch: Batch) -> Iterator[tuple[Any, ...]]:
    """Yield a row in ORDER_COLUMNS for each new order, decided by now."""
    return (_order_row(batch, inc) for inc in batch.new)


def first_entries(batch: Batch) -> Table:
    """Return the first timeline entry of each new order, decided by now, as rows to be copied."""
    return timeline.table_of(_entry(batch, inc, "intake", "") for inc in batch.new)


def write_changed(cursor: CursorWrapper, batch: Batch) -> None:
    """Update known orders set-wise; lines and receivers are replaced only where they differ. What the channel changed
    is noted on each."""
    if not batch.changed:
        return
    rows = [dict(zip(ORDER_COLUMNS, _order_row(batch, inc), strict=True)) for inc in batch.changed]
    shape = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in ["id", *_CHANGED])
    cursor.execute(
        f"""
        UPDATE orderhub_order o SET {", ".join(f"{name} = r.{name}" for name in _CHANGED if name != "inbox_id")},
            inbox_id = coalesce(r.inbox_id, o.inbox_id)
        FROM json_to_recordset(%s::json) AS r(id bigint, {shape.removeprefix("id text, ")}) WHERE o.id = r.id
        """,  # noqa: S608  (constant column names)
        [records([{**row, "extra": inc.draft.raw or None} for row, inc in zip(rows, batch.changed, strict=True)])],
    )
    _replace_lines(cursor, batch)
    moved = _replace_receivers(cursor, batch)
    for inc in batch.changed:
        inc.changes = _changes(inc, has_moved=inc.order_id in moved)
    timeline.record(cursor, (_entry(batch, inc, "change", inc.known.status) for inc in batch.changed if inc.known))


def merge_key(shop_id: int, incoming: Incoming) -> int | None:
    """Return the key by which one buyer's orders to one receiver find each other; platform tokens serve as well."""
    draft = incoming.draft
    if incoming.buyer_id is None or not incoming.triaged:
        return None
    receiver = draft.receiver
    who = receiver.oaid or f"{receiver.name}|{receiver.phone}"
    place = f"{receiver.province}|{receiver.city}|{receiver.district}|{receiver.detail}"
    return blind(b"merge", f"{shop_id}|{incoming.buyer_id}|{who}|{place}")


def _order_row(batch: Batch, inc: Incoming) -> tuple[Any, ...]:
    draft, known, claim = inc.draft, inc.known, inc.claim
    claims = (known.warehouse_claim, known.carrier_claim) if known else ("", "")
    refund = max((line.refund for line in draft.lines), key=REFUND_RANK.__getitem__)
    modified = stamp(draft.modified_at)
    refund_at = _refund_at(inc)
    return (
        inc.order_id, batch.shop.pk, draft.external_no, inc.buyer_id, str(inc.status), inc.lane, _worst_lane(inc),
        inc.is_urgent, draft.channel_status or draft.status, str(claim), modified, *claims,
        str(inc.under_refund), stamp(refund_at),
        drifts(inc.status, claim, *claims, refund_at=refund_at, left_at=known.left_at) if known else False,
        stamp(draft.created_at), stamp(draft.paid_at), modified, stamp(inc.ship_by), inc.ship_by_source,
        batch.stamped, _judged_at(batch, inc), _held_since(batch, inc), inc.rule_set_id, draft.total_fen,
        draft.discount_fen, draft.freight_fen, draft.paid_fen, sum(line.quantity for line in draft.lines),
        draft.buyer_remark, draft.seller_remark, draft.flag, draft.presale, draft.channel_hold, refund,
        blind(b"ip", draft.buyer.ip) if draft.buyer.ip else None, merge_key(batch.shop.pk, inc), inc.content_hash,
        batch.inbox_id, json_text(draft.raw) if draft.raw else None,
    )  # fmt: skip


def _worst_lane(inc: Incoming) -> str:
    if inc.known is None:
        return inc.lane
    return max(inc.lane, inc.known.lane, inc.known.worst_lane, key=LANE_RANK.__getitem__)


def _judged_at(batch: Batch, inc: Incoming) -> str | None:
    if inc.triaged:
        return batch.stamped
    return stamp(inc.known.triaged_at) if inc.known else None


def _held_since(batch: Batch, inc: Incoming) -> str | None:
    if inc.status != Status.IN_TRIAGE_HOLD:
        return None
    return stamp(inc.held_since) or batch.stamped


def _refund_at(inc: Incoming) -> datetime | None:
    """Return when the refund was first asked: the first version that told of it stands for that moment."""
    if inc.claim not in REFUND_CLAIMS:
        return None
    return (inc.known.refund_at if inc.known else None) or inc.draft.modified_at


def _receiver_rows(shop_id: int, orders: Sequence[Incoming]) -> Iterator[tuple[Any, ...]]:
    return receivers.receiver_rows([(inc.order_id, shop_id, inc.draft) for inc in orders])


def _line_rows(shop_id: int, orders: Sequence[Incoming]) -> list[tuple[Any, ...]]:
    return [
        (shop_id, inc.order_id, line.line_no, line.sku, line.title, line.quantity, line.unit_price_fen, line.paid_fen,
         line.refund, got.reserved, got.short, got.warehouse)
        for inc in orders
        for line, got in zip(inc.draft.lines, inc.allocations or [NOTHING] * len(inc.draft.lines), strict=True)
    ]  # fmt: skip


def _entry(batch: Batch, inc: Incoming, kind: str, status_from: str) -> timeline.Entry:
    data: dict[str, Any] = {"claim": inc.claim, "via": batch.source}
    if inc.lane:
        data["lane"] = inc.lane
    if inc.is_urgent:
        data["urgent"] = True
    if inc.findings:
        data["findings"] = list(inc.findings)
    if inc.unpriced:
        data["unpriced"] = list(inc.unpriced)
    if inc.changes:
        data["changed"] = list(inc.changes)
    to = inc.status if inc.status != status_from else ""
    return timeline.Entry(
        batch.shop.pk, inc.order_id, batch.now, kind, Source.CHANNEL, batch.actor, status_from if to else "", to, data
    )


def _changes(inc: Incoming, *, has_moved: bool) -> list[str]:
    """Return what the channel changed. What the hub itself changed, as a reservation, is none of it."""
    known, draft = inc.known, inc.draft
    assert known is not None
    differs = {
        Change.STATUS: known.channel_claim != inc.claim,
        Change.RECEIVER: has_moved,
        Change.LINES: _told_lines(known.lines)
        != [tuple(getattr(line, n) for n in TOLD_OF_LINES) for line in draft.lines],
        Change.REMARK: known.buyer_remark != draft.buyer_remark,
        Change.MEMO: (known.seller_remark, known.flag) != (draft.seller_remark, draft.flag),
        Change.HOLD: known.channel_hold != draft.channel_hold,
    }
    named = [change.value for change, is_so in differs.items() if is_so]
    # Judged again, an order may say nothing new at all.
    return named or ([Change.DETAILS.value] if inc.content_hash != known.content_hash else [])


def _told_lines(lines: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(line[name] for name in TOLD_OF_LINES) for line in lines]


def _lines_differ(inc: Incoming) -> bool:
    assert inc.known is not None
    had = [tuple(line[name] for name in LINE_COLUMNS[2:]) for line in inc.known.lines]
    return had != [row[2:] for row in _line_rows(0, [inc])]


def _replace_lines(cursor: CursorWrapper, batch: Batch) -> None:
    differing = [inc for inc in batch.changed if _lines_differ(inc)]
    if not differing:
        return
    cursor.execute("DELETE FROM orderhub_orderline WHERE order_id = ANY(%s)", [[inc.order_id for inc in differing]])
    copy_tables(cursor, Table("orderhub_orderline", LINE_COLUMNS, _line_rows(batch.shop.pk, differing)))


def _replace_receivers(cursor: CursorWrapper, batch: Batch) -> set[int]:
    """Rewrite receivers whose shown or indexed columns differ, or whose clear text does; return the orders that go to
    another person or place by that."""
    old = Receiver.objects.in_bulk([inc.order_id for inc in batch.changed])
    differing = [inc for inc in batch.changed if _receiver_differs(old.get(inc.order_id), inc.draft)]
    if not differing:
        return set()
    cursor.execute("DELETE FROM orderhub_receiver WHERE order_id = ANY(%s)", [[inc.order_id for inc in differing]])
    copy_tables(cursor, Table("orderhub_receiver", receivers.COLUMNS, _receiver_rows(batch.shop.pk, differing)))
    return {
        inc.order_id
        for inc in differing
        if (was := old.get(inc.order_id))
        and receivers.has_moved(was, inc.draft.receiver, lasting_tokens=batch.lasting_tokens)
    }


def _receiver_differs(old: Any, draft: OrderDraft) -> bool:
    if old is None:
        return True
    shown = tuple(getattr(old, name) for name in receivers.SHOWN)
    if shown != receivers.shown_part(draft.receiver):
        return True
    try:
        clear = old.open()
    except UnreadableError:
        # Its data key is gone: what the channel says now takes its place.
        return True
    new = {"name": draft.receiver.name, "phone": draft.receiver.phone, "detail": draft.receiver.detail}
    return any(clear.get(name) != value for name, value in new.items())
