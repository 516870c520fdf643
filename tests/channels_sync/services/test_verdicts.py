"""Orders that a comparison fetches by themselves, because no page of the platform showed them."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from channels_sync.connectors.base import Connector, RawPage, connectors
from channels_sync.models import JobState
from channels_sync.services import reconcile
from channels_sync.services.access import shop_access
from channels_sync.services.verdicts import Comparison
from tests.factories import make_order, make_shop


class Slow(Connector):
    """A platform that lists nothing, shows nothing and needs `seconds` for each call."""

    key, label, rereads, fetches, seconds = "slow", "Slow", True, True, 0.0

    def __init__(self):
        self.clock, self.asked = 0.0, []

    def reread(self, access, window):
        return iter(())

    def fetch(self, access, numbers):
        self.asked.append(list(numbers))
        self.clock += self.seconds
        yield RawPage(f"page {len(self.asked)}", b"[]", "application/json", "draft", 0)


@pytest.fixture
def slow(monkeypatch):
    platform = Slow()
    monkeypatch.setitem(connectors._items, "slow", platform)
    monkeypatch.setattr("channels_sync.services.ranges.time", SimpleNamespace(monotonic=lambda: platform.clock))
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
