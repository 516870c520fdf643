import pytest

from channels_sync.models import ShopSync
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.services import health, masks
from orderhub import pulls
from orderhub.models import Order, Receiver
from orderhub.schedules import JOBS
from orderhub.selectors.search import find
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop


@pytest.fixture
def platform(settings):
    """A platform that sends cipher texts only, and whose masked texts fail during the pull."""
    with Sandbox(Options(shares={"douyin": 1}, moves=False), now=PlatformClock()) as sandbox:
        settings.DOUYIN_GATEWAY_URL = f"{sandbox.url}/douyin"
        sandbox.douyin.orders.with_masks = False
        yield sandbox


@pytest.fixture
def shop(rules, platform):
    shop = make_shop("dy", platform="douyin", settings={"look_back_hours": 1, "calls_per_second": 1000})
    shop.credentials = {
        "app_key": SANDBOX.douyin_app_key, "app_secret": SANDBOX.douyin_secret, "shop_id": SANDBOX.douyin_shop_id,
        "access_token": SANDBOX.douyin_token,
    }  # fmt: skip
    shop.save()
    return shop


def sealed_orders(platform, shop, count):
    platform.live.make(count)
    platform.faults.add({"kind": "remote_error", "method": "order.batchSensitive", "times": 3})
    pulls.pull_shop(shop.pk, force=True)
    platform.faults.clear()
    assert set(Receiver.objects.values_list("kind", flat=True)) == {"cipher"}


def test_the_job_is_in_the_table_and_knows_who_masks(platform, shop):
    assert JOBS["masks"].run is masks.fill
    make_shop("jd", platform="jd")
    assert masks.shops() == [shop.pk]


def test_masked_texts_are_filled_in_for_nothing(platform, shop):
    sealed_orders(platform, shop, 5)
    before = dict(Order.objects.values_list("pk", "content_hash"))
    assert masks.fill() == 5
    for order in Order.objects.select_related("receiver"):
        truth = platform.store.get(order.external_no).draft["receiver"]
        receiver = order.receiver
        assert receiver.kind == "masked"
        assert receiver.name_masked[0] == truth["name"][0]
        assert "*" in receiver.name_masked
        assert receiver.phone_masked[-4:] == truth["phone"][-4:]
        assert "*" in receiver.detail_masked
        assert receiver.province == truth["province"]
        assert receiver.phone_index is None
    assert dict(Order.objects.values_list("pk", "content_hash")) == before
    assert platform.store.writes("douyin", "reveal") == []
    assert masks.fill() == 0


def test_orders_are_found_by_the_end_of_a_masked_phone(platform, shop):
    sealed_orders(platform, shop, 1)
    masks.fill()
    order = Order.objects.get()
    tail = platform.store.get(order.external_no).draft["receiver"]["phone"][-4:]
    assert list(find(tail).order_ids) == [order.pk]


def test_an_unchanged_order_that_comes_again_keeps_its_masks(platform, shop):
    sealed_orders(platform, shop, 2)
    masks.fill()
    platform.faults.add({"kind": "remote_error", "method": "order.batchSensitive", "times": 3})
    pulls.pull_shop(shop.pk, force=True)
    assert set(Receiver.objects.values_list("kind", flat=True)) == {"masked"}


def test_a_text_that_the_platform_does_not_mask_is_left_out(platform, shop):
    sealed_orders(platform, shop, 2)
    order = Order.objects.first()
    order.extra = {**order.extra, "sealed": dict.fromkeys(order.extra["sealed"], "#another#cipher#1##")}
    order.save()
    assert masks.fill() == 1
    assert Receiver.objects.get(order=order).kind == "cipher"


@pytest.mark.parametrize("kind", ["http500", "throttle", "truncated"])
def test_a_platform_that_fails_is_asked_again_at_the_next_run(platform, shop, kind):
    sealed_orders(platform, shop, 2)
    platform.faults.add({"kind": kind, "method": "order.batchSensitive", "times": 20})
    assert masks.fill() == 0
    platform.faults.clear()
    assert masks.fill() == 2


def test_a_shop_that_needs_a_person_is_left_alone(platform, shop):
    sealed_orders(platform, shop, 1)
    ShopSync.objects.update(error_kind="authorisation", failed_with=health.fingerprint(shop))
    assert masks.fill() == 0


def test_a_receiver_that_changed_meanwhile_is_left_alone(platform, shop, monkeypatch):
    sealed_orders(platform, shop, 1)
    store = masks._store

    def later(shop, texts):
        Receiver.objects.update(kind="plain", name_masked="李**")
        return store(shop, texts)

    monkeypatch.setattr(masks, "_store", later)
    assert masks.fill() == 0
    assert Receiver.objects.get().name_masked == "李**"


def test_masks_of_an_old_address_do_not_land_on_a_new_one(platform, shop, monkeypatch):
    sealed_orders(platform, shop, 2)
    moved, store = Order.objects.order_by("pk").first(), masks._store

    def later(shop, texts):
        Order.objects.filter(pk=moved.pk).update(extra={**moved.extra, "sealed": {"detail": "#another#address#1##"}})
        return store(shop, texts)

    monkeypatch.setattr(masks, "_store", later)
    assert masks.fill() == 1
    receiver = Receiver.objects.get(order=moved)
    assert (receiver.kind, receiver.detail_masked) == ("cipher", "")


def test_the_statements_do_not_grow_with_the_orders(platform, shop, django_assert_max_num_queries):
    counts = []
    for number in (1, 3):
        sealed_orders(platform, shop, number) if number == 1 else None
        if number == 3:
            platform.live.make(3)
            platform.faults.add({"kind": "remote_error", "method": "order.batchSensitive", "times": 3})
            pulls.pull_shop(shop.pk, force=True)
            platform.faults.clear()
        with django_assert_max_num_queries(25) as asked:
            assert masks.fill() == number
        counts.append(len(asked))
    assert counts[0] == counts[1]
