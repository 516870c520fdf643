"""Orders shipped past the warehouse system: who may, what of them is dropped, booked and told."""

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import translation

from channels_sync.services.by_hand import PERMISSION, refusal, ship_by_hand
from orderhub.core.errors import HubError
from orderhub.core.parcels import ToldParcel
from orderhub.models import Effect, OrderLine, Parcel, ParcelLine, Sku, StockLevel, TimelineEntry, Warehouse
from orderhub.selectors.books import differences
from orderhub.services import outbox
from tests.channels_sync.pushes import deliveries, queue
from tests.factories import make_order, make_shop, make_user

pytestmark = pytest.mark.django_db
RELEASE, ABNORMAL = "orderhub.release_order", "orderhub.release_abnormal"


@pytest.fixture
def lead():
    return make_user("lead", PERMISSION)


@pytest.fixture
def stocked():
    """Two warehouses that count A."""
    Sku.objects.create(code="A")
    for code, reserved in (("WH01", 2), ("GZ", 0)):
        Warehouse.objects.create(code=code, name=code)
        StockLevel.objects.create(sku="A", warehouse=code, on_hand=10, reserved=reserved)


def order_of(platform="taobao", **values):
    """Make an order of three A, of which two are reserved."""
    made = make_order(make_shop(platform=platform), **{"status": "ready", **values})
    OrderLine.objects.update(sku="A", quantity=3, reserved=2, short=1, warehouse="WH01")
    return made


def ship(order, user, warehouse="WH01", number="SF1234567890"):
    parcel = ToldParcel("SF", number)
    ship_by_hand(order_id=order.pk, parcel=parcel, warehouse=warehouse, reason="货到付款", user=user)
    order.refresh_from_db()


def levels():
    return {code: tuple(rest) for code, *rest in StockLevel.objects.values_list("warehouse", "on_hand", "reserved")}


def effects():
    return dict(Effect.objects.values_list("kind", "state"))


def test_it_is_in_transit_and_its_channel_is_told(lead, stocked):
    order = order_of()
    for kind in ("wms_push", "warehouse_heads_up"):
        queue(order, kind=kind)
    ship(order, lead)
    assert (order.status, order.left_at is not None, order.has_drift) == ("in_transit", True, False)
    parcel = Parcel.objects.get()
    assert (parcel.carrier, parcel.tracking_no, parcel.warehouse_code) == ("SF", "SF1234567890", "WH01")
    assert effects() == {"wms_push": "cancelled", "warehouse_heads_up": "cancelled", "shipment": "pending"}
    assert Effect.objects.get(kind="shipment").payload == {"parcel": parcel.pk, "final": True}
    entries = TimelineEntry.objects.order_by("pk").values_list("kind", "source", "actor", "status_from", "status_to")
    assert list(entries) == [
        ("parcel", "person", "lead", "", ""), ("shipped_by_hand", "person", "lead", "ready", "in_transit"),
    ]  # fmt: skip
    assert TimelineEntry.objects.last().data == {"reason": "货到付款", "warehouse": "WH01"}
    assert differences() == []


@pytest.mark.parametrize(
    ("warehouse", "after"),
    [
        ("WH01", {"WH01": (7, 0), "GZ": (10, 0)}),
        ("GZ", {"WH01": (10, 0), "GZ": (7, 0)}),
        ("", {"WH01": (10, 0), "GZ": (10, 0)}),
    ],
)
def test_pieces_leave_the_stock_they_were_taken_from_and_nothing_stays_reserved(lead, stocked, warehouse, after):
    ship(order_of(), lead, warehouse)
    assert levels() == after
    assert OrderLine.objects.values_list("reserved", flat=True).get() == 0
    assert list(ParcelLine.objects.values_list("warehouse", "quantity")) == [(warehouse, 3)]


def test_cash_on_delivery_goes_out_although_nothing_was_paid(lead, stocked):
    order = order_of(status="paid", channel_hold="cod", paid_fen=0)
    ship(order, lead)
    assert order.status == "in_transit"


@pytest.mark.parametrize(
    "state",
    [
        {"status": "unpaid", "channel_hold": "cod"},
        {"status": "paid", "channel_hold": "risk"},
        {"status": "wms_queued"},
        {"status": "wms_accepted"},
        {"status": "refunding", "under_refund": "ready"},
        {"status": "in_transit"},
        {"status": "cancelled"},
        {"status": "in_triage_hold", "lane": "to_confirm"},
        {"status": "in_triage_hold", "lane": "abnormal"},
    ],
)
def test_what_a_warehouse_has_or_nobody_may_send_is_refused_and_nothing_changes(lead, stocked, state):
    order = order_of(**state)
    with pytest.raises(HubError):
        ship(order, lead)
    assert (levels()["WH01"], Parcel.objects.count(), TimelineEntry.objects.count()) == ((10, 2), 0, 0)


@pytest.mark.parametrize(
    ("lane", "rights", "may"),
    [("to_confirm", [RELEASE], True), ("abnormal", [RELEASE], False), ("abnormal", [RELEASE, ABNORMAL], True)],
)
def test_a_held_order_is_shipped_by_those_who_may_release_it(stocked, lane, rights, may):
    user, order = make_user("boss", PERMISSION, *rights), order_of(status="in_triage_hold", lane=lane)
    queue(order, kind="popup")
    if may:
        ship(order, user)
    else:
        with pytest.raises(HubError):
            ship(order, user)
    order.refresh_from_db()
    assert (order.status == "in_transit", effects()["popup"] == "cancelled") == (may, may)


@pytest.mark.parametrize(("lane", "word"), [("to_confirm", "held"), ("abnormal", "frozen")])
def test_a_frozen_order_is_not_called_held(stocked, lane, word):
    user, order = make_user("boss", PERMISSION), order_of(status="in_triage_hold", lane=lane)
    with translation.override("en"):
        assert f"order is {word}:" in refusal(order, user)


def test_a_second_click_changes_nothing(lead, stocked):
    order = order_of()
    ship(order, lead)
    with pytest.raises(HubError):
        ship(order, lead, number="SF9999999999")
    assert (Parcel.objects.count(), levels()["WH01"], effects()) == (1, (7, 0), {"shipment": "pending"})


def test_without_the_right_nothing_happens(stocked):
    order = order_of()
    with pytest.raises(PermissionDenied):
        ship(order, make_user("agent", RELEASE))
    assert Parcel.objects.count() == 0


def test_what_the_warehouse_refused_is_no_dead_letter_any_more_and_no_quarrel(lead, stocked):
    order = order_of(status="wms_failed", warehouse_claim="wms_failed", channel_claim="in_transit", has_drift=True)
    queue(order)
    Effect.objects.update(state="dead")
    ship(order, lead)
    assert (order.status, order.has_drift, effects()["wms_push"]) == ("in_transit", False, "cancelled")


def test_a_push_that_begins_after_it_sends_nothing(platform, taobao_shop, lead):
    order = make_order(taobao_shop, status="ready")
    queue(order)
    ship(order, lead, "")
    Effect.objects.filter(kind="wms_push").update(state="pending")
    assert outbox.drain(kinds=["wms_push"]).cancelled == 1
    assert (order.status, deliveries(platform)) == ("in_transit", {})


def test_orders_of_one_buyer_travel_in_one_parcel(lead):
    shop = make_shop(platform="taobao")
    for order in (make_order(shop, status="ready"), make_order(shop, status="ready")):
        ship(order, lead, "")
    assert Parcel.objects.get().orders.count() == 2
    assert Effect.objects.filter(kind="shipment").count() == 2
