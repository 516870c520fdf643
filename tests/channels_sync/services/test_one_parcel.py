"""Orders in several parcels: what the warehouse says of one of them."""

from datetime import UTC, datetime

import pytest

from channels_sync.services import reports
from orderhub.models import OrderLine, Parcel, Sku, StockLevel, TimelineEntry
from tests.channels_sync.callbacks import confirm, post, step
from tests.factories import make_order, make_shop

pytestmark = pytest.mark.django_db

STEP, CONFIRM = "orderprocess.report", "taobao.qimen.deliveryorder.confirm"
CODE = "t-b-T-1"


@pytest.fixture
def order(taobao_shop):
    shop = make_shop("t-b", platform="taobao", warehouse=taobao_shop.warehouse)
    made = make_order(shop, external_no="T-1", status="wms_accepted")
    OrderLine.objects.update(sku="A", quantity=2, reserved=2, warehouse="WH01")
    Sku.objects.create(code="A")
    StockLevel.objects.create(sku="A", warehouse="WH01", on_hand=10, reserved=2)
    return made


def state(order):
    order.refresh_from_db()
    return order.status, order.warehouse_claim


def level(sku="A"):
    return StockLevel.objects.values_list("on_hand", "reserved").get(sku=sku)


FIRST = (CONFIRM, confirm(CODE, ("YTO", "YT1", [("1", "A", 1)]), key="1", final=False))
LAST = (CONFIRM, confirm(CODE, ("YTO", "YT2", [("1", "A", 1)]), key="2"))


def signed(number, hour=18, node="SIGN"):
    return STEP, step(CODE, node, f"2026-11-11 {hour}:00:00", expressCode=number)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([FIRST, signed("YT1")], "packed"),
        ([FIRST, signed("YT1"), LAST], "in_transit"),
        ([FIRST, LAST, signed("YT2")], "in_transit"),
        ([FIRST, LAST, signed("YT2"), signed("YT1", 19)], "delivered"),
        ([LAST, signed("YT2"), signed("YT1", 19), FIRST], "delivered"),
        ([FIRST, LAST, signed("YT1"), signed("YT2", 19, "REFUSE")], "in_transit"),
        ([FIRST, LAST, signed("")], "delivered"),
        ([LAST, signed("YT2", 19, "REFUSE")], "returning"),
    ],
)
def test_the_end_of_one_parcel_is_not_that_of_the_order(client, order, events, status, at_once):
    for event in events:
        post(client, *event)
        if not at_once:
            reports.drain()
    reports.drain()
    assert state(order)[0] == status


def test_a_parcel_that_was_signed_for_while_the_rest_is_packed_takes_nothing_off_the_stock(client, order):
    for event in (FIRST, signed("YT1")):
        post(client, *event)
    reports.drain()
    assert level() == (9, 1)
    assert Parcel.objects.get().delivered_at == datetime(2026, 11, 11, 10, tzinfo=UTC)
    assert TimelineEntry.objects.latest("pk").data == {"node": "SIGN", "tracking_no": "YT1"}


def test_a_last_word_after_all_parcels_were_signed_for_ends_the_order(client, order):
    for event in (FIRST, signed("YT1"), (CONFIRM, confirm(CODE, key="3"))):
        post(client, *event)
        reports.drain()
    assert state(order) == ("delivered", "delivered")
