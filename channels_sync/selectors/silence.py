"""Expected against seen: which channel brings far fewer orders than it should, although nothing reports an error.

Expected is the shop's own pattern: the median of the same minutes of the last seven days or, where it is lower, of the
same weekday of the last four weeks. A shop that sleeps at night or on Sundays is expected to. A shop without a whole
day behind it is held against the lowest of its rates of the last 1, 3 and 6 hours. When the other channels together are
slower than they should be, less is expected of this one as well, down to a quarter: a day after a campaign is no fault
of one channel. Campaign days themselves do not move a median of seven.

The shortest of 10, 30, 60, 180 and 360 minutes is judged in which at least ten orders are expected; where even six
hours hold fewer, nothing is said. Silent is less than a fifth of what is expected (domain reference 4.12) that is also
no chance: a Poisson process of the expected rate would show so few less than once in a thousand looks. Besides, a shop
that was busy in the last hour and has not had a single order for ten minutes is silent when even 30 % of that rate
would make it so.

Judged is up to where the channel was read; being behind is another signal. Behind a gate that is not open nothing can
be said: orders wait outside the pool.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django.db import connection
from django.utils import timezone

from channels_sync.connectors.base import abilities_of
from channels_sync.models import ShopSync
from orderhub.models import Shop
from orderhub.selectors.gate import gate_overview

SPANS = (10, 30, 60, 180, 360)
"""Minutes that may be judged, the shortest first."""
ENOUGH = 10.0
"""Expected orders from which on so few as a fifth cannot be chance."""
FIFTH = 0.2
CHANCE = 0.001
DAYS = (1, 2, 3, 4, 5, 6, 7)
WEEKS = (7, 14, 21, 28)
LOWEST_FACTOR = 0.25
OTHERS_ENOUGH = 20.0
"""Expected orders of the other channels together from which on their state says something of the market."""
DECAY = 0.3
SETTLED = timedelta(minutes=2)
"""The last minutes are not judged: their orders may not have been read."""

OK, SILENT, QUIET, HELD, NEW = "ok", "silent", "quiet", "held", "new"


@dataclass(slots=True, frozen=True)
class Flow:
    """How one channel flows. `state` is ok, silent, quiet (too few orders to tell), held (its gate is not open) or new
    (no history yet); `basis` is pattern, recent or stopped, by what it was judged."""

    shop_id: int
    code: str
    state: str
    until: datetime
    minutes: int
    expected: float
    seen: int
    basis: str = ""
    last_order_at: datetime | None = None

    @property
    def share(self) -> float | None:
        """Seen as a part of expected; None where nothing is expected."""
        return self.seen / self.expected if self.expected else None


@dataclass(slots=True)
class _Shop:
    shop: Shop
    until: datetime
    first: datetime | None
    last: datetime | None


def flows(now: datetime | None = None, shop_ids: Sequence[int] | None = None) -> list[Flow]:
    """Return how every active channel flows, by code. Seven queries, four more where shops are slow.

    `shop_ids` narrows what is returned; the other channels are looked at all the same.
    """
    shops = _shops(now or timezone.now())
    look = _Look(_recent(shops), _held(shops), _expected(shops, SPANS[0]))
    found: dict[int, Flow] = {}
    left = shops
    for minutes in SPANS:
        counts = look.shortest if minutes == SPANS[0] else _expected(left, minutes)
        for each in left:
            flow = _flow(each, minutes, counts, look)
            if flow is not None:
                found[each.shop.pk] = flow
        left = [each for each in left if each.shop.pk not in found]
        if not left:
            break
    return [found[each.shop.pk] for each in shops if shop_ids is None or each.shop.pk in shop_ids]


def silent(now: datetime | None = None) -> list[Flow]:
    """Return the channels that are silent now."""
    return [flow for flow in flows(now) if flow.state == SILENT]


def chance(seen: int, expected: float) -> float:
    """Return how likely a Poisson process of this mean shows at most `seen`."""
    if expected <= 0:
        return 1.0
    term = math.exp(-expected)
    total = term
    for number in range(1, seen + 1):
        term *= expected / number
        total += term
    return min(total, 1.0)


def is_silent(seen: int, expected: float) -> bool:
    """Tell whether so few are a sign: less than a fifth of what is expected, and hardly by chance."""
    return seen < FIFTH * expected and chance(seen, expected) < CHANCE


Counts = Mapping[int, tuple[float, int]]
"""Expected and seen by shop id; a shop without a pattern is missing."""


@dataclass(slots=True)
class _Look:
    """What is known of all channels together: recent orders by shop and minutes, closed gates, the shortest span."""

    recent: Mapping[int, Mapping[int, int]]
    held: set[int]
    shortest: Counts


def _flow(each: _Shop, minutes: int, counts: Counts, look: _Look) -> Flow | None:
    """Return what can be said of one shop by a span of minutes, None where a longer one must be looked at."""
    pk, shortest = each.shop.pk, SPANS[0]
    now = look.recent[pk][shortest]
    factor = _factor(pk, look.shortest)

    def flow(state: str, expected: float = 0.0, seen: int = now, minutes: int = shortest, basis: str = "") -> Flow:
        return Flow(pk, each.shop.code, state, each.until, minutes, expected, seen, basis, each.last)

    if pk in look.held:
        return flow(HELD)
    if each.first is None or each.until - each.first < timedelta(hours=1):
        return flow(NEW)
    stopped = _stopped(pk, look.recent, factor)
    if stopped is not None:
        return flow(SILENT, stopped, 0, shortest, "stopped")
    expected, seen, basis = _judged(each, minutes, counts, look.recent, factor)
    if expected >= ENOUGH:
        return flow(SILENT if is_silent(seen, expected) else OK, expected, seen, minutes, basis)
    return flow(QUIET, expected, seen, minutes, basis) if minutes == SPANS[-1] else None


def _judged(
    each: _Shop, minutes: int, counts: Counts, recent: Mapping[int, Mapping[int, int]], factor: float
) -> tuple[float, int, str]:  # fmt: skip
    """Return expected, seen and by what, for one span of one shop."""
    pk = each.shop.pk
    if pk in counts:
        expected, seen = counts[pk]
        return expected * factor, seen, "pattern"
    known = [hours for hours in (1, 3, 6) if each.first and each.until - each.first >= timedelta(hours=hours)]
    rates = [recent[pk][hours * 60] / hours for hours in known]
    return min(rates, default=0.0) * minutes / 60, recent[pk].get(minutes, 0), "recent"


def _factor(pk: int, counts: Counts) -> float:
    """Return what part of their pattern the other channels show together, 1 where they say nothing."""
    others = [pair for other, pair in counts.items() if other != pk]
    expected = sum(pair[0] for pair in others)
    if expected < OTHERS_ENOUGH:
        return 1.0
    return min(max(sum(pair[1] for pair in others) / expected, LOWEST_FACTOR), 1.0)


def _stopped(pk: int, recent: Mapping[int, Mapping[int, int]], factor: float) -> float | None:
    """Return what the last hour would have made expect of ten minutes without a single order, None when that may be."""
    if recent[pk][SPANS[0]]:
        return None
    # The hour before the ten minutes.
    rate = recent[pk][70] / 6
    return rate if chance(0, rate * DECAY * factor) < CHANCE else None


def _shops(now: datetime) -> list[_Shop]:
    """Return the active shops whose platform is read or pushes, with where they are judged up to. Three queries."""
    wanted = [shop for shop in Shop.objects.filter(is_active=True).order_by("code") if _flows_by_itself(shop)]
    cursors = dict(ShopSync.objects.filter(shop__in=wanted).values_list("shop_id", "cursor"))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id,
                (SELECT o.created_at FROM orderhub_order o WHERE o.shop_id = s.id ORDER BY o.created_at, o.id LIMIT 1),
                (SELECT o.created_at FROM orderhub_order o WHERE o.shop_id = s.id
                 ORDER BY o.created_at DESC, o.id DESC LIMIT 1)
            FROM unnest(%s::bigint[]) AS s(id)
            """,
            [[shop.pk for shop in wanted]],
        )
        ends = {pk: (first, last) for pk, first, last in cursor.fetchall()}
    settled = now - SETTLED
    return [_Shop(shop, min(cursors.get(shop.pk) or settled, settled), *ends[shop.pk]) for shop in wanted]


def _flows_by_itself(shop: Shop) -> bool:
    connector = abilities_of(shop.platform)
    return connector.pulls or connector.pushes


def _expected(shops: Sequence[_Shop], minutes: int) -> Counts:
    """Return expected and seen of the shops that have at least a day behind them. One query."""
    found: dict[int, tuple[float, int]] = {}
    backs = sorted({0, *DAYS, *WEEKS})
    counted = _counted(shops, minutes, backs)
    for each in shops:
        if each.first is None:
            continue
        span = timedelta(minutes=minutes)
        known = {back for back in backs if each.until - timedelta(days=back) - span >= each.first}
        days = [counted[each.shop.pk, back] for back in DAYS if back in known]
        if not days:
            continue
        weeks = [counted[each.shop.pk, back] for back in WEEKS if back in known]
        usual = min(days) if len(days) < 3 else median(days)
        found[each.shop.pk] = (
            min(usual, median(weeks)) if len(weeks) > 1 else usual, counted[each.shop.pk, 0]
        )  # fmt: skip
    return found


def _recent(shops: Sequence[_Shop]) -> dict[int, dict[int, int]]:
    """Return how many orders each shop had within the last so many minutes, by shop and minutes. One query."""
    lengths = sorted({*SPANS, 70})
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id, m.minutes, (SELECT count(*) FROM orderhub_order o WHERE o.shop_id = s.id
                AND o.created_at >= s.until - make_interval(mins => m.minutes) AND o.created_at < s.until)
            FROM unnest(%s::bigint[], %s::timestamptz[]) AS s(id, until) CROSS JOIN unnest(%s::int[]) AS m(minutes)
            """,
            [[each.shop.pk for each in shops], [each.until for each in shops], lengths],
        )
        found: dict[int, dict[int, int]] = {}
        for pk, minutes, count in cursor.fetchall():
            found.setdefault(pk, {})[minutes] = count
    return found


def _counted(shops: Sequence[_Shop], minutes: int, backs: Sequence[int]) -> dict[tuple[int, int], int]:
    """Return the orders of the same span of minutes, so many days back, by shop and days. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id, d.back, (SELECT count(*) FROM orderhub_order o WHERE o.shop_id = s.id
                AND o.created_at >= s.until - make_interval(days => d.back, mins => %s)
                AND o.created_at < s.until - make_interval(days => d.back))
            FROM unnest(%s::bigint[], %s::timestamptz[]) AS s(id, until) CROSS JOIN unnest(%s::int[]) AS d(back)
            """,
            [minutes, [each.shop.pk for each in shops], [each.until for each in shops], list(backs)],
        )
        return {(pk, back): count for pk, back, count in cursor.fetchall()}


def _held(shops: Sequence[_Shop]) -> set[int]:
    """Return the shops whose orders wait outside the pool, or would."""
    gates = gate_overview()
    if not gates.of_all.is_open:
        return {each.shop.pk for each in shops}
    return {gate.shop_id for gate in gates.shops if gate.waiting or not gate.counts.is_open}
