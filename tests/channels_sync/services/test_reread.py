from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.connectors.base import connectors
from channels_sync.models import ShopSync, SyncPage, SyncRun
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.services import health, reread
from orderhub import pulls
from orderhub.models import InboxItem, Order, Reject, TimelineEntry
from orderhub.schedules import JOBS
from orderhub.schedules import reread as job
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop


@pytest.fixture
def platform(settings):
    with Sandbox(Options(shares={"douyin": 1}, moves=False), now=PlatformClock()) as sandbox:
        settings.DOUYIN_GATEWAY_URL = f"{sandbox.url}/douyin"
        yield sandbox


@pytest.fixture
def shop(rules, platform):
    shop = make_shop(
        "dy", platform="douyin", settings={"look_back_hours": 1, "calls_per_second": 1000}, merge_window_seconds=0
    )
    shop.credentials = {
        "app_key": SANDBOX.douyin_app_key, "app_secret": SANDBOX.douyin_secret, "shop_id": SANDBOX.douyin_shop_id,
        "access_token": SANDBOX.douyin_token,
    }  # fmt: skip
    shop.save()
    return shop


def pulled(platform, shop, count=6):
    """Bring paid orders into the pool and return the numbers of those that are open."""
    platform.live.make(count)
    pulls.pull_shop(shop.pk, force=True)
    return list(Order.objects.filter(status__in=["ready", "in_triage_hold"]).values_list("external_no", flat=True))


def write(platform, number, **values):
    """Change an order of the platform without moving its modification time."""
    order = platform.store.get(number)
    order.draft.update(values)
    platform.store.save(order)


def remark(number):
    return Order.objects.get(external_no=number).seller_remark


def runs():
    return list(SyncRun.objects.filter(kind="reread").order_by("pk").values_list("state", "changed"))


def test_the_job_is_in_the_table_and_names_the_shops_whose_time_has_come(platform, shop):
    assert JOBS["reread"].run is job
    other = make_shop("tb", platform="taobao")
    ShopSync.objects.create(shop=other, cursor=timezone.now())
    assert reread.due() == []
    pulled(platform, shop)
    assert reread.due() == [shop.pk]
    reread.run_shop(shop.pk)
    assert reread.due() == []
    ShopSync.objects.update(reread_at=timezone.now() - timedelta(minutes=11))
    assert reread.due() == [shop.pk]


def test_a_remark_that_moves_no_time_comes_by_reading_again(platform, shop):
    number = pulled(platform, shop)[0]
    write(platform, number, seller_remark="改地址", flag="red")
    assert pulls.pull_shop(shop.pk, force=True)["changed"] == 0
    found = reread.run_shop(shop.pk)
    assert found["changed"] == 1
    order = Order.objects.get(external_no=number)
    assert (order.seller_remark, order.flag) == ("改地址", "red")
    assert TimelineEntry.objects.filter(order=order, kind="change").count() == 1
    assert runs() == [("done", 1)]


def test_an_order_that_cannot_be_shown_just_now_is_fetched_by_itself(platform, shop, monkeypatch):
    number = pulled(platform, shop)[0]
    connector = connectors.get("douyin")
    shown = connector.reread
    monkeypatch.setattr(
        connector, "reread", lambda access, window: (replace(page, later=[number]) for page in shown(access, window))
    )
    assert reread.run_shop(shop.pk)["changed"] == 0
    later = InboxItem.objects.filter(delivery_key__startswith="later:")
    assert list(later.values_list("headers", "state")) == [({"numbers": [number]}, "new")]


def test_a_remark_that_goes_back_comes_back(platform, shop):
    number = pulled(platform, shop)[0]
    before = remark(number)
    for text in ("改地址", before, "改地址"):
        write(platform, number, seller_remark=text)
        reread.run_shop(shop.pk)
        assert remark(number) == text


def test_pages_that_say_nothing_new_are_not_stored(platform, shop):
    pulled(platform, shop)
    stored = InboxItem.objects.count()
    found = reread.run_shop(shop.pk)
    assert (found["changed"], found["unchanged"]) == (0, found["rows"])
    assert found["rows"] > 0
    assert InboxItem.objects.count() == stored
    assert SyncPage.objects.filter(run_id__in=SyncRun.objects.filter(kind="reread").values("pk")).count() == 0


def test_an_order_that_the_pool_lost_comes_again_and_nothing_doubles(platform, shop):
    first, second = pulled(platform, shop)[:2]
    write(platform, first, seller_remark="一")
    write(platform, second, seller_remark="二")
    orders = Order.objects.count()
    reread.run_shop(shop.pk)
    reread.run_shop(shop.pk)
    assert Order.objects.count() == orders
    assert (remark(first), remark(second)) == ("一", "二")
    assert runs() == [("done", 2), ("done", 0)]
    assert set(InboxItem.objects.filter(source="reread").values_list("state", flat=True)) == {"done"}


def test_time_without_open_orders_is_not_asked_for(platform, shop):
    number = pulled(platform, shop)[0]
    Order.objects.update(status="completed")
    write(platform, number, seller_remark="晚了")
    assert reread.run_shop(shop.pk) == {}
    assert runs() == []
    assert reread.due() == []


def test_an_order_the_platform_cannot_explain_is_rejected_once(platform, shop):
    pulled(platform, shop)
    number = Order.objects.filter(status__in=["ready", "in_triage_hold"]).first().external_no
    order = platform.store.get(number)
    order.draft["lines"][0]["quantity"] = -1
    platform.store.save(order)
    reread.run_shop(shop.pk)
    reread.run_shop(shop.pk)
    assert Reject.objects.filter(external_no=number).count() == 1


def test_a_run_that_is_out_of_time_goes_on_where_it_stood(platform, shop, monkeypatch):
    pulled(platform, shop, 12)
    Order.objects.update(status="ready")
    numbers = list(Order.objects.values_list("external_no", flat=True))
    for place, number in enumerate(sorted(numbers)):
        moment = timezone.now() - timedelta(hours=5 * (place + 1))
        Order.objects.filter(external_no=number).update(created_at=moment)
    ends = []
    window = reread._Run._window

    def watched(run, start, end):
        ends.append(end)
        window(run, start, end)

    monkeypatch.setattr(reread._Run, "_window", watched)
    monkeypatch.setattr(reread, "RUN_SECONDS", -1.0)
    for _turn in numbers:
        assert ShopSync.objects.get().reread_at is None or ShopSync.objects.get().reread_to is not None
        reread.run_shop(shop.pk)
    assert len(ends) == len(set(ends)) == len(numbers)
    assert ends == sorted(ends, reverse=True)
    assert ShopSync.objects.get().reread_to is None
    assert [state for state, _changed in runs()] == ["stopped"] * (len(numbers) - 1) + ["done"]


@pytest.mark.parametrize("kind", ["http500", "truncated", "disconnect", "throttle", "remote_error", "expired_token"])
def test_a_failure_loses_nothing(platform, shop, kind):
    number = pulled(platform, shop)[0]
    write(platform, number, seller_remark="改地址")
    platform.faults.add({"kind": kind, "method": "order.searchList", "times": 20})
    reread.run_shop(shop.pk)
    assert runs()[0][0] == "failed"
    assert SyncRun.objects.get(kind="reread").error
    assert reread.due() == []
    platform.faults.clear()
    reread.run_shop(shop.pk)
    assert remark(number) == "改地址"


def test_a_session_that_ran_out_is_renewed_on_the_way(platform, shop):
    number = pulled(platform, shop)[0]
    write(platform, number, seller_remark="改地址")
    platform.faults.add({"kind": "expired_token", "method": "order.searchList"})
    assert reread.run_shop(shop.pk)["changed"] == 1
    assert ShopSync.objects.get().token_state == "valid"


def test_a_shop_that_needs_a_person_is_left_alone(platform, shop):
    pulled(platform, shop)
    ShopSync.objects.update(error_kind="authorisation", failed_with=health.fingerprint(shop))
    assert reread.run_shop(shop.pk) is None
    assert runs() == []


def test_one_worker_a_shop(platform, shop):
    pulled(platform, shop)
    with reread.leases.hold(f"reread:{shop.pk}", 60):
        assert reread.run_shop(shop.pk) is None


def test_the_queries_of_a_page_do_not_grow_with_its_orders(platform, shop, django_assert_max_num_queries, monkeypatch):
    # One stretch, so one page, also where the orders were placed on both sides of a half hour.
    monkeypatch.setattr(reread, "SLICE", timedelta(days=20))
    pulled(platform, shop, 2)
    counts = []
    for more in (1, 6):
        pulled(platform, shop, more)
        with django_assert_max_num_queries(40) as asked:
            reread.run_shop(shop.pk)
        counts.append(len(asked))
    assert counts[0] == counts[1]
