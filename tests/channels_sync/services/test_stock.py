"""Stock back to the channels, by the real connectors against the sandbox over HTTP."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from channels_sync.models import Listing, ListingPart
from channels_sync.selectors import sellable
from channels_sync.selectors.offers import offers, shop_offers
from channels_sync.services import stock
from channels_sync.services.stock import want
from orderhub.core.errors import TemporaryError
from orderhub.models import Effect, StockLevel
from orderhub.services import leases, outbox
from tests.channels_sync.stores import PLATFORMS, Store, sandbox, stocked

pytestmark = pytest.mark.django_db(transaction=True)
SERUM, MASK, CREAM = "SERUM-30", "MASK-20", "CREAM-50"
ITEM_CALL = "taobao.item.quantity.update"


@pytest.fixture
def platforms(settings):
    with sandbox(settings) as running:
        yield running


@pytest.fixture
def store(platforms):
    return Store("taobao", platforms)


def write():
    """Do what the lane does: look for differences and tell them."""
    want()
    return outbox.drain(limit=10, kinds=["stock"])


def due_now():
    Effect.objects.filter(kind="stock").update(due_at=datetime.now(UTC))


@pytest.mark.parametrize("name", PLATFORMS)
def test_each_platform_shows_what_is_left(platforms, name):
    store = Store(name, platforms)
    listing = store.list(SERUM)
    stocked(SERUM, 10, reserved=3)
    assert write().done == 1
    listing.refresh_from_db()
    assert (store.told(SERUM), listing.shown, listing.asked, listing.stock_error) == ([7], 7, None, "")
    assert want() == []
    stocked(SERUM, 10, reserved=4)
    write()
    assert store.told(SERUM) == [7, 6]


def test_many_changes_of_one_sku_are_one_call(store):
    store.list(SERUM)
    for reserved in range(20):
        stocked(SERUM, 100, reserved)
        want()
    assert Effect.objects.filter(kind="stock").count() == 1
    write()
    assert store.told(SERUM) == [81]
    assert want() == []


def test_what_changes_within_the_spacing_goes_out_once_it_is_over(store):
    store.shop.settings = {**store.shop.settings, "stock_seconds": 60}
    store.shop.save()
    store.list(SERUM)
    stocked(SERUM, 100)
    begun = datetime.now(UTC)
    write()
    written = datetime.now(UTC)
    for reserved in range(5):
        stocked(SERUM, 100, reserved)
        assert write().total == 0
    effect = Effect.objects.get(kind="stock")
    assert begun + timedelta(seconds=60) <= effect.due_at <= written + timedelta(seconds=60)
    due_now()
    assert outbox.drain(kinds=["stock"]).done == 1
    assert store.told(SERUM) == [100, 96]


def test_a_write_that_changes_nothing_is_not_made(store):
    store.list(SERUM)
    stocked(SERUM, 5)
    write()
    stocked(SERUM, 6, reserved=1)
    assert want() == []
    assert store.told(SERUM) == [5]


def test_one_call_takes_a_batch(platforms):
    store = Store("jd", platforms)
    skus = [SERUM, MASK, CREAM]
    for sku in skus:
        store.list(sku)
        stocked(sku, 9)
    write()
    assert len(platforms.store.writes("jd", "stock_key")) == 1
    assert [store.told(sku) for sku in skus] == [[9], [9], [9]]


def test_what_changes_while_a_write_is_under_way_gets_a_write_of_its_own(store):
    store.list(SERUM)
    stocked(SERUM, 50)
    want()
    store.fault("slow", seconds=4.0)
    sending = threading.Thread(target=_drain)
    sending.start()
    _wait_until(lambda: Listing.objects.filter(asked=50).exists())
    stocked(SERUM, 49)
    assert want() == []
    sending.join()
    assert Listing.objects.get().shown == 50
    write()
    assert store.told(SERUM) == [50, 49]


def test_two_workers_never_tell_one_shop_at_once(store):
    store.list(SERUM)
    stocked(SERUM, 50)
    want()
    with leases.hold(f"stock:{store.shop.pk}", 60):
        drained = outbox.drain(kinds=["stock"])
    assert (drained.done, drained.retried) == (0, 1)
    assert store.told(SERUM) == []
    due_now()
    outbox.drain(kinds=["stock"])
    assert store.told(SERUM) == [50]


def test_a_lease_that_nobody_gave_up_costs_the_shop_no_try(store):
    store.list(SERUM)
    stocked(SERUM, 50)
    want()
    with leases.hold(f"stock:{store.shop.pk}", 180):
        for _ in range(25):
            due_now()
            assert outbox.drain(kinds=["stock"]).retried == 1
        assert Effect.objects.values_list("state", "attempts").get(kind="stock") == ("pending", 0)
        connection.cursor().execute("UPDATE orderhub_lease SET until = now() - interval '1 s'")
        due_now()
        assert outbox.drain(kinds=["stock"]).done == 1
    assert store.told(SERUM) == [50]


def test_a_worker_that_lost_its_lease_writes_nothing_more(store):
    store.list(SERUM)
    stocked(SERUM, 50)
    with leases.hold(f"stock:{store.shop.pk}", 60) as lease:
        turn = stock.Turn(store.shop, stock.terms_of(store.shop), lease)
        connection.cursor().execute("UPDATE orderhub_lease SET until = now() - interval '1 s'")
        with leases.hold(f"stock:{store.shop.pk}", 60), pytest.raises(TemporaryError):
            turn.run()
    assert store.told(SERUM) == []


def test_a_worker_killed_between_send_and_settle_writes_the_quantity_of_then(store):
    store.list(SERUM)
    stocked(SERUM, 50)
    want()
    Listing.objects.update(asked=50, asked_no=1)
    Effect.objects.filter(kind="stock").update(
        state="sending", attempts=1, leased_until=datetime.now(UTC) - timedelta(seconds=1)
    )
    stocked(SERUM, 41)
    assert outbox.drain(kinds=["stock"]).done == 1
    assert store.told(SERUM) == [41]
    assert (Listing.objects.get().shown, Listing.objects.get().asked) == (41, None)


def test_after_a_lost_answer_the_old_quantity_is_written_again(store):
    """It is not known whether the channel shows 4 or 5, so 5 is told although 5 was the last accepted one."""
    store.list(SERUM)
    stocked(SERUM, 5)
    write()
    stocked(SERUM, 4)
    store.fault("answer_lost", times=9)
    write()
    assert Listing.objects.get().asked == 4
    store.sandbox.faults.clear()
    stocked(SERUM, 5)
    Listing.objects.update(stock_retry_at=None)
    due_now()
    outbox.drain(kinds=["stock"])
    assert store.told(SERUM)[-1] == 5
    assert (Listing.objects.get().shown, Listing.objects.get().stock_error) == (5, "")


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize("kind", ["http500", "truncated", "timeout", "disconnect"])
def test_a_fault_passes_without_a_person(platforms, settings, name, kind):
    settings.OUTBOUND_TIMEOUT_SECONDS = 0.5
    store = Store(name, platforms)
    store.list(SERUM)
    stocked(SERUM, 8)
    store.fault(kind, times=99, seconds=1.0)
    assert write().done == 0
    (told,) = shop_offers([store.shop.pk]).values()
    assert (told.state, told.differing) == ("pending", 1)
    assert told.error != ""
    assert Listing.objects.get().shown is None
    platforms.faults.clear()
    Listing.objects.update(stock_retry_at=None)
    due_now()
    assert outbox.drain(kinds=["stock"]).done == 1
    assert (store.told(SERUM)[-1], Listing.objects.get().shown) == (8, 8)
    assert shop_offers([store.shop.pk])[store.shop.pk].error == ""


def test_one_channel_item_is_told_the_stock_of_its_newest_code_only(store):
    old = store.list(SERUM)
    stocked(SERUM, 50)
    stocked(MASK, 8)
    write()
    new = Listing.objects.create(
        shop=store.shop, item_id=old.item_id, sku_id=old.sku_id, outer_id="NEW", state="matched",
        last_seen_at=old.last_seen_at + timedelta(seconds=1),
    )  # fmt: skip
    ListingPart.objects.create(listing=new, sku=MASK)
    write()
    stocked(SERUM, 40)
    due_now()
    assert write().total == 0
    assert store.told(SERUM) == [50, 8]
    assert [row.pk for row in sellable(store.shop)] == [new.pk]


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_call_limit_is_waited_for_and_no_item_is_blamed(platforms, name):
    store = Store(name, platforms)
    store.list(SERUM)
    stocked(SERUM, 8)
    store.fault("throttle", times=99, seconds=40)
    begun = datetime.now(UTC)
    assert write().retried == 1
    effect = Effect.objects.get(kind="stock")
    assert effect.due_at > begun + timedelta(seconds=0.9)
    assert Listing.objects.get().stock_error == ""
    platforms.faults.clear()
    connection.cursor().execute("DELETE FROM channels_sync_callallowance")
    due_now()
    assert outbox.drain(kinds=["stock"]).done == 1
    assert store.told(SERUM) == [8]


def test_what_was_told_before_a_limit_stays_told_and_the_rest_waits(store):
    first, second = store.list(SERUM), store.list(MASK)
    Listing.objects.filter(pk=second.pk).update(sku_id="")
    for sku in (SERUM, MASK):
        stocked(sku, 8)
    store.sandbox.faults.add({"kind": "throttle", "method": ITEM_CALL, "times": 9, "seconds": 40})
    assert write().done == 1
    assert [offers([pk])[pk].shown for pk in (first.pk, second.pk)] == [8, None]
    want()
    effect = Effect.objects.get(kind="stock")
    assert (effect.state, (effect.due_at - datetime.now(UTC)).total_seconds() > 30) == ("pending", True)


@pytest.mark.parametrize("name", ["jd", "douyin", "wechat"])
def test_an_expired_session_is_renewed_on_the_way(platforms, name):
    store = Store(name, platforms)
    store.list(SERUM)
    stocked(SERUM, 8)
    store.fault("expired_token")
    assert write().done == 1
    assert store.told(SERUM) == [8]


def test_a_refused_session_is_told_and_tried_again_later(store):
    store.list(SERUM)
    stocked(SERUM, 8)
    store.fault("expired_token", times=99)
    assert write().retried == 1
    assert "27" in shop_offers([store.shop.pk])[store.shop.pk].error
    assert want() == []
    store.sandbox.faults.clear()
    Effect.objects.update(due_at=datetime.now(UTC))
    assert write().done == 1
    assert store.told(SERUM) == [8]


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_refused_item_is_told_in_words_and_the_others_go_on(platforms, name):
    store = Store(name, platforms)
    good, bad = store.list(SERUM), store.list(MASK)
    Listing.objects.filter(pk=bad.pk).update(item_id="1", sku_id="9")
    for sku in (SERUM, MASK):
        stocked(sku, 8)
    assert write().done == 1
    assert store.told(SERUM) == [8]
    found = offers([good.pk, bad.pk])
    assert (found[good.pk].error, found[good.pk].differs) == ("", False)
    assert (found[bad.pk].error != "", found[bad.pk].differs, found[bad.pk].is_unanswered) == (True, True, False)
    assert found[bad.pk].retry_at > datetime.now(UTC) + timedelta(minutes=30)
    assert want() == []
    item, number = store.list(CREAM).item_id, Listing.objects.get(outer_id=CREAM).sku_id
    Listing.objects.filter(outer_id=CREAM).delete()
    Listing.objects.filter(pk=bad.pk).update(item_id=item, sku_id=number)
    assert stock.try_again(listing_ids=[good.pk, bad.pk]) == 1
    assert write().done == 1
    assert store.told(CREAM) == [8]
    assert offers([bad.pk])[bad.pk].error == ""


def test_shops_that_are_not_told(platforms):
    store = Store("taobao", platforms)
    store.list(SERUM)
    stocked(SERUM, 8)
    for change in ({"is_active": False}, {"settings": {"stock_writes": False}}, {"platform": "file"}):
        store.shop.__class__.objects.filter(pk=store.shop.pk).update(**change)
        assert want() == []
        store.shop.save()
    assert want() == [store.shop.pk]
    store.shop.__class__.objects.filter(pk=store.shop.pk).update(is_active=False)
    assert outbox.drain(kinds=["stock"]).cancelled == 1
    assert store.told(SERUM) == []
    store.shop.save()
    assert write().done == 1


def test_only_what_moved_is_looked_at(store):
    store.list(SERUM)
    store.list(MASK)
    stocked(SERUM, 8)
    stocked(MASK, 8)
    StockLevel.objects.update(updated_at=datetime.now(UTC) - timedelta(minutes=5))
    assert want(since=datetime.now(UTC) - timedelta(minutes=1)) == []
    assert want(since=datetime.now(UTC) - timedelta(minutes=6)) == [store.shop.pk]


def test_told_again_after_somebody_changed_it_on_the_platform(store):
    listing = store.list(SERUM)
    stocked(SERUM, 8)
    write()
    assert stock.forget(listing_ids=[listing.pk]) == 1
    write()
    assert store.told(SERUM) == [8, 8]


def _drain():
    try:
        outbox.drain(kinds=["stock"])
    finally:
        connection.close()


def _wait_until(condition):
    for _ in range(400):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it never came")
