"""The intake gate: who changed it and why, what it says now, and the pace at which waiting orders enter.

There is a gate for all and one per shop; the stricter of the two counts, and both paces hold. A batch asks once, inside
its transaction and after it took the lock that all batches share; a change that makes the gate stricter waits for the
batches that asked before it. So a batch lies wholly before or wholly after a change, and when `set_gate` returns,
nothing of the former state is still on its way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from orderhub.core.errors import FieldError
from orderhub.core.words import GATE_RANK, GateState
from orderhub.models import Gate, GateChange, Shop
from orderhub.selectors.gate import MAX_RATE, GateView, pace, view_of
from orderhub.services import stock

log = structlog.get_logger(__name__)

BURST_SECONDS = 30.0
"""A pace that was not used up for a while lets at most this much of it in at once."""
QUIET_SECONDS = 15
"""How long a change waits for running batches; it holds for every later batch in any case."""


def set_gate(
    *, shop_id: int | None, state: str, reason: str, actor: str, rate_per_minute: int | None = None
) -> GateView:
    """Set the gate of one shop, or of all with None, and return it; every call is kept in the history.

    `rate_per_minute` is how many waiting orders enter a minute: a must for `trickle`, for `open` the pace at which the
    backlog drains (None: as the settings say), nothing for `paused`. Raises FieldError for what cannot be.
    """
    wanted, reason = _checked(state, rate_per_minute, reason)
    if shop_id is not None and not Shop.objects.filter(pk=shop_id).exists():
        raise FieldError("shop", _("There is no such shop."))
    with transaction.atomic():
        _make(shop_id)
        gate = Gate.objects.select_for_update().get(shop=shop_id)
        before = GateState(gate.state)
        Gate.objects.filter(pk=gate.pk).update(
            state=wanted, rate_per_minute=rate_per_minute, reason=reason, actor=actor[:150], changed_at=Now(),
            paced_until=Now(),
        )  # fmt: skip
        GateChange.objects.create(
            shop_id=shop_id, state_from=before, state_to=wanted, rate_per_minute=rate_per_minute, reason=reason,
            actor=actor[:150],
        )  # fmt: skip
        if GATE_RANK[wanted] > GATE_RANK[before]:
            transaction.on_commit(partial(let_batches_end, after="the gate was set"))
    log.info("gate set", shop_id=shop_id, state=wanted, rate=rate_per_minute, actor=actor)
    return view_of(Gate.objects.get(pk=gate.pk))


def is_shut(cursor: CursorWrapper, shop_id: int) -> tuple[bool, bool]:
    """Return whether new orders of a shop must wait, and whether some may be waiting: whether a gate was ever set. One
    small query, to be asked in the transaction of a batch after `stock.enter`.

    Whether some do wait is not asked here: after a big drain that would read past all rows that left, at every batch
    until they are vacuumed (measured: 100 ms for 33,000).
    """
    cursor.execute(
        "SELECT bool_or(state <> 'open') FROM orderhub_gate WHERE shop_id IS NULL OR shop_id = %s", [shop_id]
    )
    (shut,) = cursor.fetchone()
    return bool(shut), shut is not None


@dataclass(slots=True, frozen=True)
class Shares:
    """How many waiting orders may be chosen now: in all, and at most per shop."""

    for_all: int
    by_shop: Mapping[int, int]


def shares(limit: int) -> Shares:
    """Return how many of up to `limit` orders may enter, without booking anything; shops without a waiting order or
    behind a paused gate are left out.

    Less than a second's worth of a pace is let gather, so that a fast drain does not run in tiny batches.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id, g.rate_per_minute, extract(epoch FROM clock_timestamp() - g.paced_until)::float8,
                   a.rate_per_minute, extract(epoch FROM clock_timestamp() - a.paced_until)::float8
            FROM orderhub_shop s LEFT JOIN orderhub_gate a ON a.shop_id IS NULL
            LEFT JOIN orderhub_gate g ON g.shop_id = s.id
            WHERE a.state IS DISTINCT FROM 'paused' AND g.state IS DISTINCT FROM 'paused'
                AND EXISTS (SELECT FROM orderhub_parkedorder p WHERE p.shop_id = s.id)
            """
        )
        found = cursor.fetchall()
    if not found:
        return Shares(0, {})
    *_, shared_rate, idle = found[0]
    if idle is None:
        # Only shops' gates were ever set; the row of the gate of all carries the pace that drains share.
        _make(None)
        return Shares(0, {})
    for_all = worthwhile(pace(shared_rate, is_for_all=True), idle, limit)
    by_shop = {pk: worthwhile(rate, own_idle, for_all) for pk, rate, own_idle, *_ in found}
    return Shares(for_all, {pk: most for pk, most in by_shop.items() if most})


def admit(cursor: CursorWrapper, shop_id: int) -> tuple[int, Mapping[int, float]]:
    """Lock the gates before one shop and return how many waiting orders may enter now, and the seconds that each of
    them costs, by gate; `charge` books them in the same transaction.

    Drains of several workers stand in line here, so that a pace holds for all of them together.
    """
    cursor.execute(
        """
        SELECT id, shop_id, state, rate_per_minute, extract(epoch FROM clock_timestamp() - paced_until)::float8
        FROM orderhub_gate WHERE shop_id IS NULL OR shop_id = %s ORDER BY id FOR NO KEY UPDATE
        """,
        [shop_id],
    )
    allowed, costs = MAX_RATE, {}
    for pk, owner, state, rate, idle in cursor.fetchall():
        if state == GateState.PAUSED:
            return 0, {}
        rate = pace(rate, is_for_all=owner is None)
        if rate is not None:
            allowed = min(allowed, entitled(rate, idle))
            costs[pk] = 60 / rate
    return allowed, costs


def charge(cursor: CursorWrapper, costs: Mapping[int, float], count: int) -> None:
    """Book `count` orders that entered; an idle time beyond the burst is lost."""
    for pk, seconds in costs.items():
        cursor.execute(
            """
            UPDATE orderhub_gate SET paced_until =
                greatest(paced_until, clock_timestamp() - make_interval(secs => %s)) + make_interval(secs => %s)
            WHERE id = %s
            """,
            [_burst(60 / seconds), seconds * count, pk],
        )


def entitled(rate_per_minute: int, idle_seconds: float) -> int:
    """Return how many orders may enter after so long an idle time; negative idle times are debts."""
    # A hundredth of an order of slack: the division of 60 by a rate is not exact.
    return max(0, int(min(idle_seconds, _burst(rate_per_minute)) * rate_per_minute / 60 + 0.01))


def worthwhile(rate_per_minute: int | None, idle_seconds: float, limit: int) -> int:
    """Return how many of up to `limit` orders are worth a batch after so long an idle time; 0 to wait for more."""
    if rate_per_minute is None:
        return limit
    allowed = entitled(rate_per_minute, idle_seconds)
    return min(allowed, limit) if allowed >= min(limit, rate_per_minute // 60) else 0


def _burst(rate_per_minute: float) -> float:
    """A slow pace must be able to save up for one whole order."""
    return max(BURST_SECONDS, 60 / rate_per_minute)


def _checked(state: str, rate_per_minute: int | None, reason: str) -> tuple[GateState, str]:
    if state not in GateState.values:
        raise FieldError("state", _("one of: %(words)s") % {"words": _(", ").join(GateState.values)})
    reason = " ".join(reason.split())
    if len(reason) < 2:
        raise FieldError("reason", _("Give a reason."))
    wanted = GateState(state)
    if rate_per_minute is not None and not 1 <= rate_per_minute <= MAX_RATE:
        raise FieldError("rate_per_minute", _("from 1 to %(most)s orders a minute") % {"most": f"{MAX_RATE:,}"})
    if wanted is GateState.TRICKLE and rate_per_minute is None:
        raise FieldError("rate_per_minute", _("A throttled gate needs a number of orders a minute."))
    if wanted is GateState.PAUSED and rate_per_minute is not None:
        raise FieldError("rate_per_minute", _("A paused gate lets nothing in; leave the rate out."))
    return wanted, reason[:200]


def _make(shop_id: int | None) -> None:
    Gate.objects.bulk_create([Gate(shop_id=shop_id, state=GateState.OPEN)], ignore_conflicts=True)


def let_batches_end(*, after: str) -> None:
    """Wait until every batch that asked before a change has ended; it is told when that takes too long."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{QUIET_SECONDS}s"])
            stock.enter(cursor, alone=True)
    except OperationalError as error:
        state: Any = getattr(error.__cause__, "sqlstate", "")
        log.warning(f"batches are still running after {after}", sqlstate=state)
