import pytest

from channels_sync.models import ShopSync
from channels_sync.services import health
from channels_sync.services.terms import change_credentials, change_terms
from orderhub.core.errors import FieldError, HubError
from orderhub.models import Shop
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_shop("tb", platform="taobao", settings={"page_size": 40, "stock_buffer": 3})


def stored(shop):
    return Shop.objects.get(pk=shop.pk)


def test_numbers_are_stored_beside_what_other_settings_say(shop):
    values = {"stock_buffer": 5, "stock_share": 80, "merge_window_seconds": 60, "ship_hours": 48}
    changed = change_terms(shop_id=shop.pk, values=values, actor="boss")
    assert changed == ["stock_buffer", "stock_share", "merge_window_seconds"]
    assert stored(shop).settings == {"page_size": 40, "stock_buffer": 5, "stock_share": 80}
    assert stored(shop).merge_window_seconds == 60
    assert change_terms(shop_id=shop.pk, values=values, actor="boss") == []


def test_nothing_takes_a_setting_back_to_its_default(shop):
    assert change_terms(shop_id=shop.pk, values={"stock_buffer": None, "stock_share": None}, actor="b") == [
        "stock_buffer"
    ]
    assert stored(shop).settings == {"page_size": 40}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"stock_share": 101}, "stock_share"),
        ({"stock_buffer": -1}, "stock_buffer"),
        ({"merge_window_seconds": None}, "merge_window_seconds"),
        ({"platform": 1}, "platform"),
    ],
)
def test_what_cannot_be_changes_nothing(shop, values, field):
    with pytest.raises(FieldError) as refused:
        change_terms(shop_id=shop.pk, values={"stock_buffer": 9, **values}, actor="boss")
    assert refused.value.path == field
    assert stored(shop).settings == {"page_size": 40, "stock_buffer": 3}


def test_new_credentials_are_sealed_and_tried_at_once(shop):
    ShopSync.objects.create(shop=shop)
    health.record_failure(shop, HubError("no"))
    names = change_credentials(
        shop_id=shop.pk, change=lambda before: {**before, "app_key": "k", "app_secret": "hidden"}, actor="boss"
    )
    assert names == ["app_key", "app_secret"]
    assert stored(shop).credentials == {"app_key": "k", "app_secret": "hidden"}
    assert b"hidden" not in bytes(stored(shop).sealed_credentials)
    assert ShopSync.objects.get().next_attempt_at is None


def test_the_same_credentials_change_nothing(shop):
    change_credentials(shop_id=shop.pk, change=lambda _: {"app_key": "k"}, actor="boss")
    before = bytes(stored(shop).sealed_credentials)
    assert change_credentials(shop_id=shop.pk, change=dict, actor="boss") == []
    assert bytes(stored(shop).sealed_credentials) == before


def test_what_a_lost_data_key_sealed_is_replaced(shop):
    Shop.objects.filter(pk=shop.pk).update(sealed_credentials=b"\x01\xff" + b"0" * 40)
    assert change_credentials(shop_id=shop.pk, change=lambda before: {**before, "app_key": "k"}, actor="b") == [
        "app_key"
    ]
    assert stored(shop).credentials == {"app_key": "k"}
