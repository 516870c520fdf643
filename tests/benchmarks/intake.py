"""Intake end to end against the raw limit: a plain COPY of the same, ready-made rows into the same tables."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from multiprocessing import Barrier
from statistics import median
from typing import Any

from django.db import connection, connections, transaction

from orderhub.models import Order, Shop
from tests.benchmarks import listing
from tests.benchmarks.data import SHOP, bench_shop, bodies, fill, import_all, in_processes, take_all

BUYERS = "orderhub_buyer"
TABLES = (
    (BUYERS, "id"),
    ("orderhub_order", "id"),
    ("orderhub_orderline", "order_id"),
    ("orderhub_receiver", "order_id"),
    ("orderhub_timelineentry", "order_id"),
    ("triage_finding", "order_id"),
    ("orderhub_effect", "order_id"),
)
PAIRS, AGAIN = 9, 5
SET = 5_000
"""Orders of one measurement: 10 batches of 500."""
MILLION = 1_000_000


class Numbers:
    """Hands out stretches of order numbers that were never used."""

    def __init__(self, start: int) -> None:
        self.next = start

    def deliveries(self, count: int = SET) -> list[bytes]:
        """Return fresh deliveries of `count` orders in all."""
        made = bodies(self.next, count)
        self.next += count
        return made


def ready_made(deliveries: Sequence[bytes]) -> list[list[tuple[str, bytes]]]:
    """Return, per delivery, the COPY text of every table that taking it in writes; the pool is left with them."""
    shop = bench_shop()
    batches = []
    for body in deliveries:
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(id), 0) FROM orderhub_order")
            order_before = cursor.fetchone()[0]
            cursor.execute("SELECT coalesce(max(id), 0) FROM orderhub_buyer")
            buyer_before = cursor.fetchone()[0]
        take_all(shop, [body])
        batches.append([(table, _dump(table, key, buyer_before if table.endswith("buyer") else order_before))
                        for table, key in TABLES])  # fmt: skip
    return batches


def _columns(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [table],
        )
        return str(cursor.fetchone()[0])


def _dump(table: str, key: str, after: int) -> bytes:
    chunks = []
    with connection.cursor() as cursor:
        statement = f"COPY (SELECT {_columns(table)} FROM {table} WHERE {key} > {after} ORDER BY {key}) TO STDOUT"
        with cursor.cursor.copy(statement) as copy:
            chunks = [bytes(chunk) for chunk in copy]
    return b"".join(chunks)


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE orderhub_order, orderhub_buyer CASCADE")
        cursor.execute("UPDATE orderhub_stocklevel SET reserved = 0")


def copy_raw(batches: Sequence[Sequence[tuple[str, bytes]]]) -> None:
    """The limit: one transaction per batch, nothing but COPY of text made before."""
    for batch in batches:
        with transaction.atomic(), connection.cursor() as cursor:
            for table, text in batch:
                with cursor.cursor.copy(f"COPY {table} ({_COLUMNS[table]}) FROM STDIN") as copy:
                    copy.write(text)


_COLUMNS: dict[str, str] = {}


def _copy_together(writers: Any, batches: Sequence[Sequence[tuple[str, bytes]]]) -> None:
    """The limit for several writers. A buyer of one's batch may be in another's: all buyers go in before any order."""
    copy_raw([[part for batch in batches for part in batch if part[0] == BUYERS]])
    writers.wait(timeout=60)
    copy_raw([[part for part in batch if part[0] != BUYERS] for batch in batches])


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _shop() -> Shop:
    return Shop.objects.select_related("warehouse").get(code=SHOP)


def _take_share(deliveries: Sequence[bytes]) -> None:
    take_all(_shop(), deliveries)


def _import_share(deliveries: Sequence[bytes]) -> None:
    import_all(_shop(), deliveries)


def _run(work: Callable[[Any], Any], items: Sequence[Any], writers: int) -> float:
    if writers == 1:
        return _timed(lambda: work(items))
    return _timed(lambda: in_processes(work, [items[i::writers] for i in range(writers)]))


Found = tuple[float, float, float]
"""Ratio ours ÷ raw in orders per second, our orders/s, raw orders/s: medians over alternating runs."""


def _compare(
    numbers: Numbers, sets: list[Any], works: Sequence[Callable[[Any], None]], *, writers: int, clean: bool
) -> list[Found]:
    """Return what was found of each way to take deliveries in."""
    seconds: list[list[float]] = [[] for _ in works]
    raws: list[float] = []
    for ready in sets:
        if clean:
            _empty()
        raws.append(_run(copy_raw if writers == 1 else partial(_copy_together, Barrier(writers)), ready, writers))
        for work, found in zip(works, seconds, strict=True):
            if clean:
                _empty()
            deliveries = numbers.deliveries()
            found.append(_run(work, deliveries, writers))
    return [
        (
            median(raw / mine for raw, mine in zip(raws, found, strict=True)),
            median(SET / mine for mine in found),
            median(SET / raw for raw in raws),
        )
        for found in seconds
    ]


def _lines(
    where: str, numbers: Numbers, sets: list[Any], targets: tuple[float, float], *, clean: bool
) -> Iterable[Any]:
    """A writer is one process. An import of a file keeps two deliveries in flight, a job worker takes one at a time."""
    for writers, ready, target in ((1, sets[:PAIRS], targets[0]), (2, sets[PAIRS:], targets[1])):
        both, alone = _compare(numbers, ready, (_import_share, _take_share), writers=writers, clean=clean)
        name = f"intake, {where}, {writers} writer{'s' * (writers > 1)}"
        yield _line(f"{name}, two deliveries in flight", both, target)
        yield _line(f"{name}, one delivery at a time", alone, target)


def _line(name: str, found: Found, target: float) -> dict[str, Any]:
    ratio, ours, raw = found
    return {
        "name": name, "value": round(ours), "unit": "orders/s", "reference": f"raw COPY {round(raw)} orders/s",
        "ratio": round(ratio, 3), "target": f"≥ {target}", "met": ratio >= target,
    }  # fmt: skip


def intake_empty() -> Iterable[dict[str, Any]]:
    """On an empty pool, one and two writers."""
    numbers, sets = _prepare(2 * PAIRS, apart=True)
    yield from _lines("empty pool", numbers, sets, (0.55, 0.50), clean=True)
    _empty()


def intake_million() -> Iterable[dict[str, Any]]:
    """On a pool of 1,000,000 orders, one and two writers."""
    numbers, sets = _prepare(2 * PAIRS, apart=False)
    target = int(os.environ.get("HUB_BENCH_ORDERS", MILLION))
    started = time.perf_counter()
    fill(target // 4)
    took = time.perf_counter() - started
    listing.measure()
    started = time.perf_counter()
    fill(target)
    took += time.perf_counter() - started
    numbers.next = 2 * MILLION
    yield {
        "name": "filling the pool, 2 writers", "value": round(target / took), "unit": "orders/s",
        "reference": f"{target} orders in {took:.0f} s", "ratio": None, "target": "", "met": None,
    }  # fmt: skip
    held = Order.objects.count()
    yield from _lines(f"{held:,} orders", numbers, sets, (0.65, 0.50), clean=False)


def intake_again() -> Iterable[dict[str, Any]]:
    """Unchanged orders again against their first delivery; no row may be rewritten."""
    bench_shop()
    _empty()
    ratios = []
    for turn in range(AGAIN):
        deliveries = bodies(50_000 + turn * SET, SET)
        first = _run(_take_share, deliveries, 1)
        versions = _versions()
        ratios.append(first / _run(_take_share, deliveries, 1))
        assert _versions() == versions, "a row was rewritten"
    _empty()
    yield {
        "name": "re-import of unchanged orders", "value": round(median(ratios), 2), "unit": "× first import",
        "reference": "first import, no row rewritten", "ratio": round(median(ratios), 2), "target": "≥ 2.5",
        "met": median(ratios) >= 2.5,
    }  # fmt: skip


def _versions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(hashtext(xmin::text || xmax::text || ctid::text)::bigint) FROM orderhub_order")
        return int(cursor.fetchone()[0])


def _prepare(sets: int, *, apart: bool) -> tuple[Numbers, list[Any]]:
    """Make the ready-made COPY text of `sets` measurements on an empty pool; ids and numbers are not used again.

    Sets `apart` bring all their buyers, to be copied into an empty pool each. The others are copied one after the
    other into the same pool, so that each brings only the buyers that the sets before it did not.
    """
    bench_shop()
    _empty()
    numbers = Numbers(5 * MILLION)
    _COLUMNS.update({table: _columns(table) for table, _ in TABLES})
    made = []
    for _ in range(sets):
        made.append(ready_made(numbers.deliveries()))
        if apart:
            _empty()
    _empty()
    connections.close_all()
    return numbers, made


BENCHMARKS: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
    "intake-empty": intake_empty,
    "intake-again": intake_again,
    "intake-million": intake_million,
}
