"""The path of each lane: which effects follow from a decided order."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from hashlib import blake2b
from typing import Protocol

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from orderhub.core.words import Change, EffectKind, Lane, Refund, Status
from orderhub.services.batch import Batch, Incoming
from orderhub.services.outbox import NewEffect, standing

HANDED_TO_WAREHOUSE = frozenset(
    {Status.WMS_QUEUED, Status.WMS_ACCEPTED, Status.PICKING, Status.PACKED, Status.AWAITING_PICKUP}
)
BUYERS_CHANGES = frozenset({Change.RECEIVER, Change.LINES, Change.REMARK})
"""What a warehouse packs and sends by; our own memo and the channel's status are no news to it."""
LANE_KINDS = frozenset({EffectKind.SMS, EffectKind.POPUP, EffectKind.RISK_CASE})
"""What a lane asks of people. Each set of reasons is an effect of its own, so that what was asked once is asked again
for another reason only."""
WMS_PUSH_KEY = "wms"
"""An order has one push: what is there stays as it is, but for an earlier due time, and a cancelled one is wanted again
(`outbox.add_effects`)."""
POPUP_KEY = "popup-confirm"


class _Add(Protocol):
    def __call__(self, kind: str, key: str, after: timedelta = ..., **payload: object) -> None: ...


def effects_of(batch: Batch, incoming: Incoming) -> list[NewEffect]:
    """Return the outbox rows of one order.

    Regular orders go to the warehouse after the merge window, urgent ones at once; to-confirm orders give an SMS and
    a popup with the confirm deadline, unless only our own supply holds them, about which no buyer can say anything;
    abnormal ones a risk case; urgent ones tell the warehouse to prepare. An order whose buyer changed it after its push
    tells the warehouse what changed, or that it is over; one whose push was dropped for a refund that is withdrawn, or
    for a hold of the channel that is lifted by now, is pushed again.
    """
    number = incoming.draft.external_no
    effects: list[NewEffect] = []

    def add(kind: str, key: str, after: timedelta = timedelta(), **payload: object) -> None:
        key = _asking_key(key, incoming) if kind in LANE_KINDS else f"{key}:{number}"
        effects.append(NewEffect(batch.shop.pk, incoming.order_id, kind, key, batch.now + after, payload or None))

    if incoming.triaged:
        _lane_effects(batch, incoming, add)
        return effects
    if _is_wanted_again(incoming):
        add(EffectKind.WMS_PUSH, WMS_PUSH_KEY)
    if incoming.known and incoming.known.place in HANDED_TO_WAREHOUSE:
        _changed_after_push(incoming, add)
    return effects


def changes_after_push(incoming: Incoming) -> list[str]:
    """Return what of an order that the warehouse has is no longer what it was told: receiver, articles or pieces."""
    known = incoming.known
    if known is None or not HANDED_TO_WAREHOUSE.issuperset({known.place, incoming.place}):
        return []
    had = _pieces((line["sku"], line["quantity"], line["refund"]) for line in known.lines)
    has = _pieces((line.sku, line.quantity, line.refund) for line in incoming.draft.lines)
    differs = {Change.RECEIVER: Change.RECEIVER in incoming.changes, Change.LINES: had != has}
    return [change.value for change, is_so in differs.items() if is_so]


def _pieces(lines: Iterable[tuple[str, int, str]]) -> Counter[str]:
    pieces: Counter[str] = Counter()
    for sku, quantity, refund in lines:
        pieces[sku] += quantity if refund != Refund.DONE else 0
    return pieces


def held_before(batch: Batch) -> list[int]:
    """Return the orders of which people may have been asked something by the lane that they were in."""
    lanes = {Lane.TO_CONFIRM, Lane.ABNORMAL}
    return [inc.order_id for inc in batch.changed if inc.known and inc.known.lane in lanes]


def keep_clocks(cursor: CursorWrapper, batch: Batch) -> None:
    """Leave the clock of orders that stay held in their lane as it is. It starts anew where another popup with a time
    of its own goes out, so that both tell the same."""
    staying = [inc for inc in batch.changed if _stays_held(inc)]
    asking = {inc.order_id: _asking_key(POPUP_KEY, inc) for inc in staying if _asks_the_buyer(inc)}
    asked = standing(cursor, shop_id=batch.shop.pk, keys=list(asking.values()))
    for incoming in staying:
        if incoming.known and asking.get(incoming.order_id) in {None, *asked}:
            incoming.held_since = incoming.known.held_since


def _stays_held(incoming: Incoming) -> bool:
    known = incoming.known
    return (
        known is not None and incoming.status == known.status == Status.IN_TRIAGE_HOLD and incoming.lane == known.lane
    )


def refused_pushes(batch: Batch) -> list[int]:
    """Return the orders that are free to go by now, of which a push may have been refused before: the channel said
    something new since, an address or its token may be what was wrong."""
    return [inc.order_id for inc in batch.changed if inc.known and inc.status == Status.READY != inc.known.place]


def settled_refunds(batch: Batch) -> list[int]:
    """Return the orders whose open refund is over: a platform takes no parcel while one is open."""
    return [inc.order_id for inc in batch.changed if inc.known and inc.known.under_refund and not inc.under_refund]


def _is_wanted_again(incoming: Incoming) -> bool:
    """Tell whether the push of an order may have been dropped for a refund or a hold that is over by now. A hold that
    came and went between two pulls leaves no trace on the order, so every one that is free to go counts."""
    known, draft = incoming.known, incoming.draft
    if known is None or draft.channel_hold or incoming.status not in {Status.WMS_QUEUED, Status.WMS_FAILED}:
        return False
    if known.status == Status.REFUNDING:
        return True
    return incoming.claim == Status.PAID and known.warehouse_claim != Status.WMS_FAILED


def _asks_the_buyer(incoming: Incoming) -> bool:
    return incoming.lane == Lane.TO_CONFIRM and incoming.needs_answer


def _asking_key(key: str, incoming: Incoming) -> str:
    mark = blake2b("\n".join(sorted(incoming.reasons)).encode(), digest_size=4).hexdigest()
    return f"{key}:{mark}:{incoming.draft.external_no}"


def _changed_after_push(incoming: Incoming, add: _Add) -> None:
    is_over = incoming.status in {Status.CANCELLED, Status.REFUNDED}
    wanted = BUYERS_CHANGES | ({Change.STATUS} if is_over else set())
    changed = [change for change in incoming.changes if change in wanted]
    if changed:
        version = f"{incoming.content_hash & 0xFFFFFFFFFFFFFFFF:016x}"
        add(
            EffectKind.WAREHOUSE_HEADS_UP, f"changed:{version}", reason="changed_after_push", changed=changed,
            status=incoming.status,
        )  # fmt: skip


def _lane_effects(batch: Batch, incoming: Incoming, add: _Add) -> None:
    findings = list(incoming.findings)
    if incoming.status == Status.READY:
        wait = 0 if incoming.is_urgent else batch.shop.merge_window_seconds
        add(EffectKind.WMS_PUSH, WMS_PUSH_KEY, timedelta(seconds=wait))
    if _asks_the_buyer(incoming):
        since = incoming.held_since or batch.now
        confirm_by = (since + timedelta(minutes=settings.HUB_CONFIRM_MINUTES)).isoformat()
        add(EffectKind.SMS, "sms-confirm", findings=findings)
        add(EffectKind.POPUP, POPUP_KEY, findings=findings, confirm_by=confirm_by)
    if incoming.lane == Lane.ABNORMAL:
        add(EffectKind.RISK_CASE, "risk", findings=findings)
    if incoming.is_urgent:
        add(EffectKind.WAREHOUSE_HEADS_UP, "urgent", reason="urgent")
