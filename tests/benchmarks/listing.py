"""The console's order list: database time of one page against one `count(*)`, and how it grows with the pool."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from statistics import median
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from orderhub.models import Order
from orderhub.services.roles import sync_roles
from tests.benchmarks.data import Quiet

PAGE = "/ops/orderhub/order/"
TURNS = 15
SEEN: dict[int, float] = {}
"""Database milliseconds of a page by the number of orders in the pool when it was measured."""


def _client() -> Client:
    sync_roles()
    user, _ = User.objects.get_or_create(username="bench-boss", defaults={"is_staff": True, "is_superuser": True})
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def _timed(spent: list[float], execute: Callable[..., Any], *told: Any) -> Any:
    """Run one query and note its seconds; what Django captures tells whole milliseconds only."""
    started = time.perf_counter()
    try:
        return execute(*told)
    finally:
        spent.append(time.perf_counter() - started)


def measure() -> tuple[float, float, int]:
    """Return (database ms, whole ms, queries) of the first page, medians over warm turns; remembered in SEEN."""
    client = _client()
    database, whole, queries = [], [], 0
    for turn in range(TURNS + 2):
        spent: list[float] = []
        started = time.perf_counter()
        with Quiet(), connection.execute_wrapper(partial(_timed, spent)):
            answer = client.get(PAGE)
        took = 1000 * (time.perf_counter() - started)
        assert answer.status_code == 200
        if turn >= 2:
            database.append(1000 * sum(spent))
            whole.append(took)
            queries = len(spent)
    SEEN[Order.objects.count()] = median(database)
    return median(database), median(whole), queries


def _count_ms() -> float:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM orderhub_order")
            cursor.fetchone()
        times.append(1000 * (time.perf_counter() - started))
    return median(times)


def order_list() -> Iterable[dict[str, Any]]:
    """One page of the order list at the size the pool has now."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE orderhub_order")
    database, whole, queries = measure()
    count = _count_ms()
    held = max(SEEN)
    yield {
        "name": f"console order list, {held:,} orders", "value": round(database, 2), "unit": "ms in the database",
        "reference": f"count(*) {count:.1f} ms; {queries} queries, {whole:.0f} ms in all",
        "ratio": round(database / count, 3), "target": "≤ 0.10", "met": database / count <= 0.10,
    }  # fmt: skip
    smaller = min(SEEN)
    if smaller < held:
        ratio = SEEN[held] / SEEN[smaller]
        yield {
            "name": f"the same page at {held / smaller:.1f} × the orders", "value": round(ratio, 2), "unit": "×",
            "reference": f"{SEEN[smaller]:.2f} ms at {smaller:,} orders", "ratio": round(ratio, 2), "target": "≤ 1.3",
            "met": ratio <= 1.3,
        }  # fmt: skip


BENCHMARKS: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {"listing": order_list}
