from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override

from orderhub.models import Warehouse
from tests.factories import make_shop
from tests.triage.judge import NOW, candidate
from tests.triage.selectors.test_findings import judged
from triage.models import ShippingStop
from triage.predicates.base import Need
from triage.selectors.context import batch_context
from triage.selectors.findings import findings_of
from triage.selectors.stops import couriers_of, orders_past_their_stop, running_stops
from triage.services import decide

DAY = timedelta(days=1)
URUMQI = {"province": "新疆维吾尔自治区", "city": "乌鲁木齐市", "district": "天山区"}


def stop(region="新疆", *, since=-1, until=1, now=NOW, **values):
    times = {"starts_at": now + since * DAY, "ends_at": now + until * DAY}
    return ShippingStop.objects.create(region=region, **{"reason": "暴雪", **times, **values})


@pytest.fixture
def delivered_by():
    def make(courier):
        return make_shop(warehouse=Warehouse.objects.create(code="W1", name="W1", settings={"carrier": courier}))

    return make


@pytest.mark.parametrize(
    ("values", "count"),
    [({}, 1), ({"since": 0}, 1), ({"since": 1, "until": 2}, 0), ({"until": 0}, 0), ({"is_active": False}, 0)],
)
def test_only_running_stops_count(db, values, count):
    stop(**values)
    assert len(running_stops(NOW)) == count


@pytest.mark.parametrize(
    ("region", "place", "prefix"),
    [
        ("新疆", "新疆", "65"),
        ("6501", "新疆维吾尔自治区乌鲁木齐市", "6501"),
        ("650100", "新疆维吾尔自治区乌鲁木齐市", "6501"),
        ("650000", "新疆维吾尔自治区", "65"),
        ("65", "新疆维吾尔自治区", "65"),
        ("甘孜", "甘孜", "5133"),
    ],
)
def test_a_region_is_a_name_or_a_code(db, region, place, prefix):
    stop(region)
    assert [(found.place, found.prefix) for found in running_stops(NOW)] == [(place, prefix)]


def test_the_stop_that_ends_last_is_named(db):
    stop(until=1)
    stop(until=3, reason="封路")
    assert [found.reason for found in running_stops(NOW)] == ["封路", "暴雪"]


def test_couriers_are_those_of_the_warehouses(db, delivered_by):
    other, shop = make_shop(), delivered_by("SF")
    assert couriers_of([shop.pk, other.pk]) == {shop.pk: "SF"}


@pytest.mark.parametrize(
    ("values", "lane"),
    [
        ({}, "to_confirm"),
        ({"region": "65"}, "to_confirm"),
        ({"region": "西藏"}, "regular"),
        ({"since": 1, "until": 2}, "regular"),
        ({"since": -2, "until": -1}, "regular"),
        ({"courier": "SF"}, "to_confirm"),
        ({"courier": "YTO"}, "regular"),
    ],
)
def test_orders_wait_while_their_region_is_stopped(rules, delivered_by, values, lane):
    stop(**values)
    (decision,) = decide([candidate(shop_id=delivered_by("SF").pk, receiver=URUMQI)], now=NOW)
    assert decision.lane == lane


@pytest.mark.parametrize(("courier", "queries"), [("", 1), ("SF", 2)])
@pytest.mark.parametrize("size", [1, 3])
def test_stops_take_one_query_a_batch_and_one_for_couriers(db, courier, queries, size, django_assert_num_queries):
    stop(courier=courier)
    orders = [candidate(receiver=URUMQI) for _n in range(size)]
    with django_assert_num_queries(queries):
        batch_context(orders, frozenset({Need.STOPS}), NOW)


def test_the_reason_reads_in_both_languages(rules, shop):
    stop("6501")
    order = judged(shop, receiver=URUMQI)
    with override("en"):
        found = {row.code: row for row in findings_of([order.pk])[order.pk]}["shipping_stopped"]
    assert found.reason == "Nothing ships to 新疆维吾尔自治区乌鲁木齐市 until 2026-11-12 08:30 (every courier): 暴雪"
    assert found.clears == "Wait until the stop ends, or ship with another courier"
    with override("zh-hans"):
        found = {row.code: row for row in findings_of([order.pk])[order.pk]}["shipping_stopped"]
    assert found.reason == "新疆维吾尔自治区乌鲁木齐市停发至 2026-11-12 08:30（所有快递）：暴雪"


@pytest.mark.parametrize("change", [{"is_active": False}, {"ends_at": NOW - DAY, "starts_at": NOW - 2 * DAY}, None])
def test_orders_are_judged_again_when_their_stop_is_over(rules, shop, change):
    now = timezone.now()
    stop(now=now)
    order = judged(shop, receiver=URUMQI, now=now)
    type(order).objects.update(status="in_triage_hold")
    assert orders_past_their_stop() == []
    if change:
        ShippingStop.objects.update(**change)
    else:
        ShippingStop.objects.all().delete()
    assert orders_past_their_stop() == [order.pk]


@pytest.mark.parametrize(
    "change",
    [{"region": "乌鲁木齐"}, {"courier": "YTO"}, {"reason": "封路"}, {"ends_at": timezone.now() + 3 * DAY}],
)
def test_orders_are_judged_again_when_their_stop_is_another(rules, delivered_by, change):
    now = timezone.now()
    stop(courier="SF", now=now)
    order = judged(delivered_by("SF"), receiver=URUMQI, now=now)
    type(order).objects.update(status="in_triage_hold")
    assert orders_past_their_stop() == []
    ShippingStop.objects.update(**change)
    assert orders_past_their_stop() == [order.pk]


def test_orders_are_judged_again_when_their_shop_ships_with_another_courier(rules, delivered_by):
    now = timezone.now()
    stop(courier="SF", now=now)
    order = judged(delivered_by("SF"), receiver=URUMQI, now=now)
    type(order).objects.update(status="in_triage_hold")
    assert orders_past_their_stop() == []
    Warehouse.objects.update(settings={"carrier": "YTO"})
    assert orders_past_their_stop() == [order.pk]
