from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from orderhub.selectors import overview
from tests.factories import make_order, make_shop
from tests.plans import plan_of

NOW = datetime(2026, 11, 11, 4, 30, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def test_hours_are_full_and_days_are_24_hours(django_assert_num_queries):
    one, two = make_shop(name="一店"), make_shop(name="二店")
    for shop, minutes in ((one, 0), (one, 29), (one, 31), (two, 60 * 23 + 29), (two, 60 * 24), (one, -60)):
        make_order(shop, created_at=NOW - timedelta(minutes=minutes))
    with django_assert_num_queries(1):
        traffic = overview.traffic(NOW)
    assert traffic.this_hour == 2
    assert traffic.by_shop[one.pk][-2:] == [1, 2]
    assert traffic.by_shop[two.pk][0] == 1
    assert traffic.shops == {one.pk: (one.code, "一店", "file"), two.pk: (two.code, "二店", "file")}
    assert sum(traffic.per_hour) == 4


def test_the_hour_is_split_by_lane_with_urgent_beside_it():
    shop = make_shop()
    for lane, minutes in (("regular", 5), ("regular", 29), ("abnormal", 5), ("", 5), ("to_confirm", 31)):
        make_order(shop, lane=lane, is_urgent=minutes == 29, created_at=NOW - timedelta(minutes=minutes))
    make_order(shop, lane="abnormal", is_urgent=True, created_at=NOW)
    assert overview.traffic(NOW).by_lane == {"regular": 2, "abnormal": 2, "": 1, "urgent": 2}


def test_open_regular_orders_are_a_queue_until_they_go_to_the_warehouse():
    shop, late = make_shop(), timezone.now() - timedelta(minutes=1)
    for status in ("ready", "short", "wms_failed", "wms_queued", "delivered"):
        make_order(shop, status=status, lane="regular", ship_by=late if status == "short" else None)
    queue = overview.queues(("regular",))["regular"]
    assert (queue.waiting, queue.overdue) == (3, 1)


def test_shares_count_judged_orders_only():
    shop = make_shop()
    for lane, minutes in (("regular", 5), ("abnormal", 5), ("", 5), ("to_confirm", 120), ("regular", 120)):
        make_order(shop, lane=lane, created_at=NOW - timedelta(minutes=minutes))
    traffic = overview.traffic(NOW)
    assert (traffic.judged, traffic.manual, traffic.manual_share) == (4, 2, 0.5)
    assert (traffic.judged_60, traffic.abnormal_60, traffic.abnormal_share) == (2, 1, 0.5)


def test_shares_count_what_people_have_let_go_since():
    shop = make_shop()
    for lane, worst in (("regular", "to_confirm"), ("regular", "abnormal"), ("regular", "regular"), ("abnormal", "")):
        make_order(shop, lane=lane, worst_lane=worst, created_at=NOW - timedelta(minutes=5))
    traffic = overview.traffic(NOW)
    assert (traffic.manual_share, traffic.abnormal_share) == (0.75, 0.5)
    assert traffic.by_lane == {"regular": 3, "abnormal": 1}


def test_no_orders_are_no_figure_rather_than_zero():
    traffic = overview.traffic(NOW)
    assert (traffic.manual_share, traffic.abnormal_share) == (None, None)
    assert traffic.per_hour == [0] * 24


def test_queues_are_one_statement(django_assert_num_queries):
    shop = make_shop()
    now = timezone.now()
    held = {"status": "in_triage_hold", "lane": "to_confirm"}
    oldest = make_order(shop, **held, triaged_at=now, held_since=now - timedelta(minutes=40))
    make_order(shop, **held, held_since=now - timedelta(minutes=5))
    make_order(shop, status="ready", lane="to_confirm")
    with django_assert_num_queries(1):
        queues = overview.queues()
    assert set(queues.items) == set(overview._QUEUES)
    assert (queues["confirm"].waiting, queues["confirm"].overdue) == (2, 1)
    assert queues["confirm"].oldest == oldest.created_at
    assert (queues["abnormal"].waiting, queues["abnormal"].oldest) == (0, None)


def test_the_oldest_of_a_queue_too_long_to_count_is_the_oldest_of_all(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(overview, "COUNT_CAP", 2)
    shop = make_shop()
    for hours in (2, 3, 4, 9):
        since = NOW - timedelta(hours=hours)
        late = since if hours == 9 else None
        make_order(shop, status="in_triage_hold", lane="to_confirm", created_at=since, held_since=late)
    for hours in (5, 6):
        make_order(shop, status="in_triage_hold", lane="abnormal", created_at=NOW - timedelta(hours=hours))
    with django_assert_num_queries(2):
        queues = overview.queues(("confirm", "abnormal"))
    confirm, abnormal = queues["confirm"], queues["abnormal"]
    assert (confirm.waiting, confirm.overdue, confirm.oldest) == (3, 1, NOW - timedelta(hours=9))
    assert (abnormal.waiting, abnormal.overdue, abnormal.oldest) == (2, 0, NOW - timedelta(hours=6))
    assert (confirm.is_capped, abnormal.is_capped) == (True, False)


@pytest.mark.parametrize(("key", "index"), [
    ("regular", "order_regular"), ("confirm", "order_status"), ("abnormal", "order_status"), ("urgent", "order_urgent"),
    ("short", "order_status"), ("drift", "order_drift"), ("push", "effect_pending"), ("dead", "effect_dead"),
    ("rejects", "reject_open"), ("inbox", "inbox_open"),
])  # fmt: skip
def test_the_oldest_of_each_queue_is_the_first_of_its_index(key, index):
    plan = plan_of(overview.oldest_sql(key), {"confirm_before": NOW})
    assert (f"Index Scan using {index}" in plan or f"Index Only Scan using {index}" in plan, "Sort" in plan) == (
        True, False,
    )  # fmt: skip


def test_the_least_time_left_comes_first():
    shop = make_shop()
    now = timezone.now()
    held = {"status": "in_triage_hold", "created_at": now}
    later = make_order(shop, lane="abnormal", ship_by=now + timedelta(hours=2), **held)
    sooner = make_order(shop, lane="to_confirm", held_since=now, ship_by=now + timedelta(hours=9), **held)
    never = make_order(shop, lane="abnormal", **held)
    assert [row["id"] for row in overview.most_pressing()] == [sooner.pk, later.pk, never.pk]
    assert [row["id"] for row in overview.most_pressing(limit=1)] == [sooner.pk]
    assert overview.most_pressing(limit=1)[0]["due"] == now + timedelta(minutes=30)
