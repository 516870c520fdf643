import socket

import pytest

from channels_sync.models import ShopSync, SyncRun
from channels_sync.services import health
from channels_sync.services.check import try_connection
from orderhub.core.errors import HubError
from orderhub.models import InboxItem, Shop
from orderhub.services import leases
from tests.factories import make_shop


def test_a_working_connection_is_told_and_a_waiting_shop_is_pulled_again(platform, taobao_shop):
    ShopSync.objects.create(shop=taobao_shop)
    health.record_failure(taobao_shop, HubError("no permission"))
    answer = try_connection(shop_id=taobao_shop.pk, actor="boss")
    assert (answer.is_ok, answer.sentence, answer.cause) == (True, "", "")
    assert answer.took_ms >= 0
    assert health.is_due(ShopSync.objects.get(), taobao_shop)
    assert (InboxItem.objects.count(), SyncRun.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("credentials", "cause"),
    [
        ({"app_secret": "not-the-secret"}, "secret"),
        ({"session": "revoked"}, "session"),
        ({"session": ""}, "missing"),
    ],
)
def test_what_stands_in_the_way_is_told_by_its_cause(platform, taobao_shop, credentials, cause):
    taobao_shop.credentials = {**taobao_shop.credentials, **credentials}
    taobao_shop.save()
    answer = try_connection(shop_id=taobao_shop.pk, actor="boss")
    assert (answer.is_ok, answer.cause) == (False, cause)
    assert answer.sentence
    assert taobao_shop.credentials["app_secret"] not in answer.sentence


def test_a_platform_that_is_away_is_told_as_such(taobao_shop, settings, free_port):
    settings.TAOBAO_GATEWAY_URL = f"http://127.0.0.1:{free_port}/router/rest"
    assert try_connection(shop_id=taobao_shop.pk, actor="boss").cause == "network"


def test_a_second_test_waits_for_nobody(taobao_shop):
    with leases.hold(f"check:{taobao_shop.pk}", 60), pytest.raises(HubError, match=r"."):
        try_connection(shop_id=taobao_shop.pk, actor="boss")


@pytest.mark.django_db
@pytest.mark.parametrize("platform_key", ["own", "file", "gone"])
def test_a_shop_that_is_not_pulled_has_nothing_to_try(platform_key):
    shop = make_shop(platform=platform_key)
    with pytest.raises(HubError):
        try_connection(shop_id=shop.pk, actor="boss")
    assert not ShopSync.objects.exists()


def test_a_lost_data_key_is_told(platform, taobao_shop):
    Shop.objects.filter(pk=taobao_shop.pk).update(sealed_credentials=b"\x01\xff" + b"0" * 40)
    answer = try_connection(shop_id=taobao_shop.pk, actor="boss")
    assert (answer.is_ok, answer.cause) == (False, "missing")


@pytest.fixture
def free_port():
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield free.getsockname()[1]
