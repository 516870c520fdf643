"""From an order on each platform to its shipment there: pool, warehouse, callbacks, parcels, write-back, pull again."""

import pytest
from django.utils import timezone

from channels_sync.sandbox.floor import Pace
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.services import reports
from orderhub.models import Effect, Order, OrderLine, Parcel, ParcelLine, StockChange, StockLevel, TimelineEntry
from orderhub.models import WarehouseReport as Report
from orderhub.pipeline import drain_outbox
from orderhub.pulls import pull_shop
from orderhub.selectors.books import differences
from orderhub.services import stock
from tests.channels_sync.clock import PlatformClock
from tests.channels_sync.world import PLATFORMS, World

pytestmark = pytest.mark.django_db(transaction=True)
SHIPPED = {"taobao": "WAIT_BUYER_CONFIRM_GOODS", "jd": "WAIT_GOODS_RECEIVE_CONFIRM", "douyin": "3", "wechat": "30"}
CLOSED = {"taobao": "TRADE_FINISHED", "jd": "FINISHED_L", "douyin": "5", "wechat": "100"}
ON_HAND = 1000


@pytest.fixture
def clock():
    return PlatformClock()


@pytest.fixture(params=PLATFORMS)
def platform(request):
    return request.param


@pytest.fixture
def world(taobao_shop, live_server, settings, clock, platform, transactional_db):
    """One shop on one platform with counted stock, and a warehouse that works."""
    from channels_sync.connectors.wechat import token
    from triage.services import load_defaults

    load_defaults()
    token._slots.clear()
    settings.ALLOWED_HOSTS = ["*"]
    pace = Pace(seconds=0, doubled=0, late=0, split=0, sign_seconds=0, complete_seconds=0)
    hooks = {"warehouse": f"{live_server.url}/hooks/warehouse/WH01/"}
    options = Options(shares={platform: 1.0}, moves=False, hooks=hooks, pace=pace)
    with Sandbox(options, now=clock) as sandbox:
        settings.TAOBAO_GATEWAY_URL = f"{sandbox.url}/router/rest"
        settings.QIMEN_GATEWAY_URL = f"{sandbox.url}/router/qimen/service"
        settings.JD_GATEWAY_URL, settings.JD_OAUTH_URL = f"{sandbox.url}/jd/routerjson", f"{sandbox.url}/jd/oauth2"
        settings.DOUYIN_GATEWAY_URL, settings.WECHAT_GATEWAY_URL = f"{sandbox.url}/douyin", f"{sandbox.url}/wechat"
        made = World(sandbox, [platform])
        made.shop = made.shops[platform]
        made.shop.warehouse, made.shop.merge_window_seconds = taobao_shop.warehouse, 0
        made.shop.save()
        yield made


def count_stock(world):
    rows = [{"sku": row["sku"], "warehouse": "WH01", "on_hand": ON_HAND, "title": "", "list_price_fen": None}
            for row in catalogue_rows()]  # fmt: skip
    stock.import_levels(rows=rows, actor="test")


def catalogue_rows():
    from channels_sync.sandbox.catalogue import stock_rows

    return stock_rows("WH01")


def taken_in(world, orders=9):
    """Have orders made and taken in; return those that are ready for the warehouse."""
    count_stock(world)
    world.sandbox.live.make(orders)
    world.pull()
    return set(Order.objects.filter(status="ready").values_list("external_no", flat=True))


def send(kind=None):
    """Send what is due, whatever its time, until nothing is left."""
    while True:
        Effect.objects.filter(state="pending").update(due_at=timezone.now())
        if not drain_outbox().total:
            return


def listen():
    while reports.drain():
        pass


def shipments(world, platform):
    return world.sandbox.store.writes(platform, "shipment")


def pieces_gone():
    """Return the pieces that left by SKU: what the stock says, what the ledger says, what the parcels say."""
    stock_says = {row.sku: ON_HAND - row.on_hand for row in StockLevel.objects.all() if row.on_hand != ON_HAND}
    ledger, parcels = {}, {}
    for sku, delta, cause in StockChange.objects.values_list("sku", "delta", "cause"):
        if cause != "count":
            ledger[sku] = ledger.get(sku, 0) - delta
    for sku, count in ParcelLine.objects.values_list("sku", "quantity"):
        parcels[sku] = parcels.get(sku, 0) + count
    return stock_says, ledger, parcels


def ordered(numbers):
    wanted = {}
    for sku, count in OrderLine.objects.filter(order__external_no__in=numbers).values_list("sku", "quantity"):
        wanted[sku] = wanted.get(sku, 0) + count
    return wanted


def assert_all_shipped(world, platform, ready):
    """Say that every order left once: status, stock, parcels, channel."""
    assert (
        set(Order.objects.filter(status__in=["in_transit", "delivered"]).values_list("external_no", flat=True)) == ready
    )
    assert pieces_gone() == (ordered(ready),) * 3
    assert differences() == []
    assert not Effect.objects.filter(kind="shipment").exclude(state="done").exists()
    told = shipments(world, platform)
    assert sorted(row["key"] for row in told) == sorted(ready)
    drafts = {number: world.sandbox.store.get(number).draft for number in ready}
    assert {draft["status"] for draft in drafts.values()} == {"in_transit"}
    assert not Order.objects.filter(has_drift=True).exists()


def test_every_ready_order_is_shipped_on_its_platform_and_the_pool_hears_of_it(world, platform, clock):
    ready = taken_in(world)
    assert len(ready) >= 4
    send()
    floor = world.sandbox.warehouse.floor
    assert {row["code"] for row in floor.calls()} == {f"{platform}-{number}" for number in ready}
    assert floor.catch_up() == 6 * len(ready)
    assert set(Order.objects.filter(external_no__in=ready).values_list("status", flat=True)) == {"wms_accepted"}
    listen()
    clock.forward(2)
    send()
    assert_all_shipped(world, platform, ready)
    clock.forward(2)
    pull_shop(world.shop.pk, force=True)
    order = Order.objects.filter(external_no__in=ready).first()
    assert (order.status, order.channel_claim, order.channel_status.split("/")[0]) == (
        "delivered", "in_transit", SHIPPED[platform],
    )  # fmt: skip
    world.sandbox.live.change(order.external_no, "complete")
    clock.forward(2)
    pull_shop(world.shop.pk, force=True)
    order.refresh_from_db()
    assert (order.status, order.channel_status.split("/")[0]) == ("completed", CLOSED[platform])
    steps = TimelineEntry.objects.filter(order=order).exclude(status_to="").order_by("id")
    assert [entry.status_to for entry in steps] == [
        "ready", "wms_queued", "wms_accepted", "picking", "packed", "awaiting_pickup", "in_transit", "delivered",
        "completed",
    ]  # fmt: skip
    assert [e.data for e in TimelineEntry.objects.filter(order=order, kind="shipment")] == [
        {"tracking_no": Parcel.objects.get(orders=order).tracking_no}
    ]


FAULTS = {
    "taobao": ("taobao.logistics.offline.send", "answer_lost"),
    "jd": ("jingdong.pop.order.shipment", "http500"),
    "douyin": ("order.logisticsAdd", "http500"),
    "wechat": ("/channels/ec/order/delivery/send", "answer_lost"),
}


def test_faults_everywhere_double_and_lose_nothing(world, platform):
    floor, faults = world.sandbox.warehouse.floor, world.sandbox.faults
    floor.pace.doubled, floor.pace.late = 0.5, 0.5
    ready = taken_in(world)
    faults.add({"kind": "truncated", "method": "deliveryorder.create", "times": 2})
    send()
    faults.add({"kind": "out_of_order", "method": "qimen.callback"})
    faults.add({"kind": "duplicates", "method": "deliveryorder.confirm", "times": 3})
    faults.add({"kind": "answer_lost", "method": "deliveryorder.confirm", "times": 2})
    faults.add({"kind": "disconnect", "method": "orderprocess.report", "times": 3})
    floor.catch_up()
    listen()
    method, kind = FAULTS[platform]
    faults.add({"kind": kind, "method": method, "times": 2})
    send()
    fired = {fault["kind"]: fault["fired"] for fault in faults.listing()}
    assert all(fired.values()), fired
    assert_all_shipped(world, platform, ready)
    assert Report.objects.exclude(state="done").count() == 0
    assert Parcel.objects.count() == len(ready)


def test_orders_in_several_parcels_are_told_piece_by_piece(world, platform, clock):
    world.sandbox.warehouse.floor.pace.split = 1
    ready = taken_in(world, 16)
    send()
    world.sandbox.warehouse.floor.catch_up()
    listen()
    clock.forward(2)
    send()
    assert Parcel.objects.count() > len(ready)
    left = set(Effect.objects.filter(kind="shipment").exclude(state="done").values_list("state", "last_error"))
    assert left <= ({("cancelled", "")} if platform == "jd" else set())
    assert pieces_gone() == (ordered(ready),) * 3
    clock.forward(2)
    pull_shop(world.shop.pk, force=True)
    words = Order.objects.filter(external_no__in=ready).values_list("channel_status", flat=True)
    assert {word.split("/")[0] for word in words} <= {SHIPPED[platform], "WAIT_SELLER_SEND_GOODS", "2", "20",
                                                      "WAIT_SELLER_STOCK_OUT"}  # fmt: skip
    drafts = [world.sandbox.store.get(number).draft for number in ready]
    assert {draft["status"] for draft in drafts} == {"in_transit"}
    assert {len(told["body"].get("parcels", [1])) for told in shipments(world, platform)} <= {1, 2}


def test_an_order_refunded_meanwhile_is_a_dead_letter_in_plain_words(world, platform):
    ready = sorted(taken_in(world))
    number = ready[0]
    send()
    world.sandbox.warehouse.floor.catch_up()
    listen()
    order = world.sandbox.store.get(number)
    order.draft["status"] = "cancelled"
    world.sandbox.store.save(order)
    send()
    (dead,) = Effect.objects.filter(kind="shipment", state="dead")
    assert dead.order.external_no == number
    assert dead.last_error
    assert sorted(row["key"] for row in shipments(world, platform)) == ready[1:]
