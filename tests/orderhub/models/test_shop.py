from datetime import UTC, datetime

import orjson
import pytest
import time_machine

from orderhub.core.crypto import seal
from orderhub.models import Shop
from tests.factories import make_shop

FIRST, SECOND = datetime(2026, 11, 1, 8, tzinfo=UTC), datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def test_each_value_keeps_the_time_at_which_it_was_set():
    shop = make_shop()
    with time_machine.travel(FIRST, tick=False):
        shop.credentials = {"app_key": "1", "session": "old", "gone": "x"}
    with time_machine.travel(SECOND, tick=False):
        shop.credentials = {"app_key": "1", "session": "new"}
    shop.save()
    stored = Shop.objects.get(pk=shop.pk)
    assert stored.credentials == {"app_key": "1", "session": "new"}
    assert stored.credentials_set_at == {"app_key": FIRST, "session": SECOND}


def test_a_new_shop_waits_as_long_as_the_hub_is_set_to_and_an_old_one_as_before(settings):
    old = make_shop()
    settings.HUB_MERGE_WINDOW_SECONDS = 90
    made = make_shop()
    assert (old.merge_window_seconds, made.merge_window_seconds) == (600, 90)
    old.refresh_from_db()
    assert old.merge_window_seconds == 600
    assert make_shop(merge_window_seconds=0).merge_window_seconds == 0


def test_values_of_versions_that_noted_no_time_are_still_read():
    shop = make_shop()
    shop.sealed_credentials = seal(orjson.dumps({"app_key": "1"}), b"credentials")
    assert (shop.credentials, shop.credentials_set_at) == ({"app_key": "1"}, {})
    with time_machine.travel(SECOND, tick=False):
        shop.credentials = {"app_key": "2"}
    assert shop.credentials_set_at == {"app_key": SECOND}


def test_no_credentials_leave_nothing_behind():
    shop = make_shop()
    shop.credentials = {"app_key": "1"}
    shop.credentials = {}
    assert (bytes(shop.sealed_credentials), shop.credentials, shop.credentials_set_at) == (b"", {}, {})


def test_what_a_lost_key_sealed_can_be_replaced():
    shop = make_shop(sealed_credentials=b"\x01\xff" + b"0" * 40)
    assert not shop.can_open
    shop.credentials = {"app_key": "1"}
    assert shop.credentials == {"app_key": "1"}
