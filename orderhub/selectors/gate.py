"""The intake gate as it stands: what counts for a shop, how many orders wait, and when they will all be in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q

from orderhub.core.words import GATE_RANK, GateState
from orderhub.models import Gate, GateChange

MAX_RATE = 1_000_000
"""Orders a minute; more than any machine takes in."""


@dataclass(slots=True, frozen=True)
class GateView:
    """What counts for a shop, or for all: the stricter gate and who set it. `shop_id` is None for the gate of all."""

    state: GateState
    rate_per_minute: int | None = None
    shop_id: int | None = None
    reason: str = ""
    actor: str = ""
    changed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """True when orders enter as they come."""
        return self.state is GateState.OPEN


OPEN = GateView(GateState.OPEN)


@dataclass(slots=True, frozen=True)
class ShopGate:
    """One shop that has a gate of its own or orders that wait."""

    shop_id: int
    code: str
    name: str
    own: GateView
    counts: GateView
    """The stricter of its own gate and the gate of all."""
    waiting: int
    oldest: datetime | None
    """The earliest ship deadline among the orders that wait."""
    ends_at: datetime | None = None
    """When its last waiting order will be in at the latest; None behind a paused gate or when none waits."""


@dataclass(slots=True, frozen=True)
class GateOverview:
    """The gate of all and every shop whose own gate is not open or whose orders wait."""

    at: datetime
    of_all: GateView = OPEN
    shops: list[ShopGate] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """How many orders wait in all."""
        return sum(shop.waiting for shop in self.shops)

    @property
    def oldest(self) -> datetime | None:
        """The earliest ship deadline of all."""
        return min((shop.oldest for shop in self.shops if shop.oldest), default=None)

    @property
    def ends_at(self) -> datetime | None:
        """When the last order will be in; None when none waits or some wait behind a paused gate."""
        ends = [shop.ends_at for shop in self.shops if shop.waiting]
        return max((end for end in ends if end), default=None) if all(ends) else None

    @property
    def strictest(self) -> GateView:
        """The strictest gate of all of them, for a look from afar."""
        return max([self.of_all, *(shop.counts for shop in self.shops)], key=strictness)

    @property
    def is_calm(self) -> bool:
        """True when every gate is open and nothing waits."""
        return self.strictest.is_open and not self.waiting

    def as_json(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return {
            "of_all": _view_json(self.of_all),
            "waiting": self.waiting,
            "oldest_deadline": self.oldest,
            "ends_at": self.ends_at,
            "shops": [
                {"code": shop.code, "own": _view_json(shop.own), "counts": _view_json(shop.counts),
                 "waiting": shop.waiting, "oldest_deadline": shop.oldest, "ends_at": shop.ends_at}
                for shop in self.shops
            ],
        }  # fmt: skip


def gate_of(shop_id: int | None) -> GateView:
    """Return what counts for a shop: the stricter of its own gate and the gate of all; for None the gate of all."""
    return strictest(list(Gate.objects.filter(Q(shop=None) | Q(shop=shop_id))))


def strictest(gates: Sequence[Gate]) -> GateView:
    """Return the strictest of some gates that stand before one shop: paused, then the slowest trickle; open when there
    is none. Of equal ones the wider counts, because opening the narrower would change nothing."""
    return max([view_of(gate) for gate in gates], key=strictness, default=OPEN)


def strictness(view: GateView) -> tuple[int, float, bool]:
    """Return what orders views, the strictest last."""
    return GATE_RANK[view.state], -float(view.rate_per_minute or MAX_RATE + 1), view.shop_id is None


def view_of(gate: Gate | None) -> GateView:
    """Return one gate as it stands; a missing one is open."""
    if gate is None:
        return OPEN
    return GateView(GateState(gate.state), gate.rate_per_minute, gate.shop_id, gate.reason, gate.actor, gate.changed_at)


def pace(rate_per_minute: int | None, *, is_for_all: bool) -> int | None:
    """Return the pace that a gate sets, orders a minute; only the gate of all has one of its own accord."""
    if rate_per_minute is None and is_for_all:
        return max(1, int(settings.HUB_BACKLOG_PER_MINUTE))
    return rate_per_minute


def gate_overview() -> GateOverview:
    """Read all gates and what waits before them, in two queries; counting reads an index only."""
    gates = {gate.shop_id: gate for gate in Gate.objects.all()}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH waiting AS (
                SELECT shop_id, count(*) AS orders, min(ship_by) AS oldest FROM orderhub_parkedorder GROUP BY shop_id)
            SELECT clock_timestamp(), s.id, s.code, s.name, coalesce(w.orders, 0), w.oldest
            FROM (SELECT 1) AS one LEFT JOIN (
                orderhub_shop s LEFT JOIN waiting w ON w.shop_id = s.id
            ) ON w.orders IS NOT NULL OR s.id = ANY(%s)
            ORDER BY s.code
            """,
            [[pk for pk, gate in gates.items() if pk is not None and gate.state != GateState.OPEN]],
        )
        found = cursor.fetchall()
    now, of_all = found[0][0], gates.get(None)
    shops = [
        ShopGate(pk, code, name, view_of(gates.get(pk)), _combined(of_all, gates.get(pk)), orders, oldest)
        for _now, pk, code, name, orders, oldest in found
        if pk is not None
    ]
    return GateOverview(now, view_of(of_all), _with_ends(now, view_of(of_all), shops))


@dataclass(slots=True, frozen=True)
class WaitingOrder:
    """One order that waits before the gate, for people who look for it."""

    external_no: str
    shop_name: str
    held_at: datetime


def waiting_order(external_nos: Sequence[str]) -> WaitingOrder | None:
    """Return the order of one of these numbers that waits before the gate, of whatever shop; one query by the unique
    key."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.external_no, s.name, p.held_at FROM orderhub_shop s
            JOIN orderhub_parkedorder p ON p.shop_id = s.id AND p.external_no = ANY(%s)
            ORDER BY p.held_at LIMIT 1
            """,
            [list(external_nos)],
        )
        row = cursor.fetchone()
    return WaitingOrder(*row) if row else None


def recent_changes(limit: int = 50) -> list[GateChange]:
    """Return the newest changes of all gates, with their shops."""
    return list(GateChange.objects.select_related("shop")[:limit])


def _combined(of_all: Gate | None, own: Gate | None) -> GateView:
    return strictest([gate for gate in (of_all, own) if gate is not None])


def _with_ends(now: datetime, of_all: GateView, shops: list[ShopGate]) -> list[ShopGate]:
    """Shops share the pace of all, and each keeps to its own besides."""
    shared = pace(of_all.rate_per_minute, is_for_all=True) or 1
    moving = sum(shop.waiting for shop in shops if shop.counts.state is not GateState.PAUSED)
    told = []
    for shop in shops:
        ends_at = None
        if shop.waiting and shop.counts.state is not GateState.PAUSED:
            own = shop.own.rate_per_minute
            minutes = max(moving / shared, shop.waiting / own if own else 0)
            ends_at = now + timedelta(minutes=minutes)
        told.append(
            ShopGate(
                shop.shop_id, shop.code, shop.name, shop.own, shop.counts, shop.waiting, shop.oldest, ends_at
            )
        )  # fmt: skip
    return told


def _view_json(view: GateView) -> dict[str, Any]:
    return {"state": view.state.value, "rate_per_minute": view.rate_per_minute, "reason": view.reason,
            "actor": view.actor, "since": view.changed_at}  # fmt: skip
