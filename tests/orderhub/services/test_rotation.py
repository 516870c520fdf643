import base64

import pytest
from django.apps import apps
from django.db.models import BinaryField
from django.utils import timezone

from orderhub.models import InboxItem, ParkedOrder, Receiver, Warehouse, WarehouseReport
from orderhub.models.inbox import pack
from orderhub.services.inbox import receive
from orderhub.services.rotation import SEALED_COLUMNS, Rotated, left_behind, rotate
from tests.factories import make_order, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def sealed_data():
    order = make_order(phone="13912345678")
    shop = make_shop()
    shop.credentials = {"app_key": "k", "app_secret": "s"}
    shop.save()
    receive(shop=shop, source="push", reader="draft", delivery_key="1", body=b"[]")
    now = timezone.now()
    ParkedOrder.objects.create(
        shop=shop, external_no="T1", modified_at=now, ship_by=now, packed_row=pack(b"{}"), reader="draft", source="push"
    )
    house = Warehouse.objects.create(code="w", name="w")
    WarehouseReport.objects.create(warehouse=house, delivery_key="1", method="step", packed_body=pack(b"<r/>"))
    return order, shop


def test_after_a_rotation_the_old_key_is_no_longer_needed(sealed_data, settings):
    order, shop = sealed_data
    new = f"new:{base64.b64encode(bytes(32)).decode()}"
    settings.HUB_DATA_KEYS = [new, *settings.HUB_DATA_KEYS]
    assert sum(left_behind().values()) == 5
    assert rotate(batch_size=1) == Rotated(5)
    settings.HUB_DATA_KEYS = [new]
    assert Receiver.objects.get(order=order).open()["phone"] == "13912345678"
    shop.refresh_from_db()
    assert shop.credentials == {"app_key": "k", "app_secret": "s"}
    assert InboxItem.objects.get().body == b"[]"
    assert ParkedOrder.objects.get().raw_row == b"{}"
    assert WarehouseReport.objects.get().body == b"<r/>"
    assert rotate() == Rotated()


def test_what_no_key_opens_is_counted_and_stays_as_it_is_and_the_rest_goes_on(sealed_data, settings):
    broken = b"\x01\x04lost" + bytes(40)
    make_order(phone="13700001111")
    Receiver.objects.filter(order=sealed_data[0]).update(sealed=broken)
    settings.HUB_DATA_KEYS = [f"new:{base64.b64encode(bytes(32)).decode()}", *settings.HUB_DATA_KEYS]
    told = []
    unreadable = {"orderhub_receiver": 1}
    assert rotate(batch_size=1, progress=lambda *one: told.append(one)) == Rotated(5, unreadable)
    assert told[1:3] == [("orderhub_receiver", 1)] * 2
    assert {table: count for table, count in left_behind().items() if count} == unreadable
    assert bytes(Receiver.objects.get(order=sealed_data[0]).sealed) == broken
    assert rotate() == Rotated(0, unreadable)


def test_no_sealed_column_is_forgotten():
    columns = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, BinaryField)
    }
    assert columns == {(sealed.table, sealed.column) for sealed in SEALED_COLUMNS}
