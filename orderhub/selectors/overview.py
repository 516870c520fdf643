"""The figures of the dashboard: a few set-wise, bounded reads, whatever the number of orders."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.utils import timezone

from orderhub.core.words import LANE_RANK, Lane

URGENT = "urgent"
"""Key of the overlay in counts by lane: it stands beside the lanes, an urgent order counts in its lane too."""
HOURS = 24
COUNT_CAP = 10_000
MANUAL = (Lane.TO_CONFIRM, Lane.ABNORMAL)


class ShopName(NamedTuple):
    """What a shop is called; several may share a name, as one brand does on several platforms."""

    code: str
    name: str
    platform: str


@dataclass(slots=True)
class Traffic:
    """Orders of the last 24 hours by hour, shop and lane, by the time they were placed."""

    hours: list[datetime]
    by_shop: dict[int, list[int]]
    shops: dict[int, ShopName] = field(default_factory=dict)
    this_hour: int = 0
    by_lane: Counter[str] = field(default_factory=Counter)
    """Orders of this hour by lane, empty for those not judged yet, and `URGENT` beside them."""
    judged: int = 0
    """By the worst lane that each order was ever in, as the figures below: what people let go was work all the same."""
    manual: int = 0
    judged_60: int = 0
    abnormal_60: int = 0

    @property
    def per_hour(self) -> list[int]:
        """Orders of each hour, all shops."""
        return [sum(column) for column in zip(*self.by_shop.values(), strict=True)] or [0] * len(self.hours)

    @property
    def manual_share(self) -> float | None:
        """Part of the judged orders of 24 hours that people had or have to handle; None without any."""
        return self.manual / self.judged if self.judged else None

    @property
    def abnormal_share(self) -> float | None:
        """Part of the judged orders of the last 60 minutes that are or were abnormal; None without any."""
        return self.abnormal_60 / self.judged_60 if self.judged_60 else None


def traffic(now: datetime | None = None) -> Traffic:
    """Return the orders of the last 24 hours, the current hour included."""
    now = now or timezone.now()
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]
    place = {hour: index for index, hour in enumerate(hours)}
    result = Traffic(hours, defaultdict(lambda: [0] * HOURS))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id, s.code, s.name, s.platform, o.hour, o.lane, o.worst_lane, o.is_urgent, o.is_recent, o.orders
            FROM (
                SELECT shop_id, date_trunc('hour', created_at, 'UTC') AS hour, lane, worst_lane, is_urgent,
                    created_at >= %s AS is_recent, count(*) AS orders
                FROM orderhub_order WHERE created_at >= %s AND created_at < %s GROUP BY 1, 2, 3, 4, 5, 6) o
            JOIN orderhub_shop s ON s.id = o.shop_id ORDER BY s.id
            """,
            [now - timedelta(hours=1), hours[0], this_hour + timedelta(hours=1)],
        )
        for shop, *names, hour, lane, worst, is_urgent, is_recent, orders in cursor.fetchall():
            result.shops[shop] = ShopName(*names)
            result.by_shop[shop][place[hour]] += orders
            if hour == this_hour:
                _count_now(result, lane, orders, is_urgent=is_urgent)
            _count_judged(result, max(lane, worst, key=LANE_RANK.__getitem__), orders, is_recent=is_recent)
    result.by_shop = dict(result.by_shop)
    return result


def _count_now(result: Traffic, lane: str, orders: int, *, is_urgent: bool) -> None:
    result.this_hour += orders
    result.by_lane[lane] += orders
    if is_urgent:
        result.by_lane[URGENT] += orders


def _count_judged(result: Traffic, lane: str, orders: int, *, is_recent: bool) -> None:
    if not lane:
        return
    result.judged += orders
    result.manual += orders if lane in MANUAL else 0
    if is_recent:
        result.judged_60 += orders
        result.abnormal_60 += orders if lane == Lane.ABNORMAL else 0


@dataclass(slots=True)
class Queue:
    """One queue: how many wait (at most 10,001 are counted), since when, how many of those are over their time."""

    waiting: int = 0
    oldest: datetime | None = None
    overdue: int = 0

    @property
    def is_capped(self) -> bool:
        """True when more wait than were counted: at least `overdue` are over their time then."""
        return self.waiting > COUNT_CAP


@dataclass(slots=True)
class Queues:
    """Everything that waits, by the key of its queue."""

    items: dict[str, Queue] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Queue:
        return self.items[key]


_OPEN = "status IN ('paid', 'in_triage_hold', 'ready', 'short', 'wms_failed')"
_HELD = "status = 'in_triage_hold' AND lane || '' ="
"""The lane is hidden from the planner: its index leads through all orders that were let go long ago."""
_QUEUES: dict[str, tuple[str, str, str, str]] = {
    "regular": ("orderhub_order", f"lane = 'regular' AND {_OPEN}", "created_at", "ship_by < now()"),
    "confirm": (
        "orderhub_order", f"{_HELD} 'to_confirm'", "created_at", "held_since < %(confirm_before)s",
    ),
    "abnormal": ("orderhub_order", f"{_HELD} 'abnormal'", "created_at", "ship_by < now()"),
    "urgent": ("orderhub_order", f"is_urgent AND {_OPEN}", "created_at", "ship_by < now()"),
    "short": ("orderhub_order", "status = 'short'", "created_at", "ship_by < now()"),
    "drift": ("orderhub_order", "has_drift", "created_at", "false"),
    "push": (
        "orderhub_effect", "kind = 'wms_push' AND state = 'pending'", "due_at", "due_at < now() - interval '5 min'",
    ),
    "dead": ("orderhub_effect", "state = 'dead'", "created_at", "true"),
    "rejects": ("orderhub_reject", "state = 'open'", "created_at", "false"),
    "inbox": (
        "orderhub_inboxitem", "state IN ('new', 'working')", "received_at", "received_at < now() - interval '5 min'",
    ),
}  # fmt: skip
"""By key: table, condition (each served by an index), since when a row waits, when it is over its time."""

ORDER_QUEUES = ("regular", "confirm", "abnormal", "urgent", "short", "drift")
_ADDED: dict[str, tuple[str, str, str, str]] = {}


def add_queue(key: str, table: str, condition: str, since: str) -> None:
    """Add a feature's queue; `condition` and `since` are constant SQL, served by an index. It is counted where it is
    asked for by name."""
    _ADDED[key] = (table, condition, since, "false")


def queues(keys: tuple[str, ...] = tuple(_QUEUES)) -> Queues:
    """Return the named queues in one statement; each counts at most `COUNT_CAP` + 1 rows.

    The rows are not sorted: an order would lure the planner onto the index of the order, through rows long done. The
    oldest of those that were not counted to the end are read by a second statement.
    """
    parts = [
        f"(SELECT '{key}', count(*), min(since), count(*) FILTER (WHERE is_late) FROM"  # noqa: S608  (constants only)
        f" (SELECT {since} AS since, ({late}) AS is_late FROM {table} WHERE {condition} LIMIT %(cap)s) q)"
        for key, (table, condition, since, late) in (_QUEUES | _ADDED).items()
        if key in keys
    ]
    confirm_before = timezone.now() - timedelta(minutes=settings.HUB_CONFIRM_MINUTES)
    values: dict[str, int | datetime] = {"cap": COUNT_CAP + 1, "confirm_before": confirm_before}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        found = {key: Queue(waiting, oldest, late or 0) for key, waiting, oldest, late in cursor.fetchall()}
        capped = [key for key, queue in found.items() if queue.is_capped]
        if capped:
            cursor.execute(" UNION ALL ".join(oldest_sql(key) for key in capped), values)
            for key, oldest, is_late in cursor.fetchall():
                found[key].oldest, found[key].overdue = oldest, max(found[key].overdue, int(is_late or 0))
    return Queues(found)


def oldest_sql(key: str) -> str:
    """Return the statement that reads since when the first row of a queue waits, and whether it is over its time: the
    first one of the queue's index."""
    table, condition, since, late = (_QUEUES | _ADDED)[key]
    return f"(SELECT '{key}', {since}, ({late}) FROM {table} WHERE {condition} ORDER BY {since} LIMIT 1)"  # noqa: S608


def most_pressing(limit: int = 8) -> list[dict[str, Any]]:
    """Return the held orders with the least time left: the inner clock of the to-confirm lane, else the ship deadline.

    Looked for among the 500 oldest held orders.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT h.id, h.external_no, s.name AS shop, h.lane, h.is_urgent, h.total_fen, h.due FROM (
                SELECT id, external_no, shop_id, lane, is_urgent, total_fen, CASE WHEN lane = 'to_confirm'
                    THEN least(held_since + make_interval(mins => %s), ship_by) ELSE ship_by END AS due
                FROM orderhub_order WHERE status = 'in_triage_hold' ORDER BY created_at LIMIT 500) h
            JOIN orderhub_shop s ON s.id = h.shop_id ORDER BY h.due NULLS LAST, h.id LIMIT %s
            """,
            [settings.HUB_CONFIRM_MINUTES, limit],
        )
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
