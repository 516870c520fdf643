"""Figures of the running hub, read from the tables: any process tells the same, and none is lost with a worker."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.db import connection

from orderhub.core.effects import effect_handlers
from orderhub.core.registry import Registry
from orderhub.core.words import GateState
from orderhub.selectors.gate import gate_overview

RECENT_CAP = 200_000
"""Orders of the last day that are counted; a day of the field's worst surge has 50,000."""


AGES = "Age of the oldest of them (effects that are pending or sent just now: overdue by; dead ones: since they are)."


@dataclass(slots=True, frozen=True)
class Figure:
    """One measured quantity: label values and the figure for each."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    samples: Sequence[tuple[tuple[str, ...], float]] = ()


Source = Callable[[], Iterable[Figure]]
figure_sources: Registry[Source] = Registry("figure source")
"""Features add theirs with `figure_sources.add("sync", function)`: a constant number of quick queries."""


def figures() -> list[Figure]:
    """Return all figures: the pool's own and the features'."""
    return [figure for source in figure_sources.values() for figure in source()]


@figure_sources.register("orders")
def order_figures() -> Iterable[Figure]:
    """Orders received in the last 24 hours by status, lane, the worst lane that they were ever in, and urgency."""
    sql = """
        SELECT status, lane, worst, is_urgent::text, count(*) FROM (
            SELECT status, lane, coalesce(nullif(worst_lane, ''), lane) AS worst, is_urgent FROM orderhub_order
            WHERE received_at > now() - interval '24 hours' LIMIT %s) recent
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""
    with connection.cursor() as cursor:
        cursor.execute(sql, [RECENT_CAP])
        samples = [
            ((status, lane or "none", worst or "none", urgent), float(n))
            for status, lane, worst, urgent, n in cursor.fetchall()
        ]
    labels = ("status", "lane", "worst_lane", "urgent")
    yield Figure("hub_orders_24h", "Orders received in the last 24 hours.", labels, samples)


@figure_sources.register("queues")
def queue_figures() -> Iterable[Figure]:
    """Inbox, outbox, rejects and warehouse reports: how many wait, and since when the oldest does. Only partial indexes
    are read. Effects that no handler carries out wait for a later version, not for a worker, and count nothing."""
    sql = """
        SELECT 'inbox', state, count(*), extract(epoch FROM now() - min(received_at))
        FROM orderhub_inboxitem WHERE state IN ('new', 'working') GROUP BY state
        UNION ALL
        SELECT 'inbox', 'dead', count(*), extract(epoch FROM now() - min(received_at))
        FROM orderhub_inboxitem WHERE state = 'dead' AND received_at > now() - interval '7 days'
        UNION ALL
        SELECT 'outbox', 'pending', count(*), greatest(extract(epoch FROM now() - min(due_at)), 0)
        FROM orderhub_effect WHERE state = 'pending' AND kind = ANY(%s) AND due_at <= now()
        UNION ALL
        SELECT 'outbox', 'sending', count(*), greatest(extract(epoch FROM now() - min(due_at)), 0)
        FROM orderhub_effect WHERE state = 'sending'
        UNION ALL
        SELECT 'outbox', 'dead', count(*), extract(epoch FROM now() - min(coalesce(finished_at, created_at)))
        FROM orderhub_effect WHERE state = 'dead'
        UNION ALL
        SELECT 'reports', state, count(*), extract(epoch FROM now() - min(received_at))
        FROM orderhub_warehousereport WHERE state IN ('new', 'working') GROUP BY state
        UNION ALL
        SELECT 'reports', 'dead', count(*), extract(epoch FROM now() - min(received_at))
        FROM orderhub_warehousereport WHERE state = 'dead' AND received_at > now() - interval '7 days'
        UNION ALL
        SELECT 'rejects', 'open', count(*), extract(epoch FROM now() - min(created_at))
        FROM orderhub_reject WHERE state = 'open'"""
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(effect_handlers)])
        rows = cursor.fetchall()
    labels = ("queue", "state")
    counts = [((queue, state), float(n)) for queue, state, n, _age in rows]
    ages = [((queue, state), float(age)) for queue, state, _n, age in rows if age is not None]
    yield Figure(
        "hub_queue_items", "Rows that wait, by queue and state; of pending effects those that are due.", labels, counts
    )
    yield Figure("hub_queue_oldest_seconds", AGES, labels, ages)


@figure_sources.register("gate")
def gate_figures() -> Iterable[Figure]:
    """The intake gate of all and of shops that have one of their own, and what waits before it."""
    overview = gate_overview()
    gates = [("", overview.of_all), *((shop.code, shop.own) for shop in overview.shops)]
    states = [((code, state), float(view.state == state)) for code, view in gates for state in GateState.values]
    waiting = [((shop.code,), float(shop.waiting)) for shop in overview.shops]
    late = [
        ((shop.code,), (overview.at - shop.oldest).total_seconds())
        for shop in overview.shops
        if shop.oldest is not None
    ]
    yield Figure(
        "hub_gate_state", "1 for the state of the gate; an empty shop is the gate of all.", ("shop", "state"), states
    )
    yield Figure("hub_gate_waiting_orders", "Orders that wait before the gate.", ("shop",), waiting)
    text = "By how much the first of them is over its ship deadline; negative: still to go."
    yield Figure("hub_gate_overdue_seconds", text, ("shop",), late)


@figure_sources.register("jobs")
def job_figures() -> Iterable[Figure]:
    """Heartbeats: age, whether the last run succeeded, how long it took."""
    sql = """
        SELECT name, extract(epoch FROM now() - beat_at), is_ok::int, took_ms / 1000.0
        FROM orderhub_jobheartbeat ORDER BY name"""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows = cursor.fetchall()
    for place, (name, text) in enumerate(
        [
            ("hub_job_heartbeat_age_seconds", "Seconds since the job last ran."),
            ("hub_job_ok", "1 when its last run succeeded."),
            ("hub_job_took_seconds", "How long its last run took."),
        ],
        start=1,
    ):
        yield Figure(name, text, ("job",), [((row[0],), float(row[place])) for row in rows])
