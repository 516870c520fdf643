"""Orders that a comparison fetches by themselves, because no page of the platform showed them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.models import JobState
from channels_sync.services import reconcile
from channels_sync.services.access import shop_access
from channels_sync.services.verdicts import Comparison
from tests.channels_sync.slow import slow_platform
from tests.factories import make_order, make_shop


@pytest.fixture
def slow(monkeypatch):
    platform = slow_platform(monkeypatch, "channels_sync.services.ranges")
    platform.is_empty = True
    return platform


def test_orders_are_fetched_in_lots_with_a_look_before_each(db, slow):
    shop, looks = make_shop("slow", platform="slow"), []
    comparison = Comparison(shop, shop_access(shop), slow)
    comparison.settle([f"T{n:02}" for n in range(20)], lambda: looks.append(len(slow.asked)))
    assert [len(lot) for lot in slow.asked] == [8, 8, 4]
    assert looks == [0, 1, 2]


def test_a_platform_that_hangs_ends_the_turn_between_two_lots(db, slow):
    shop, now = make_shop("slow", platform="slow"), timezone.now()
    for n in range(20):
        make_order(shop, external_no=f"T{n:02}", created_at=now - timedelta(minutes=20))
    job = reconcile.start(shop_id=shop.pk, start=now - timedelta(minutes=30), end=now, actor="meimei")
    slow.seconds = 62.0
    assert reconcile.run(job.pk)
    job.refresh_from_db()
    assert [len(lot) for lot in slow.asked] == [8]
    assert (job.state, job.failures, job.slice_seconds) == (JobState.RUNNING, 0, 900)
