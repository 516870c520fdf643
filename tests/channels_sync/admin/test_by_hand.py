"""Shipping by hand on the order page."""

import pytest

from channels_sync.by_hand_form import ByHandForm
from orderhub.models import Order, Parcel, ParcelLine, Warehouse
from tests.factories import make_order, make_shop


@pytest.fixture
def order(db):
    Warehouse.objects.create(code="WH01", name="杭州仓")
    return make_order(make_shop("tb", platform="taobao"), status="ready")


def page(client, order):
    return client.get(f"/ops/orderhub/order/{order.pk}/change/").content.decode()


def ship(client, order, **values):
    data = {"carrier": "SF", "tracking_no": "sf 1234 567890", "warehouse": "WH01", "reason": "门店直发", **values}
    return client.post(f"/ops/orders/{order.pk}/ship/", data)


def test_the_form_ships_the_order(log_in, order):
    client = log_in("warehouse")
    assert f'href="/ops/orders/{order.pk}/ship/"' in page(client, order)
    form = client.get(f"/ops/orders/{order.pk}/ship/").content.decode()
    assert form.count("SF Express") == 1 and form.count("Yunda") == 1 and "杭州仓" in form
    answer = ship(client, order)
    assert (answer.status_code, answer.url) == (302, f"/ops/orderhub/order/{order.pk}/change/")
    order.refresh_from_db()
    assert (order.status, Parcel.objects.get().tracking_no) == ("in_transit", "SF1234567890")
    text = page(client, order)
    assert "Shipped by hand" in text and "门店直发" in text and f"/ops/orders/{order.pk}/ship/" not in text


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tracking_no": "12345"}, "6 to 40 letters and digits"),
        ({"tracking_no": "顺丰1234567"}, "6 to 40 letters and digits"),
        ({"carrier": ""}, "This field is required"),
        ({"carrier": "XX"}, "Select a valid choice"),
        ({"warehouse": "nowhere"}, "Select a valid choice"),
        ({"warehouse": ""}, "This field is required"),
        ({"reason": ""}, "This field is required"),
    ],
)
def test_what_is_typed_wrong_comes_back_with_why(log_in, order, wrong, told):
    answer = ship(log_in("warehouse"), order, **wrong)
    text = answer.content.decode()
    assert (answer.status_code, told in text, Parcel.objects.count()) == (400, True, 0)
    assert next(iter({"tracking_no": "sf 1234 567890", **wrong}.values())) in text


def places(order):
    form = ByHandForm(order)
    return form.get_initial_for_field(form.fields["warehouse"], "warehouse"), dict(form.fields["warehouse"].choices)


def test_the_usual_warehouse_is_offered_though_it_is_switched_off(order):
    Warehouse.objects.create(code="WH00", name="广州仓", is_active=False)
    usual = Warehouse.objects.create(code="WH02", name="成都仓", is_active=False)
    order.shop.warehouse = usual
    usual_code, offered = places(order)
    assert (usual_code, list(offered)) == ("WH02", ["", "WH01", "WH02", "elsewhere"])


def test_without_a_usual_warehouse_one_must_be_chosen(log_in, order):
    assert places(order)[0] == ""
    page = log_in("warehouse").get(f"/ops/orders/{order.pk}/ship/").content.decode()
    assert '<option value="" selected>—</option>' in page.partition('name="warehouse"')[2]


def test_what_was_bought_elsewhere_is_taken_off_no_stock(log_in, order):
    assert ship(log_in("warehouse"), order, warehouse="elsewhere").status_code == 302
    assert set(ParcelLine.objects.values_list("warehouse", flat=True)) == {""}


def test_an_order_that_went_to_the_warehouse_meanwhile_is_refused(log_in, order):
    client = log_in("supervisor")
    Order.objects.update(status="wms_accepted")
    assert "/ship/" not in page(client, order)
    answer = ship(client, order)
    assert (answer.status_code, "cannot be shipped by hand" in answer.content.decode()) == (400, True)
    asked = client.get(f"/ops/orders/{order.pk}/ship/", follow=True)
    assert (asked.redirect_chain[-1][1], "cannot be shipped by hand" in asked.content.decode()) == (302, True)
    assert Parcel.objects.count() == 0


@pytest.mark.parametrize("role", ["agent", "risk", "auditor"])
def test_who_may_not(log_in, order, role):
    client = log_in(role)
    assert "/ship/" not in page(client, order)
    assert (ship(client, order).status_code, Parcel.objects.count()) == (403, 0)
