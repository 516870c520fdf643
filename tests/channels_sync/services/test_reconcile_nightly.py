"""Comparisons that nobody asks for: each night's, and when they are deleted."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from channels_sync.models import Difference, JobState, Reconciliation, RunKind, SyncRun
from channels_sync.services import reconcile
from tests.factories import make_shop


@pytest.mark.parametrize(
    ("at", "asked"),
    [("2026-11-12T02:59:00+08:00", 0), ("2026-11-12T03:00:00+08:00", 1), ("2026-11-12T06:59:00+08:00", 1),
     ("2026-11-12T07:00:00+08:00", 0)],
)  # fmt: skip
def test_the_night_asks_each_shop_once_for_the_two_days_before_midnight(db, at, asked):
    shop = make_shop("tb", platform="taobao")
    make_shop("own", platform="file")
    make_shop("old", platform="taobao", is_active=False)
    now = datetime.fromisoformat(at)
    assert reconcile.nightly(now) == asked
    assert reconcile.nightly(now) == 0
    rows = list(Reconciliation.objects.values_list("shop", "start", "end", "day"))
    midnight = datetime.fromisoformat("2026-11-12T00:00:00+08:00")
    assert rows == [(shop.pk, midnight - timedelta(days=2), midnight, midnight.date())][:asked]


@pytest.mark.parametrize(("days_ago", "days"), [(1, 2), (4, 4), (30, 7)])
def test_a_missed_night_is_made_up_for_but_not_for_ever(db, days_ago, days):
    shop = make_shop("tb", platform="taobao")
    now = datetime.fromisoformat("2026-11-12T03:30:00+08:00")
    midnight = now.replace(hour=0, minute=0)
    last = midnight - timedelta(days=days_ago)
    Reconciliation.objects.create(
        shop=shop, start=last - timedelta(days=2), end=last, position=last, state=JobState.DONE, actor="nightly",
        day=last.date(),
    )  # fmt: skip
    reconcile.nightly(now)
    assert Reconciliation.objects.latest("pk").start == midnight - timedelta(days=days)


@pytest.mark.parametrize(("hours", "asked"), [(30, [30]), (72, [48]), (0, []), (-2, [])])
def test_what_lies_before_the_first_pull_of_a_shop_is_not_told_as_lost(db, hours, asked):
    """`hours`: how long before midnight the first pull began to look."""
    shop = make_shop("tb", platform="taobao")
    now = datetime.fromisoformat("2026-11-12T03:30:00+08:00")
    midnight = now.replace(hour=0, minute=0)
    first = midnight - timedelta(hours=hours)
    runs = [(RunKind.REREAD, first - timedelta(days=9)), (RunKind.PULL, first), (RunKind.PULL, now)]
    for minute, (kind, start) in enumerate(runs):
        started = now - timedelta(minutes=9 - minute)
        SyncRun.objects.create(shop=shop, kind=kind, window_start=start, window_end=now, started_at=started)
    assert reconcile.nightly(now) == len(asked)
    begins = Reconciliation.objects.values_list("start", flat=True)
    assert [midnight - begin for begin in begins] == [timedelta(hours=each) for each in asked]


@pytest.mark.parametrize(("days", "left"), [(89, 1), (91, 0)])
def test_old_comparisons_go_with_their_differences(db, days, left):
    shop = make_shop("tb", platform="taobao")
    at = timezone.now() - timedelta(days=days)
    job = Reconciliation.objects.create(shop=shop, start=at, end=at, position=at, actor="nightly", created_at=at)
    Difference.objects.create(reconciliation=job, shop=shop, kind="field", external_no="T1")
    assert reconcile.prune() == 1 - left
    assert (Reconciliation.objects.count(), Difference.objects.count()) == (left, left)
