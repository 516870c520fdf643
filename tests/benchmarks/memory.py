"""Memory of one worker over a long import: flat after the first 20,000 orders."""

import resource
from collections.abc import Callable, Iterable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from django.db import connections

from orderhub.models import Shop
from tests.benchmarks.data import SHOP, bench_shop, bodies, import_all
from tests.benchmarks.intake import _empty as empty

TOTAL = 200_000
STEP = 20_000


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def _import(out: Connection) -> None:
    shop = Shop.objects.select_related("warehouse").get(code=SHOP)
    for start in range(0, TOTAL, STEP):
        import_all(shop, (body for at in range(start, start + STEP, 500) for body in bodies(70_000_000 + at, 500)))
        out.send(_resident_megabytes())
    out.close()


def worker_memory() -> Iterable[dict[str, Any]]:
    """Resident memory after each 20,000 of 200,000 orders, in a process of its own."""
    bench_shop()
    empty()
    connections.close_all()
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    worker = context.Process(target=_import, args=(there,))
    worker.start()
    there.close()
    seen = [here.recv() for _ in range(TOTAL // STEP)]
    worker.join()
    empty()
    growth = max(seen[1:]) / seen[0] - 1
    yield {
        "name": "worker memory over 200,000 orders", "value": round(max(seen)), "unit": "MB",
        "reference": f"{seen[0]:.0f} MB after the first 20,000", "ratio": round(1 + growth, 3), "target": "≤ 1.10",
        "met": growth <= 0.10,
    }  # fmt: skip


BENCHMARKS: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {"memory": worker_memory}
