"""The one status changes here: every claim is judged by the graph, every change is a timeline entry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from orderhub.core.status_graph import (
    HOLDS_STOCK,
    RANK,
    REFUND_CLAIMS,
    Step,
    Verdict,
    drifts,
    has_left,
    judge,
    place_of,
)
from orderhub.core.words import Source, Status
from orderhub.services import stock
from orderhub.services.bulk import records
from orderhub.services.timeline import Entry, record

CLAIM_COLUMN = {
    Source.CHANNEL: "channel_claim",
    Source.WAREHOUSE: "warehouse_claim",
    Source.CARRIER: "carrier_claim",
}

FIRST_WORD = Status.WMS_ACCEPTED
"""The first that a warehouse says of a delivery order. The answer to a push says it by our clock, so that nothing else
which the warehouse says by its own may count as older."""


@dataclass(slots=True, frozen=True)
class Claim:
    """One department's word on one order: `source` says that it is `status` since `at`."""

    order_id: int
    source: str
    status: str
    at: datetime
    kind: str = "claim"
    data: dict[str, Any] | None = field(default=None)
    is_partial: bool = False
    """Said of a part of the order only: kept beside the status, which stays."""


@transaction.atomic
def apply_claims(*, claims: Sequence[Claim], actor: str) -> dict[int, Verdict]:
    """Judge claims, oldest first, and write what they change: claims, status, drift, stock, timeline.

    While a refund is open they move what lies under it, stock included; the status shows the refund.
    Repeated and late events change nothing but their own claim; the verdict of each order's last claim is returned.
    Orders are locked in key order. Unknown order ids are left out of the answer.
    """
    with connection.cursor() as cursor:
        states = _lock(cursor, {claim.order_id for claim in claims})
        verdicts: dict[int, Verdict] = {}
        entries: list[Entry] = []
        before = {order_id: _place(state) for order_id, state in states.items()}
        for claim in sorted(claims, key=lambda claim: claim.at):
            state = states.get(claim.order_id)
            if state is None:
                continue
            verdicts[claim.order_id] = _apply(state, claim, actor, entries)
        _write(cursor, [state for state in states.values() if state["touched"]])
        record(cursor, entries)
        move_stock(cursor, {i: (before[i], _place(s)) for i, s in states.items()}, actor=actor)
    return verdicts


def change_status(
    *, order_ids: Sequence[int], to: str, actor: str, source: str = Source.HUB, kind: str = "status",
    data: Mapping[int, dict[str, Any]] | None = None,
) -> dict[int, Verdict]:  # fmt: skip
    """Move orders to status `to` where the graph allows it and return each one's verdict; `data` is what the entry in
    the timeline keeps, by order."""
    now, told = timezone.now(), data or {}
    return apply_claims(claims=[Claim(i, source, to, now, kind, told.get(i)) for i in order_ids], actor=actor)


def move_stock(cursor: CursorWrapper, moves: dict[int, tuple[str, str]], *, actor: str) -> None:
    """Release or use up reservations of orders that went from one status to another (`{id: (from, to)}`)."""
    left = [i for i, (old, new) in moves.items() if old in HOLDS_STOCK and new not in HOLDS_STOCK]
    shipped = [i for i in left if RANK.get(Status(moves[i][1]), -1) >= RANK[Status.IN_TRANSIT]]
    gone = [i for i in left if i not in set(shipped)]
    if gone:
        stock.release(cursor, gone)
    if shipped:
        stock.use_up(cursor, shipped, actor=actor)


def _lock(cursor: CursorWrapper, order_ids: set[int]) -> dict[int, dict[str, Any]]:
    cursor.execute(
        """
        SELECT id, shop_id, status, under_refund, channel_claim, warehouse_claim, carrier_claim,
               channel_claim_at, warehouse_claim_at, carrier_claim_at, refund_at, left_at, given_back, has_drift
        FROM orderhub_order WHERE id = ANY(%s) ORDER BY shop_id, external_no FOR NO KEY UPDATE
        """,
        [sorted(order_ids)],
    )
    names = [column.name for column in cursor.description]
    return {row[0]: dict(zip(names, row, strict=True), touched=False) for row in cursor.fetchall()}


def _place(state: dict[str, Any]) -> Status:
    return place_of(state["status"], state["under_refund"])


def _apply(state: dict[str, Any], claim: Claim, actor: str, entries: list[Entry]) -> Verdict:
    step = judge(state["status"], claim.status, claim.source, state["under_refund"])
    if claim.is_partial or _is_old_news(state, claim):
        step = Step(Verdict.LATE, Status(state["status"]), state["under_refund"])
    news = _keep_claim(state, claim)
    old = state["status"]
    is_moved = step.verdict in {Verdict.APPLY, Verdict.COVERED}
    if is_moved:
        state.update(status=step.status.value, under_refund=str(step.under_refund), touched=True)
        _begin_delivery_order(state, claim)
    _mark_drift(state)
    if is_moved or news:
        shows = step.verdict is Verdict.APPLY
        data = dict(claim.data or {}) | ({} if shows else {"says": claim.status})
        changed = (old, state["status"]) if shows else ("", "")
        entries.append(
            Entry(
                state["shop_id"],
                state["id"],
                claim.at,
                claim.kind,
                claim.source,
                actor,
                changed[0],
                changed[1],
                data or None,
            )
        )
    return step.verdict


def _begin_delivery_order(state: dict[str, Any], claim: Claim) -> None:
    """Count a delivery order that came back when the order is pushed again: of the new one nothing was said yet."""
    if claim.status == Status.WMS_QUEUED and state["warehouse_claim"] == Status.WMS_FAILED:
        state.update(given_back=state["given_back"] + 1, warehouse_claim="", warehouse_claim_at=None)


def _mark_drift(state: dict[str, Any]) -> None:
    drift = drifts(
        state["status"], state["channel_claim"], state["warehouse_claim"], state["carrier_claim"],
        refund_at=state["refund_at"], left_at=state["left_at"],
    )  # fmt: skip
    if drift != state["has_drift"]:
        state.update(has_drift=drift, touched=True)


def _is_old_news(state: dict[str, Any], claim: Claim) -> bool:
    """Tell whether the department itself has said something newer, so that this claim moves the status no more.

    On the main road the places decide, not the times: clocks of departments differ, and theirs tell seconds only.
    """
    column = CLAIM_COLUMN.get(Source(claim.source))
    if column is None:
        return False
    known, known_at = state[column], state[f"{column}_at"]
    if known_at is None or known_at <= claim.at or known == FIRST_WORD:
        return False
    here = state["status"] if claim.source == Source.CHANNEL else _place(state)
    return not (claim.status in RANK and here in RANK)


def _keep_claim(state: dict[str, Any], claim: Claim) -> bool:
    """Store the claim beside the status unless a newer one of the same department is there; true when it is new."""
    _keep_leaving(state, claim)
    column = CLAIM_COLUMN.get(Source(claim.source))
    if column is None:
        return False
    known, known_at = state[column], state[f"{column}_at"]
    if known_at is not None and not _is_later(known, known_at, claim):
        return False
    is_new: bool = known != claim.status
    if is_new or known_at != claim.at:
        at = max(claim.at, known_at or claim.at) if claim.status in RANK else claim.at
        state[column], state[f"{column}_at"] = claim.status, at
        state["touched"] = True
    if claim.source == Source.CHANNEL:
        state["refund_at"] = (state["refund_at"] or claim.at) if claim.status in REFUND_CLAIMS else None
    return is_new


def _keep_leaving(state: dict[str, Any], claim: Claim) -> None:
    """Keep the earliest moment at which something of the order was with the carrier, in whatever order that is told;
    a channel's word is no evidence."""
    if claim.source == Source.CHANNEL or not has_left(claim.status):
        return
    if state["left_at"] is None or claim.at < state["left_at"]:
        state.update(left_at=claim.at, touched=True)


def _is_later(known: str, known_at: datetime, claim: Claim) -> bool:
    if known in RANK and claim.status in RANK and claim.source != Source.CHANNEL:
        ahead = RANK[Status(claim.status)] - RANK[Status(known)]
        if ahead > 0:
            return True
        if ahead < 0 and known_at == claim.at:
            return False
    return known_at <= claim.at or (known == FIRST_WORD and claim.status not in RANK)


def _write(cursor: CursorWrapper, states: Sequence[dict[str, Any]]) -> None:
    if not states:
        return
    cursor.execute(
        """
        UPDATE orderhub_order o SET status = r.status, under_refund = r.under_refund, has_drift = r.has_drift,
            refund_at = r.refund_at, left_at = r.left_at, given_back = r.given_back,
            channel_claim = r.channel_claim, channel_claim_at = r.channel_claim_at,
            warehouse_claim = r.warehouse_claim, warehouse_claim_at = r.warehouse_claim_at,
            carrier_claim = r.carrier_claim, carrier_claim_at = r.carrier_claim_at
        FROM json_to_recordset(%s::json) AS r(id bigint, status text, under_refund text, has_drift bool,
            refund_at timestamptz, left_at timestamptz, given_back smallint,
            channel_claim text, channel_claim_at timestamptz, warehouse_claim text, warehouse_claim_at timestamptz,
            carrier_claim text, carrier_claim_at timestamptz)
        WHERE o.id = r.id
        """,
        [records(list(states))],
    )
