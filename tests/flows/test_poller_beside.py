"""Two intakes and the poller at once over the same orders of one shop; one of the three dies in the middle."""

import os
import signal
import time
from datetime import timedelta
from multiprocessing import get_context

import pytest
from django.db import connection, connections
from django.db.models import Sum
from django.utils import timezone

from channels_sync.connectors import http
from channels_sync.connectors.base import Window, connectors
from channels_sync.models import Difference, ShopSync, SyncRun
from channels_sync.sandbox import catalogue
from channels_sync.services import reconcile
from channels_sync.services.access import shop_access
from orderhub.deliveries import drain_inbox
from orderhub.models import Effect, InboxItem, Order, OrderLine, StockLevel, TimelineEntry
from orderhub.pipeline import drain_outbox
from orderhub.pulls import pull_shop
from orderhub.selectors.books import differences
from orderhub.services import inbox, stock
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)
FORK = get_context("fork")
ORDERS, ON_HAND = 120, 8
DRAIN, OTHER_DRAIN, POLLER = range(3)
AHEAD = {DRAIN: 6, OTHER_DRAIN: 6, POLLER: 1}
"""Deliveries that each takes in before the one that dies halts."""
PATIENCE = 60
IN_TRANSACTION, COMMITTED = (stock, "book"), (inbox, "close")
"""Where one dies: its batch is written, its locks are held; its batch is in the pool, its delivery is not closed."""


@pytest.fixture
def shop(taobao_shop):
    """Small pages, and so few pieces that the orders compete for them."""
    load_defaults()
    StockLevel.objects.bulk_create(
        StockLevel(sku=sku, warehouse="WH01", on_hand=ON_HAND) for sku in catalogue.by_sku()
    )  # fmt: skip
    taobao_shop.settings = {**taobao_shop.settings, "page_size": 20, "detail_workers": 2}
    taobao_shop.save()
    return taobao_shop


@pytest.fixture
def numbers(platform, shop):
    """Orders that wait three times: as pages of a poller that died, a third with a newer version, and as pushes."""
    made = platform.live.make(ORDERS)
    end = timezone.now()
    for page in connectors.get("taobao").pull(shop_access(shop), Window(end - timedelta(minutes=30), end)):
        inbox.receive(shop=shop, source="poll", reader=page.reader, delivery_key=page.delivery_key, body=page.body)
    InboxItem.objects.update(received_at=end - timedelta(minutes=1))
    platform.now.forward()
    for number in made[::3]:
        platform.live.change(number, "note")
    inbox.receive_pushes(shop=shop, events=[(f"push:{number}", b"", "", [number], "") for number in made])
    return made


def drain():
    while drain_inbox(1):
        pass


class Crew:
    """Three processes. Each takes a delivery in, then `victim` halts at `place` in its next one until it is killed;
    the others go on as far as AHEAD until it halts, so that something is left for everybody."""

    def __init__(self, shop, victim, place):
        self.victim, self.place = victim, place
        self.taken = [FORK.Value("i", 0) for _ in range(3)]
        self.begun, self.halted = FORK.Barrier(3), FORK.Event()
        connections.close_all()
        works = [(drain,), (drain,), (pull_shop, shop.pk)]
        self.processes = [FORK.Process(target=self.work, args=(me, *work)) for me, work in enumerate(works)]
        for process in self.processes:
            process.start()

    def work(self, me, job, *args):
        http._client.cache_clear()
        self.keep_step(me)
        if me == self.victim:
            self.halt_at(*self.place)
        job(*args)

    def keep_step(self, me):
        close = inbox.close

        def closing(taken_in):
            close(taken_in)
            self.taken[me].value += 1
            if self.taken[me].value == 1:
                self.begun.wait(PATIENCE)
            if self.taken[me].value == AHEAD[me] and me != self.victim:
                self.halted.wait(PATIENCE)

        inbox.close = closing

    def halt_at(self, module, name):
        step = getattr(module, name)

        def halting(*args):
            if module is stock:
                step(*args)
            if self.taken[self.victim].value:
                self.halted.set()
                time.sleep(PATIENCE)
            if module is not stock:
                step(*args)

        setattr(module, name, halting)

    def kill(self):
        """Kill the victim where it halts, while the others are at work; return once those came to their end."""
        try:
            assert self.halted.wait(PATIENCE)
            assert min(taken.value for taken in self.taken) > 0
            assert all(process.is_alive() for process in self.processes)
            os.kill(self.processes[self.victim].pid, signal.SIGKILL)
            for process in self.processes:
                process.join(PATIENCE)
            codes = [process.exitcode for process in self.processes]
            assert codes == [-signal.SIGKILL if me == self.victim else 0 for me in range(3)]
        finally:
            for process in self.processes:
                process.kill()
                process.join()


def let_leases_run_out():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orderhub_inboxitem SET leased_until = now() - interval '1 s' WHERE state = 'working'")
        cursor.execute("UPDATE orderhub_lease SET until = now() - interval '1 s' WHERE until IS NOT NULL")


def check_books(numbers):
    """Orders, pieces and effects to the piece."""
    assert sorted(Order.objects.values_list("external_no", flat=True)) == sorted(numbers)
    assert TimelineEntry.objects.filter(kind="intake").count() == ORDERS
    ready = Order.objects.filter(status="ready").values_list("pk", flat=True)
    pushed = Effect.objects.filter(kind="wms_push", order__status="ready").values_list("order_id", flat=True)
    assert sorted(pushed) == sorted(ready) != []
    lines = {sku: sums for sku, *sums in OrderLine.objects.values_list("sku").annotate(Sum("reserved"), Sum("short"))}
    for level in StockLevel.objects.all():
        reserved, short = lines.get(level.sku, (0, 0))
        assert level.reserved == reserved
        assert reserved == ON_HAND if short else reserved <= ON_HAND
    assert any(short for _reserved, short in lines.values())
    assert differences() == []


def check_channel(shop):
    """The hub has what the platform has."""
    end = timezone.now()
    job = reconcile.start(shop_id=shop.pk, start=end - timedelta(hours=2), end=end, actor="test")
    reconcile.run_to_the_end(job)
    assert list(Difference.objects.values_list("external_no", "field", "pool_value", "platform_value")) == []
    assert (job.state, job.equal) == ("done", ORDERS)


def check_warehouse(platform):
    """Each regular order reached it once; the push of one that a newer version made irregular came to nothing."""
    ready = set(Order.objects.filter(status="ready").values_list("external_no", flat=True))
    Effect.objects.update(due_at=timezone.now())
    while drain_outbox().total:
        pass
    told = {row["code"]: row["times"] for row in platform.store.query("SELECT code, times FROM deliveries")}
    assert told == {f"tb-{number}": 1 for number in ready}
    pushes = Effect.objects.filter(kind="wms_push").exclude(state="cancelled")
    assert sorted(pushes.values_list("order__external_no", "state")) == [(number, "done") for number in sorted(ready)]


@pytest.mark.parametrize("place", [IN_TRANSACTION, COMMITTED], ids=["in_transaction", "committed"])
@pytest.mark.parametrize("victim", [DRAIN, POLLER], ids=["drain", "poller"])
def test_one_of_three_at_the_same_orders_dies_and_nothing_is_lost_or_doubled(platform, shop, numbers, victim, place):
    Crew(shop, victim, place).kill()
    left = InboxItem.objects.exclude(state="done")
    # A push is two while its order is taken in: itself, and the page that was fetched for it.
    assert set(left.values_list("state", "attempts")) == {("working", 1)}
    assert left.count() <= 2
    cursor = ShopSync.objects.get().cursor
    let_leases_run_out()
    drain()
    pull_shop(shop.pk)
    assert not InboxItem.objects.exclude(state="done").exists()
    runs = list(SyncRun.objects.order_by("pk").values_list("state", flat=True))
    assert runs == ["abandoned" if victim == POLLER else "done", "done"]
    assert (cursor is None) == (victim == POLLER)
    check_books(numbers)
    check_channel(shop)
    check_warehouse(platform)
