"""The status graph: which change of the one status is allowed, as data, and what a claim does to it."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from orderhub.core.words import Source, Status

S = Status

MAIN_ROAD = (
    S.UNPAID, S.PRESALE_DEPOSIT, S.PAID, S.IN_TRIAGE_HOLD, S.READY, S.WMS_QUEUED, S.WMS_ACCEPTED, S.PICKING, S.PACKED,
    S.AWAITING_PICKUP, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED, S.COMPLETED,
)  # fmt: skip
"""The road of an undisturbed order; a later place on it is never left for an earlier one by a late event."""

RANK = {status: place for place, status in enumerate(MAIN_ROAD)}
HAS_LEFT = frozenset(MAIN_ROAD[RANK[S.IN_TRANSIT] :])

_BEFORE_WAREHOUSE = {S.UNPAID, S.PRESALE_DEPOSIT, S.PAID, S.IN_TRIAGE_HOLD, S.READY, S.SHORT}
_IN_WAREHOUSE = {S.WMS_QUEUED, S.WMS_ACCEPTED, S.PICKING, S.PACKED, S.AWAITING_PICKUP}
_ON_THE_ROAD = {S.IN_TRANSIT, S.OUT_FOR_DELIVERY}
_ENDING = {S.CANCELLED, S.REFUNDING, S.REFUNDED}
"""What a channel may say at any time: between two pulls an order runs through several states."""
_SHIPPED = _ON_THE_ROAD | {S.DELIVERED, S.COMPLETED}
"""Also of an order that was never pushed: somebody shipped it by hand, and the carrier or the end of the deal tells."""

ALLOWED: dict[Status, frozenset[Status]] = {
    S.UNPAID: frozenset({S.PRESALE_DEPOSIT, S.PAID} | _ENDING | _SHIPPED),
    S.PRESALE_DEPOSIT: frozenset({S.PAID} | _ENDING | _SHIPPED),
    S.PAID: frozenset({S.IN_TRIAGE_HOLD, S.READY, S.SHORT} | _ENDING | _SHIPPED),
    S.IN_TRIAGE_HOLD: frozenset({S.PAID, S.READY, S.SHORT} | _ENDING | _SHIPPED),
    S.SHORT: frozenset({S.PAID, S.READY, S.IN_TRIAGE_HOLD} | _ENDING | _SHIPPED),
    S.READY: frozenset({S.WMS_QUEUED, S.IN_TRIAGE_HOLD, S.SHORT} | _ENDING | _SHIPPED),
    S.WMS_QUEUED: frozenset({S.READY, S.WMS_FAILED, S.INTERCEPTING} | _IN_WAREHOUSE | _ENDING | _SHIPPED),
    S.WMS_FAILED: frozenset(
        {S.READY, S.IN_TRIAGE_HOLD, S.SHORT, S.WMS_QUEUED} | _IN_WAREHOUSE | _ENDING | _SHIPPED
    ),
    S.WMS_ACCEPTED: frozenset(
        (_IN_WAREHOUSE - {S.WMS_QUEUED}) | {S.INTERCEPTING, S.WMS_FAILED, S.SHORT} | _ENDING | _SHIPPED
    ),
    S.PICKING: frozenset(
        {S.PACKED, S.AWAITING_PICKUP, S.INTERCEPTING, S.WMS_FAILED, S.SHORT} | _ENDING | _SHIPPED
    ),
    S.PACKED: frozenset({S.AWAITING_PICKUP, S.INTERCEPTING, S.WMS_FAILED} | _ENDING | _SHIPPED),
    S.AWAITING_PICKUP: frozenset({S.INTERCEPTING, S.WMS_FAILED} | _ENDING | _SHIPPED),
    S.INTERCEPTING: frozenset({S.RETURNING} | _IN_WAREHOUSE | _ENDING | _SHIPPED),
    S.IN_TRANSIT: frozenset(
        {S.OUT_FOR_DELIVERY, S.DELIVERED, S.COMPLETED, S.RETURNING, S.REFUNDING, S.REFUNDED, S.INTERCEPTING}
    ),
    S.OUT_FOR_DELIVERY: frozenset({S.IN_TRANSIT, S.DELIVERED, S.COMPLETED, S.RETURNING, S.REFUNDING, S.REFUNDED}),
    S.DELIVERED: frozenset({S.COMPLETED, S.RETURNING, S.REFUNDING, S.REFUNDED}),
    S.COMPLETED: frozenset({S.RETURNING, S.REFUNDING, S.REFUNDED}),
    S.REFUNDING: frozenset(
        _BEFORE_WAREHOUSE | _IN_WAREHOUSE | _ON_THE_ROAD
        | {S.DELIVERED, S.COMPLETED, S.REFUNDED, S.CANCELLED, S.RETURNING, S.INTERCEPTING, S.WMS_FAILED}
    ),
    S.RETURNING: frozenset({S.REFUNDING, S.REFUNDED, S.CANCELLED, S.COMPLETED, S.DELIVERED}),
    S.CANCELLED: frozenset({S.REFUNDED}),
    S.REFUNDED: frozenset(),
}  # fmt: skip

CHANNEL_MAY_SET = frozenset({S.UNPAID, S.PRESALE_DEPOSIT, S.PAID, S.COMPLETED, S.CANCELLED, S.REFUNDING, S.REFUNDED})
"""A channel knows about payment, refund and end. What it says about fulfilment is kept as its claim only: "shipped"
is shown with hand-over evidence of the warehouse or the carrier, never on the channel's word."""

REFUND_CLAIMS = frozenset({S.REFUNDING, S.REFUNDED})
"""What a channel says from the asking of a refund on; the time of the first of these is kept (`refund_at`)."""

IN_WAREHOUSE = frozenset(_IN_WAREHOUSE)
"""One warehouse has the order, or is being told of it: no other one sends its pieces."""
_NOT_SENT = frozenset({S.SHORT, S.WMS_FAILED})
ENDED = frozenset({S.CANCELLED, S.REFUNDED, S.COMPLETED})
PUSHABLE = frozenset({S.READY})
HOLDS_STOCK = frozenset(
    _BEFORE_WAREHOUSE - {S.UNPAID, S.PRESALE_DEPOSIT} | _IN_WAREHOUSE | {S.WMS_FAILED, S.INTERCEPTING, S.REFUNDING}
)
"""An order in one of these keeps its reservation; others have given it back or used it up."""


class Verdict(Enum):
    """What a claim does to the shared status."""

    APPLY = "apply"
    COVERED = "covered"
    """It moves what lies under an open refund; the status stays."""
    SAME = "same"
    LATE = "late"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Step:
    """One judged claim: the status after it, and while that is `refunding` the status under it."""

    verdict: Verdict
    status: Status
    under_refund: str = ""


def place_of(status: str, under_refund: str) -> Status:
    """Return where an order is, whether or not an open refund covers that."""
    return Status(under_refund or status)


def judge(current: str, claimed: str, source: str, under_refund: str = "") -> Step:
    """Return what a claim of `source` does to an order in status `current`.

    Repeated claims are SAME, events that arrive after a later one are LATE; both leave the status as it is.
    REFUSED is a change that the graph does not allow; the claim is still kept beside the status.

    An open refund covers the status: others than the channel move only what lies under it (COVERED), so that the order
    stands, once the refund is withdrawn, where it would stand without one.
    """
    now, then = Status(current), Status(claimed)
    if now == S.REFUNDING:
        return _under_refund(place_of(now, under_refund), then, source)
    step = _on_graph(now, then, source)
    return Step(step.verdict, step.status, now) if step.status == S.REFUNDING else step


def _under_refund(place: Status, then: Status, source: str) -> Step:
    if then == S.REFUNDING:
        return Step(Verdict.SAME, then, place)
    if then in {S.CANCELLED, S.REFUNDED}:
        return Step(Verdict.APPLY, then)
    if place == S.REFUNDING:
        # Of an order that nobody noted a place of, no more is known than that it was paid.
        place = S.PAID
    if source == Source.CHANNEL:
        return Step(Verdict.APPLY, _on_graph(place, then, source).status)
    if then == S.WMS_QUEUED:
        # Nothing is sent to the warehouse while a refund is open.
        return Step(Verdict.REFUSED, S.REFUNDING, place)
    step = _on_graph(place, then, source)
    verdict = Verdict.COVERED if step.verdict is Verdict.APPLY else step.verdict
    return Step(verdict, S.REFUNDING, step.status)


def _on_graph(now: Status, then: Status, source: str) -> Step:
    if now == then:
        return Step(Verdict.SAME, now)
    if source == Source.CHANNEL and then not in CHANNEL_MAY_SET:
        return Step(Verdict.LATE if RANK.get(then, 0) < RANK.get(now, 0) else Verdict.REFUSED, now)
    if now in RANK and then in RANK and RANK[then] < RANK[now] and then not in _steps_back(now, source):
        return Step(Verdict.LATE, now)
    if then in ALLOWED[now]:
        return Step(Verdict.APPLY, then)
    return Step(Verdict.REFUSED, now)


def _steps_back(now: Status, source: str) -> frozenset[Status]:
    """Only the hub and people may walk the main road backwards, and only where the graph draws that edge."""
    if source in {Source.HUB, Source.PERSON}:
        return ALLOWED[now]
    return frozenset({S.IN_TRANSIT}) if now == S.OUT_FOR_DELIVERY else frozenset()


def drifts(
    status: str, channel_claim: str, warehouse_claim: str, carrier_claim: str, *,
    refund_at: datetime | None = None, left_at: datetime | None = None,
) -> bool:  # fmt: skip
    """Tell whether two departments say things about this order that cannot both be true.

    The usual quarrel is the channel saying "shipped" while the warehouse has not handed over. Pieces that left
    (`left_at`) although their refund had been asked (`refund_at`) are one too, until they are on their way back; a
    refund asked after they left is an ordinary return.
    """
    left_all_the_same = refund_at is not None and left_at is not None and left_at >= refund_at
    if left_all_the_same and channel_claim in REFUND_CLAIMS and S.RETURNING not in {warehouse_claim, carrier_claim}:
        return True
    channel_shipped = has_left(channel_claim)
    handed_over = has_left(warehouse_claim) or has_left(carrier_claim)
    if status == S.CANCELLED and handed_over:
        return True
    if channel_claim in {S.CANCELLED, S.REFUNDED} and status not in {S.CANCELLED, S.REFUNDED, S.REFUNDING}:
        return True
    if channel_shipped and not handed_over:
        waits = warehouse_claim not in {"", S.WMS_FAILED}
        return waits or status in _NOT_SENT or RANK.get(S(status), 99) < RANK[S.IN_TRANSIT]
    return (
        handed_over and bool(channel_claim) and RANK.get(S(channel_claim), 99) <= RANK[S.PAID] and bool(carrier_claim)
    )


def has_left(claim: str) -> bool:
    """Tell whether a claim, empty where nothing was said, means that pieces are with the carrier or beyond."""
    return claim in HAS_LEFT
