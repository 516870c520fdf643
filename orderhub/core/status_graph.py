"""The status graph: which change of the one status is allowed, as data, and what a claim does to it."""

from dataclasses import dataclass
from enum import Enum

from orderhub.core.words import Source, Status

S = Status

MAIN_ROAD = (
    S.UNPAID, S.PRESALE_DEPOSIT, S.PAID, S.IN_TRIAGE_HOLD, S.READY, S.WMS_QUEUED, S.WMS_ACCEPTED, S.PICKING, S.PACKED,
    S.AWAITING_PICKUP, S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED, S.COMPLETED,
)  # fmt: skip
"""The road of an undisturbed order; a later place on it is never left for an earlier one by a late event."""

RANK = {status: place for place, status in enumerate(MAIN_ROAD)}

_BEFORE_WAREHOUSE = {S.UNPAID, S.PRESALE_DEPOSIT, S.PAID, S.IN_TRIAGE_HOLD, S.READY, S.SHORT}
_IN_WAREHOUSE = {S.WMS_QUEUED, S.WMS_ACCEPTED, S.PICKING, S.PACKED, S.AWAITING_PICKUP}
_ON_THE_ROAD = {S.IN_TRANSIT, S.OUT_FOR_DELIVERY}

ALLOWED: dict[Status, frozenset[Status]] = {
    S.UNPAID: frozenset({S.PRESALE_DEPOSIT, S.PAID, S.CANCELLED}),
    S.PRESALE_DEPOSIT: frozenset({S.PAID, S.CANCELLED, S.REFUNDING, S.REFUNDED}),
    S.PAID: frozenset({S.IN_TRIAGE_HOLD, S.READY, S.SHORT, S.CANCELLED, S.REFUNDING, S.REFUNDED}),
    S.IN_TRIAGE_HOLD: frozenset({S.PAID, S.READY, S.SHORT, S.CANCELLED, S.REFUNDING, S.REFUNDED}),
    S.SHORT: frozenset({S.PAID, S.READY, S.IN_TRIAGE_HOLD, S.CANCELLED, S.REFUNDING, S.REFUNDED}),
    S.READY: frozenset({S.WMS_QUEUED, S.IN_TRIAGE_HOLD, S.SHORT, S.CANCELLED, S.REFUNDING, S.REFUNDED}),
    S.WMS_QUEUED: frozenset(
        _IN_WAREHOUSE | _ON_THE_ROAD | {S.READY, S.WMS_FAILED, S.INTERCEPTING, S.REFUNDING, S.CANCELLED, S.DELIVERED}
    ),
    S.WMS_FAILED: frozenset(
        {S.READY, S.WMS_QUEUED, S.CANCELLED, S.REFUNDING, S.REFUNDED, S.DELIVERED} | _IN_WAREHOUSE | _ON_THE_ROAD
    ),
    S.WMS_ACCEPTED: frozenset(
        (_IN_WAREHOUSE - {S.WMS_QUEUED}) | _ON_THE_ROAD
        | {S.INTERCEPTING, S.REFUNDING, S.CANCELLED, S.WMS_FAILED, S.DELIVERED, S.SHORT}
    ),
    S.PICKING: frozenset(
        {S.PACKED, S.AWAITING_PICKUP, S.INTERCEPTING, S.REFUNDING, S.CANCELLED, S.WMS_FAILED, S.SHORT, S.DELIVERED}
        | _ON_THE_ROAD
    ),
    S.PACKED: frozenset(
        {S.AWAITING_PICKUP, S.INTERCEPTING, S.REFUNDING, S.CANCELLED, S.WMS_FAILED, S.DELIVERED} | _ON_THE_ROAD
    ),
    S.AWAITING_PICKUP: frozenset({S.INTERCEPTING, S.REFUNDING, S.CANCELLED, S.WMS_FAILED, S.DELIVERED} | _ON_THE_ROAD),
    S.INTERCEPTING: frozenset(
        _IN_WAREHOUSE | _ON_THE_ROAD | {S.CANCELLED, S.RETURNING, S.REFUNDING, S.REFUNDED, S.DELIVERED}
    ),
    S.IN_TRANSIT: frozenset(
        {S.OUT_FOR_DELIVERY, S.DELIVERED, S.COMPLETED, S.RETURNING, S.REFUNDING, S.REFUNDED, S.INTERCEPTING}
    ),
    S.OUT_FOR_DELIVERY: frozenset({S.IN_TRANSIT, S.DELIVERED, S.COMPLETED, S.RETURNING, S.REFUNDING, S.REFUNDED}),
    S.DELIVERED: frozenset({S.COMPLETED, S.RETURNING, S.REFUNDING, S.REFUNDED}),
    S.COMPLETED: frozenset({S.RETURNING, S.REFUNDING, S.REFUNDED}),
    S.REFUNDING: frozenset(
        _BEFORE_WAREHOUSE | _IN_WAREHOUSE | _ON_THE_ROAD
        | {S.DELIVERED, S.COMPLETED, S.REFUNDED, S.CANCELLED, S.RETURNING, S.INTERCEPTING}
    ),
    S.RETURNING: frozenset({S.REFUNDING, S.REFUNDED, S.CANCELLED, S.COMPLETED, S.DELIVERED}),
    S.CANCELLED: frozenset({S.REFUNDED}),
    S.REFUNDED: frozenset(),
}  # fmt: skip

CHANNEL_MAY_SET = frozenset({S.UNPAID, S.PRESALE_DEPOSIT, S.PAID, S.COMPLETED, S.CANCELLED, S.REFUNDING, S.REFUNDED})
"""A channel knows about payment, refund and end. What it says about fulfilment is kept as its claim only: "shipped"
is shown with hand-over evidence of the warehouse or the carrier, never on the channel's word."""

ENDED = frozenset({S.CANCELLED, S.REFUNDED, S.COMPLETED})
PUSHABLE = frozenset({S.READY})
HOLDS_STOCK = frozenset(
    _BEFORE_WAREHOUSE - {S.UNPAID, S.PRESALE_DEPOSIT} | _IN_WAREHOUSE | {S.WMS_FAILED, S.INTERCEPTING, S.REFUNDING}
)
"""An order in one of these keeps its reservation; others have given it back or used it up."""


class Verdict(Enum):
    """What a claim does to the shared status."""

    APPLY = "apply"
    SAME = "same"
    LATE = "late"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Step:
    """One judged claim."""

    verdict: Verdict
    status: Status


def judge(current: str, claimed: str, source: str) -> Step:
    """Return what a claim of `source` does to an order in status `current`.

    Repeated claims are SAME, events that arrive after a later one are LATE; both leave the status as it is.
    REFUSED is a change that the graph does not allow; the claim is still kept beside the status.
    """
    now, then = Status(current), Status(claimed)
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


def drifts(status: str, channel_claim: str, warehouse_claim: str, carrier_claim: str) -> bool:
    """Tell whether two departments say things about this order that cannot both be true.

    The seed's quarrel is the channel saying "shipped" while the warehouse has not handed over.
    """
    channel_shipped = RANK.get(S(channel_claim), -1) >= RANK[S.IN_TRANSIT] if channel_claim else False
    handed_over = any(
        claim and RANK.get(S(claim), -1) >= RANK[S.IN_TRANSIT] for claim in (warehouse_claim, carrier_claim)
    )
    if status == S.CANCELLED and handed_over:
        return True
    if channel_claim in {S.CANCELLED, S.REFUNDED} and status not in {S.CANCELLED, S.REFUNDED, S.REFUNDING}:
        return True
    if channel_shipped and not handed_over:
        return bool(warehouse_claim or RANK.get(S(status), 99) < RANK[S.IN_TRANSIT])
    return (
        handed_over and bool(channel_claim) and RANK.get(S(channel_claim), 99) <= RANK[S.PAID] and bool(carrier_claim)
    )
