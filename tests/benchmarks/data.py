"""Orders for benchmarks: believable deliveries, and a pool filled to a given size through the real pipeline."""

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import cycle, islice
from multiprocessing import get_context
from typing import Any

import orjson
from django.db import connection, connections

from channels_sync.sandbox.catalogue import stock_rows
from channels_sync.sandbox.stream import generate
from orderhub.models import Order, Shop
from orderhub.services.in_flight import in_flight
from orderhub.services.stock import import_levels, read_level
from triage.services import set_campaign_prices

BATCH = 500
SHOP = "bench"
BASE = datetime(2026, 1, 1, tzinfo=UTC)
"""When the first order was placed; ten years of order numbers lie before the campaign ends."""


def bench_shop() -> Shop:
    """Return the shop of the benchmarks, with ample stock and campaign prices of the sandbox's catalogue."""
    shop, made = Shop.objects.get_or_create(code=SHOP, defaults={"name": SHOP, "platform": "file"})
    if made:
        articles = list(stock_rows("HZ"))
        import_levels(rows=[read_level({**row, "on_hand": 2_000_000_000}) for row in articles], actor="bench")
        always = {"starts_at": BASE - timedelta(days=1), "ends_at": BASE + timedelta(days=3650)}
        set_campaign_prices(
            rows=[{"sku": row["sku"], "price_fen": row["campaign_price_fen"], **always} for row in articles],
            actor="bench",
        )
    return shop


@lru_cache(maxsize=2)
def templates(count: int = 20_000) -> list[dict[str, Any]]:
    """Return generated draft rows that `bodies` renumbers; made once, as only their number and time must differ."""
    return [order.draft for order in generate(count, seed=5, profile="mini")]


def bodies(start: int, count: int, batch: int = BATCH) -> list[bytes]:
    """Return `count` orders numbered from `start` as deliveries of `batch` orders each, as JSON bytes.

    Buyers, receivers, phones and IPs vary with the number, so that indexes grow as they do in life.
    """
    rows: list[dict[str, Any]] = []
    first = start % len(templates())
    for number, row in enumerate(islice(cycle(templates()), first, first + count), start):
        moment = (BASE + timedelta(milliseconds=number * 900)).isoformat()
        turn = number // len(templates())
        buyer = dict(row["buyer"])
        buyer["id"] = f"{buyer.get('id', 'b')}-{turn}"
        if buyer.get("ip"):
            buyer["ip"] = f"{buyer['ip'].rsplit('.', 2)[0]}.{turn % 250}.{number % 250}"
        receiver = dict(row["receiver"])
        phone = receiver.get("phone", "")
        if turn and len(phone) == 11 and phone.isdigit():
            receiver["phone"] = phone[:3] + f"{(int(phone[3:]) + turn * 7919) % 10**8:08d}"
        rows.append(
            {**row, "external_no": f"B{number:012d}", "created_at": moment, "modified_at": moment, "buyer": buyer,
             "receiver": receiver, "paid_at": moment if row.get("paid_at") else None}
        )  # fmt: skip
    return [orjson.dumps(rows[i : i + batch]) for i in range(0, len(rows), batch)]


class Quiet:
    """Sends log lines to /dev/null, formatted as always."""

    def __enter__(self) -> None:
        self.handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
        self.streams = [handler.stream for handler in self.handlers]
        self.sink = open(os.devnull, "w")  # noqa: PTH123
        for handler in self.handlers:
            handler.setStream(self.sink)

    def __exit__(self, *_error: object) -> None:
        for handler, stream in zip(self.handlers, self.streams, strict=True):
            handler.setStream(stream)
        self.sink.close()


def take_all(shop: Shop, deliveries: Sequence[bytes]) -> int:
    """Take deliveries in as the pipeline does from bytes on, and return how many orders were new or changed."""
    return sum(map(partial(_take_one, shop), deliveries))


def import_all(shop: Shop, deliveries: Iterable[bytes]) -> int:
    """The same as an import of a file does it: in one process, with two deliveries in flight."""
    return sum(in_flight(partial(_take_one, shop), deliveries))


def _take_one(shop: Shop, body: bytes) -> int:
    from channels_sync import readers
    from orderhub.pipeline import take_in

    rows = readers.read("draft", body, "application/json")
    counts = take_in(shop=shop, rows=rows, source="bench", actor="bench", inbox_id=None).counts()
    return counts["new"] + counts["changed"]


def in_processes(work: Callable[[Any], Any], shares: Sequence[Any]) -> None:
    """Run `work` on each share in a forked process of its own (two writers are two processes); nothing is pickled.

    Raises RuntimeError when one of them fails.
    """
    connections.close_all()
    context = get_context("fork")
    writers = [context.Process(target=work, args=(share,)) for share in shares]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    if any(writer.exitcode for writer in writers):
        raise RuntimeError("a writer failed")


def fill(orders: int) -> None:
    """Fill the pool up to `orders` orders through the pipeline, with two writers."""
    have = Order.objects.count()
    bench_shop()
    step = 20_000
    for start in range(have, orders, step):
        deliveries = bodies(start, min(step, orders - start))
        in_processes(_fill_share, [deliveries[::2], deliveries[1::2]])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _fill_share(deliveries: Sequence[bytes]) -> int:
    return take_all(Shop.objects.get(code=SHOP), deliveries)


def as_ndjson(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield draft rows as lines of an import file."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False)
