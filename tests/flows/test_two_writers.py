"""Several processes over the same orders: nothing lost, nothing doubled, no deadlock."""

import os
import signal
import time
from multiprocessing import get_context
from random import Random

import orjson
import pytest
from django.db import connection, connections
from django.db.models import Sum

from orderhub.deliveries import drain_inbox, process
from orderhub.models import Effect, InboxItem, Order, OrderLine, StockLevel, TimelineEntry
from orderhub.services.inbox import receive
from tests.drafts import draft, line
from tests.factories import make_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)
SKUS = [f"S{number}" for number in range(6)]


@pytest.fixture
def shop():
    load_defaults()
    for sku in SKUS:
        StockLevel.objects.create(sku=sku, warehouse="HZ", on_hand=120)
    return make_shop("flagship")


def rows(count, seed):
    """Orders in random order, so that two writers meet at every key."""
    chance = Random(seed)
    made = [
        draft(f"T{n:04d}", lines=[line(line_no=str(i), sku=SKUS[(n + i) % 6], quantity=1 + n % 2) for i in range(2)])
        for n in range(count)
    ]
    chance.shuffle(made)
    return made


def stored(shop, count, seed, size=50):
    made = rows(count, seed)
    parts = [orjson.dumps(made[i : i + size]) for i in range(0, count, size)]
    return [
        receive(shop=shop, source="push", reader="draft", delivery_key=f"{seed}:{i}", body=part).pk
        for i, part in enumerate(parts)
    ]


def in_process(work, *args):
    connections.close_all()
    process = get_context("fork").Process(target=work, args=args)
    process.start()
    return process


def take(item_ids):
    for item_id in item_ids:
        process(item_id)


def drain_slowly():
    while drain_inbox(1, min_age_seconds=0):
        pass


def kill(writer):
    """Kill a process and wait until its session is gone, too: the server still ends the statement it is at."""
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(10)
    deadline = time.monotonic() + 30
    while sessions():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sessions():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


def check_books(count):
    """The pool's books agree with each other to the piece."""
    assert Order.objects.count() == count
    assert OrderLine.objects.count() == 2 * count
    assert TimelineEntry.objects.filter(kind="intake").count() == count
    ready = set(Order.objects.filter(status="ready").values_list("pk", flat=True))
    assert set(Effect.objects.filter(kind="wms_push").values_list("order_id", flat=True)) == ready
    held = dict(OrderLine.objects.values_list("sku").annotate(Sum("reserved")))
    for level in StockLevel.objects.all():
        assert level.reserved == held[level.sku] <= level.on_hand
    wanted = sum(line["quantity"] for row in rows(count, 0) for line in row["lines"])
    totals = OrderLine.objects.aggregate(got=Sum("reserved"), short=Sum("short"))
    assert totals["got"] + totals["short"] == wanted
    assert totals["got"] == min(wanted, 6 * 120)


def test_two_writers_of_the_same_orders_leave_each_once(shop):
    shares = [stored(shop, 600, seed) for seed in (1, 2)]
    writers = [in_process(take, share) for share in shares]
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    check_books(600)


def test_a_writer_killed_in_the_middle_loses_and_doubles_nothing(shop):
    stored(shop, 600, 1, size=25)
    writer = in_process(drain_slowly)
    while not 50 <= Order.objects.count() < 600:
        time.sleep(0.005)
    kill(writer)
    left = Order.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orderhub_inboxitem SET leased_until = now() - interval '1 s' WHERE state = 'working'")
    drain_slowly()
    assert left < 600
    check_books(600)
    assert set(InboxItem.objects.values_list("state", flat=True)) == {"done"}
