"""The intake gate under load: several workers, a change in the middle, a killed drain, a channel that goes on."""

import os
import signal
import time
from datetime import timedelta

import orjson
import pytest
from django.db import connection
from django.utils import timezone

from channels_sync.models import ShopSync
from orderhub.backlog import drain_backlog
from orderhub.models import Gate, InboxItem, Order, ParkedOrder, Reject, TimelineEntry
from orderhub.pulls import pull_shop
from orderhub.selectors.books import differences
from orderhub.services.gate import set_gate
from orderhub.services.inbox import receive
from tests.drafts import draft
from tests.factories import make_shop
from tests.flows import test_douyin as douyin
from tests.flows.test_two_writers import check_books, drain_slowly, in_process, kill, rows, stored, take
from tests.flows.test_two_writers import shop as stocked_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)
stocked = stocked_shop
shop, platform = douyin.shop, douyin.platform


def put(state, rate=None, shop=None):
    set_gate(shop_id=shop and shop.pk, state=state, rate_per_minute=rate, reason="stock count", actor="boss")


def free():
    """As if nothing had entered for a long time."""
    Gate.objects.update(paced_until=timezone.now() - timedelta(hours=1))


def drain():
    """Let everything in that waits."""
    while ParkedOrder.objects.exists():
        free()
        drain_backlog()


def drain_in_turns():
    """A worker's share of a drain: it goes on until nothing waits."""
    while ParkedOrder.objects.exists():
        drain_backlog()


@pytest.fixture
def small_batches(settings):
    settings.HUB_BATCH_SIZE = 25
    settings.HUB_BACKLOG_PER_MINUTE = 1_000_000


@pytest.fixture
def waiting(request, small_batches, transactional_db):
    """600 orders that wait before a paused gate, with too little stock for all of them."""
    made = request.getfixturevalue("stocked")
    put("paused")
    take(stored(made, 600, 1))
    assert (Order.objects.count(), ParkedOrder.objects.count()) == (0, 600)
    return made


def test_two_drains_at_once_let_each_order_in_once(waiting):
    put("open")
    free()
    workers = [in_process(drain_in_turns) for _ in range(2)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    check_books(600)
    assert differences() == []


def test_a_drain_killed_in_the_middle_loses_and_doubles_nothing(waiting):
    put("open")
    free()
    worker = in_process(drain_in_turns)
    while not 50 <= Order.objects.count() < 600:
        time.sleep(0.005)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    entered = Order.objects.count()
    assert 0 < entered < 600
    drain()
    check_books(600)
    assert differences() == []


def test_a_pace_is_kept_by_two_drains_together(waiting):
    put("trickle", 4)
    free()
    workers = [in_process(drain_backlog) for _ in range(2)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    # Half a minute of the pace was gathered: two orders. The next is due after a quarter of a minute.
    assert (Order.objects.count(), ParkedOrder.objects.count()) == (2, 598)


def test_live_orders_and_a_drain_side_by_side_leave_each_order_once_in_its_newest_version(waiting):
    put("open")
    newer = [row | {"seller_remark": "newer", "modified_at": "2026-11-11T01:00:00+08:00"} for row in rows(600, 2)]
    parts = [orjson.dumps(newer[i : i + 25]) for i in range(0, 300, 25)]
    items = [
        receive(shop=waiting, source="push", reader="draft", delivery_key=f"new:{i}", body=part).pk
        for i, part in enumerate(parts)
    ]
    free()
    workers = [in_process(take, items), in_process(drain_in_turns)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    remarks = dict(Order.objects.values_list("external_no", "seller_remark"))
    fresh = {row["external_no"] for row in newer[:300]}
    assert {number for number, remark in remarks.items() if remark == "newer"} == fresh
    check_books(600)


@pytest.mark.parametrize("workers", [1, 2])
def test_after_a_pause_is_set_nothing_enters_any_more(request, small_batches, workers):
    stocked = request.getfixturevalue("stocked")
    shares = [stored(stocked, 600, seed) for seed in range(1, workers + 1)]
    running = [in_process(take, share) for share in shares]
    while Order.objects.count() < 50:
        time.sleep(0.005)
    put("paused")
    entered = Order.objects.count()
    for worker in running:
        worker.join(60)
    assert [worker.exitcode for worker in running] == [0] * workers
    assert entered == Order.objects.count() < 600
    assert entered % 25 == 0 or workers == 2
    assert entered + ParkedOrder.objects.count() == 600
    assert not set(Order.objects.values_list("external_no", flat=True)) & set(
        ParkedOrder.objects.values_list("external_no", flat=True)
    )
    put("open")
    drain()
    check_books(600)
    assert differences() == []


def test_a_writer_killed_while_the_gate_is_shut_holds_each_order_once(request, small_batches):
    stocked = request.getfixturevalue("stocked")
    put("paused")
    stored(stocked, 600, 1, size=25)
    writer = in_process(drain_slowly)
    while not 50 <= ParkedOrder.objects.count() < 600:
        time.sleep(0.005)
    kill(writer)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orderhub_inboxitem SET leased_until = now() - interval '1 s' WHERE state = 'working'")
    drain_slowly()
    assert (Order.objects.count(), ParkedOrder.objects.count()) == (0, 600)
    put("open")
    drain()
    check_books(600)


def test_push_and_poll_go_on_while_paused_and_the_pool_equals_the_platform_after_opening(platform, shop):
    before = douyin.paid(platform, 5)
    douyin.told(platform)
    put("paused", shop=shop)
    held = douyin.paid(platform, 8)
    platform.live.change(before[0], "ask_refund")
    platform.live.change(held[0], "ask_refund")
    platform.faults.add({"kind": "duplicates", "method": "douyin.push"})
    douyin.told(platform)
    pulled = pull_shop(shop.pk, force=True)
    cursor = ShopSync.objects.get(shop=shop).cursor
    assert (pulled["new"], pulled["rejected"], cursor is not None) == (0, 0, True)
    assert pulled["held"] + pulled["stale"] >= len(held)
    assert Order.objects.get(external_no=before[0]).status == "refunding"
    assert set(held) & set(Order.objects.values_list("external_no", flat=True)) == set()
    assert set(held) <= set(ParkedOrder.objects.values_list("external_no", flat=True))
    put("open", shop=shop)
    platform.live.change(held[1], "note")
    douyin.told(platform)
    drain()
    douyin.compare(platform)
    assert (Reject.objects.count(), InboxItem.objects.exclude(state="done").count()) == (0, 0)
    first = TimelineEntry.objects.filter(kind="intake").values("order").distinct().count()
    assert first == TimelineEntry.objects.filter(kind="intake").count() == Order.objects.count()


def test_orders_of_two_shops_enter_by_deadline_whatever_the_shop(small_batches, settings, transactional_db):
    load_defaults()
    shops = [make_shop("one"), make_shop("two")]
    put("paused")
    for place, owner in enumerate(shops):
        body = orjson.dumps(
            [draft(f"T{n:02d}", ship_by=f"2026-11-12T{n:02d}:00:00+08:00") for n in range(place, 20, 2)]
        )
        take([receive(shop=owner, source="file", reader="draft", delivery_key="f", body=body).pk])
    put("trickle", 8)
    order = []
    while ParkedOrder.objects.exists():
        free()
        drain_backlog()
        order += sorted(set(Order.objects.values_list("external_no", flat=True)) - set(order))
    assert order == [f"T{n:02d}" for n in range(20)]


def test_a_gate_holds_even_while_a_batch_hangs_and_that_is_told(monkeypatch, caplog, transactional_db):
    load_defaults()
    made = make_shop("one")
    monkeypatch.setattr("orderhub.services.gate.QUIET_SECONDS", 0.2)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock_shared(hashtext('orderhub.stock'))")
        put("paused")
        assert [record.msg["event"] for record in caplog.records if record.levelname == "WARNING"] == [
            "batches are still running after the gate was set"
        ]
        take([receive(shop=made, source="push", reader="draft", delivery_key="x", body=orjson.dumps([draft()])).pk])
    finally:
        other.close()
    assert (Order.objects.count(), ParkedOrder.objects.count()) == (0, 1)
