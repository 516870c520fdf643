"""Opening a contact at the platform, through the pages of console and desk."""

import pytest

from channels_sync.connectors.wechat import token
from channels_sync.models import PlatformReveal
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.sandbox.wechat_view import address_of
from orderhub import pulls
from orderhub.models import Order
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop, make_user

RIGHTS = ("orderhub.reveal_personal_data", "orderhub.view_order")


@pytest.fixture
def platform(settings):
    with Sandbox(Options(shares={"douyin": 1}, moves=False), now=PlatformClock()) as sandbox:
        settings.DOUYIN_GATEWAY_URL = f"{sandbox.url}/douyin"
        yield sandbox


@pytest.fixture
def order(rules, platform):
    shop = make_shop("dy", platform="douyin", settings={"look_back_hours": 1, "calls_per_second": 1000})
    shop.credentials = {
        "app_key": SANDBOX.douyin_app_key, "app_secret": SANDBOX.douyin_secret, "shop_id": SANDBOX.douyin_shop_id,
        "access_token": SANDBOX.douyin_token,
    }  # fmt: skip
    shop.save()
    platform.live.make(1)
    pulls.pull_shop(shop.pk, force=True)
    return Order.objects.get()


@pytest.fixture
def anna(client, db):
    user = make_user("anna", *RIGHTS)
    user.is_staff = True
    user.save()
    client.force_login(user)
    client.cookies["django_language"] = "en"
    return user


def detail(platform, order):
    return platform.store.get(order.external_no).draft["receiver"]["detail"]


@pytest.mark.parametrize("page", ["/desk/orders/{}/", "/ops/orderhub/order/{}/change/"])
def test_the_page_says_what_a_look_costs_and_what_is_left(client, anna, platform, order, page):
    shown = client.get(page.format(order.pk)).content.decode()
    assert "(3 here): 150 texts left today" in shown
    assert '<option value="phone">' in shown
    assert detail(platform, order) not in shown


@pytest.mark.parametrize("page", ["/desk/orders/{}/reveal/", "/ops/orderhub/order/{}/reveal/"])
def test_the_texts_come_with_the_end_of_the_virtual_number(client, anna, platform, order, page):
    answer = client.post(page.format(order.pk), {"reason": "核对地址", "parts": ""})
    shown = answer.content.decode()
    assert detail(platform, order) in shown
    assert "Virtual number, works until" in shown
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("page", ["/desk/orders/{}/reveal/", "/ops/orderhub/order/{}/reveal/"])
def test_one_part_may_be_asked_for(client, anna, platform, order, page):
    shown = client.post(page.format(order.pk), {"reason": "打电话", "parts": "phone"}).content.decode()
    assert detail(platform, order) not in shown
    assert "Virtual number, works until" in shown
    assert PlatformReveal.objects.get().texts == 1


@pytest.mark.parametrize("page", ["/desk/orders/{}/reveal/", "/ops/orderhub/order/{}/reveal/"])
def test_a_used_up_quota_is_told_on_the_page(client, anna, platform, order, page):
    order.shop.settings = {**order.shop.settings, "reveals_per_person": 2}
    order.shop.save()
    shown = client.post(page.format(order.pk), {"reason": "核对地址"}).content.decode()
    assert "you had 0 of your 2 texts" in shown
    assert detail(platform, order) not in shown


def test_looking_without_asking_takes_no_text(client, anna, platform, order):
    client.get(f"/desk/orders/{order.pk}/")
    assert PlatformReveal.objects.count() == 0
    assert platform.store.writes("douyin", "reveal") == []


@pytest.fixture
def wechat(rules, settings):
    """A WeChat shop that masks receivers until they are opened, with its orders in the pool."""
    token._slots.clear()
    with Sandbox(Options(shares={"wechat": 1}, moves=False), now=PlatformClock()) as sandbox:
        settings.WECHAT_GATEWAY_URL = f"{sandbox.url}/wechat"
        sandbox.wechat.contacts.hides = True
        shop = make_shop("wx", platform="wechat", settings={"look_back_hours": 1, "calls_per_second": 1000})
        shop.credentials = {"app_id": SANDBOX.wechat_app_id, "app_secret": SANDBOX.wechat_secret}
        shop.save()
        sandbox.live.make(40)
        pulls.pull_shop(shop.pk, force=True)
        yield sandbox


@pytest.mark.parametrize("place", ["/desk/orders/{}/", "/ops/orderhub/order/{}/"])
def test_a_masked_receiver_of_a_wechat_shop_is_opened_on_the_page(client, anna, wechat, place):
    orders = Order.objects.filter(channel_status="20", lines__refund="none").order_by("pk")
    order = next(o for o in orders if address_of(wechat.store.get(o.external_no).draft)["use_tel_number"])
    page = place.format(order.pk)
    before = client.get(page if "desk" in page else f"{page}change/").content.decode()
    assert "(1 here): 150 texts left today" in before
    assert detail(wechat, order) not in before
    shown = client.post(f"{page}reveal/", {"reason": "核对地址", "parts": ""}).content.decode()
    number = address_of(wechat.store.get(order.external_no).draft)["tel_number_ext_info"]["virtual_tel_number"]
    assert detail(wechat, order) in shown
    assert number in shown
    assert "Virtual number, works until" in shown
    assert PlatformReveal.objects.get().texts == 1
