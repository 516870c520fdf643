"""A waybill that a warehouse corrects after its last confirmation: no platform is told, a person enters it there."""

import orjson
import pytest
from django.utils import timezone

from channels_sync.services.handover import Told, book
from channels_sync.warehouses.base import Confirmed
from orderhub.core.parcels import ToldParcel
from orderhub.models import Effect, Order, TimelineEntry, Warehouse
from orderhub.services import outbox
from tests.channels_sync.world import hub_and_platforms

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rules")]
HINT = "这些商品已按其他运单（YTO YT00000001）回传平台：请在平台后台改为 YTO YT00000002，然后重试。"


@pytest.fixture(params=["taobao", "douyin", "wechat"])
def platform(request):
    return request.param


@pytest.fixture
def world(settings, transactional_db, platform):
    with hub_and_platforms(settings, platform) as world:
        yield world


def leave(order, number):
    """Let the whole order leave under this number, and tell the channel."""
    house, _ = Warehouse.objects.get_or_create(code="WH01")
    said = Confirmed(order.modified_at, True, [ToldParcel("YTO", number, None, [])])
    book(warehouse=house, told=[Told(order.pk, order.modified_at, said)])
    return tell()


def tell():
    Effect.objects.filter(state="pending", kind="shipment").update(due_at=timezone.now())
    outbox.drain(kinds=["shipment"])
    return list(Effect.objects.filter(kind="shipment").order_by("pk").values_list("state", "last_error"))


def test_it_waits_for_a_person_until_the_platform_shows_it(world, platform):
    world.sandbox.live.make(30)
    world.pull()
    order = Order.objects.filter(status="ready").first()
    assert leave(order, "YT00000001") == [("done", "")]
    assert leave(order, "YT00000002") == [("done", ""), ("dead", HINT)]
    dead = Effect.objects.filter(state="dead").values_list("pk", flat=True)
    outbox.retry_dead(effect_ids=list(dead), actor="boss")
    assert tell() == [("done", ""), ("dead", HINT)]
    row = world.sandbox.store.get(order.external_no)
    row.draft["raw"] = orjson.loads(orjson.dumps(row.draft["raw"]).replace(b'"YT00000001"', b'"YT00000002"'))
    world.sandbox.store.save(row)
    outbox.retry_dead(effect_ids=list(dead), actor="boss")
    assert tell() == [("done", ""), ("done", "")]
    assert len(world.sandbox.store.writes(platform, "shipment")) == 1
    told = TimelineEntry.objects.filter(order=order, kind="shipment").order_by("pk")
    assert [entry.data for entry in told] == [{"tracking_no": "YT00000001"}, {"tracking_no": "YT00000002"}]
