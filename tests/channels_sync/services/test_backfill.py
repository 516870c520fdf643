import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from channels_sync.connectors.base import ThrottledError, Window
from channels_sync.connectors.taobao import pull
from channels_sync.models import Backfill, JobState, ShopSync, SyncPage
from channels_sync.services import backfill, ranges
from orderhub import pulls
from orderhub.core.errors import HubError, TemporaryError
from orderhub.models import InboxItem, Order
from orderhub.services import leases
from tests.channels_sync.world import PLATFORMS, hub_and_platforms
from tests.factories import make_shop


def visible(platform):
    rows = platform.store.query("SELECT external_no FROM orders WHERE modified <= ?", int(platform.now().timestamp()))
    return {row["external_no"] for row in rows}


def stored():
    return set(Order.objects.values_list("external_no", flat=True))


def last_hour(shop, **values):
    now = timezone.now()
    return backfill.start(
        **{"shop_id": shop.pk, "start": now - timedelta(hours=1), "end": now, "actor": "meimei", **values}
    )


def work_off(job):
    """Give turns until it ends; return how many it took."""
    for turn in range(1, 100):
        assert backfill.run(job.pk)
        job.refresh_from_db()
        if not job.is_open:
            return turn
    raise AssertionError(job.state)


def test_a_range_brings_what_the_pool_lost_and_leaves_the_cursor_where_it_was(platform, taobao_shop, rules):
    platform.live.backlog(120, 0.8)
    pulls.pull_shop(taobao_shop.pk)
    whole, cursor = stored(), ShopSync.objects.get().cursor
    lost = sorted(whole)[::10]
    Order.objects.filter(external_no__in=lost).delete()
    job = last_hour(taobao_shop)
    assert (job.state, job.slices_done, job.slices_total, job.percent) == (JobState.WAITING, 0, 2, 0)
    assert work_off(job) == 1
    assert stored() == whole == visible(platform)
    assert (job.state, job.new, job.unchanged, job.rejected) == (JobState.DONE, len(lost), len(whole) - len(lost), 0)
    assert (job.slices_done, job.slices_total, job.percent, job.last_error) == (2, 2, 100, "")
    assert ShopSync.objects.get().cursor == cursor
    assert job.finished_at > job.started_at


def test_its_pages_are_told_one_by_one(platform, taobao_shop, rules):
    platform.live.backlog(60, 0.3)
    job = last_hour(taobao_shop)
    work_off(job)
    pages = list(SyncPage.objects.filter(backfill_id=job.pk).order_by("pk"))
    assert [page.number for page in pages] == list(range(1, job.pages + 1))
    assert sum(page.rows for page in pages) == job.rows
    assert sum(page.new for page in pages) == job.new == len(visible(platform))
    items = InboxItem.objects.in_bulk([page.inbox_id for page in pages])
    assert {items[page.inbox_id].delivery_key for page in pages} == {page.delivery_key for page in pages}
    assert {item.source for item in items.values()} == {"backfill"}


def test_a_slice_that_takes_too_long_is_made_shorter_and_the_next_turn_goes_on(
    platform, taobao_shop, rules, monkeypatch
):
    monkeypatch.setattr(ranges, "QUICK_SECONDS", 0.0)
    platform.live.backlog(60, 0.8)
    job = last_hour(taobao_shop)
    assert backfill.run(job.pk, seconds=0.0)
    job.refresh_from_db()
    assert (job.state, job.slice_seconds, job.slices_total) == (JobState.RUNNING, 900, 4)
    assert job.position == job.start
    assert work_off(job) == 1
    assert (job.slices_done, job.slices_total) == (4, 4)
    assert stored() == visible(platform)


def test_a_window_with_too_many_rows_is_halved(platform, taobao_shop, rules, monkeypatch):
    monkeypatch.setattr(pull, "LARGEST_SLICE", 40)
    platform.live.backlog(150, 0.8)
    job = last_hour(taobao_shop)
    work_off(job)
    assert job.slices_done > 4
    assert stored() == visible(platform)


def test_a_person_stops_it_at_the_next_page_and_what_came_stays(platform, taobao_shop, rules, monkeypatch):
    taobao_shop.settings = {**taobao_shop.settings, "page_size": 10}
    taobao_shop.save()
    platform.live.backlog(60, 0.3)
    job = last_hour(taobao_shop)
    original = backfill._take_in

    def then_stopped(*args):
        counts = original(*args)
        assert backfill.cancel(job.pk, "meimei")
        return counts

    monkeypatch.setattr(backfill, "_take_in", then_stopped)
    assert backfill.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.closed_by, job.percent) == (JobState.CANCELLED, "meimei", 50)
    assert 0 < len(stored()) <= 10
    assert not backfill.run(job.pk)
    assert not backfill.cancel(job.pk, "meimei")
    assert not backfill.try_again(job.pk, "meimei")


def test_two_workers_two_wishes_one_reading(platform, taobao_shop, rules):
    platform.live.backlog(20, 0.3)
    now = timezone.now()
    job = last_hour(taobao_shop, end=now, start=now - timedelta(hours=1))
    assert last_hour(taobao_shop, end=now, start=now - timedelta(hours=1)) == job
    other = last_hour(taobao_shop, start=now - timedelta(hours=2), end=now - timedelta(hours=1))
    assert backfill.due() == [job.pk]
    with leases.hold(f"backfill:{taobao_shop.pk}", 60):
        assert not backfill.run(job.pk)
    work_off(job)
    assert backfill.due() == [other.pk]
    work_off(other)
    assert backfill.due() == []
    assert Order.objects.count() == len(visible(platform))


KILLED = """
import django, sys
django.setup()
from django.conf import settings
settings.DATABASES["default"]["NAME"] = {name!r}
settings.TAOBAO_GATEWAY_URL = {url!r}
from channels_sync.services import backfill
done = backfill._take_in
def take_in(*args):
    result = done(*args)
    print("page", flush=True)
    sys.stdin.readline()
    return result
backfill._take_in = take_in
backfill.run({job})
"""


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_loses_nothing_and_counts_nothing_twice(platform, taobao_shop, rules):
    taobao_shop.settings = {**taobao_shop.settings, "page_size": 10}
    taobao_shop.save()
    platform.live.backlog(60, 0.4)
    job = last_hour(taobao_shop)
    script = KILLED.format(name=connection.settings_dict["NAME"], url=f"{platform.url}/router/rest", job=job.pk)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as worker:
        assert worker.stdout.readline().strip() == "page"
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
    job.refresh_from_db()
    assert (job.state, job.new) == (JobState.RUNNING, 0)
    assert 0 < len(stored()) < len(visible(platform))
    assert not backfill.run(job.pk)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orderhub_lease SET until = now() - interval '1 second'")
    work_off(job)
    assert stored() == visible(platform)
    assert (job.new, job.unchanged, job.rejected) == (len(stored()), 0, 0)


def test_what_passes_is_tried_again_from_where_it_stood(platform, taobao_shop, rules):
    platform.live.backlog(30, 0.3)
    platform.faults.add({"kind": "http500", "times": 50})
    job = last_hour(taobao_shop)
    backfill.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.failures, job.is_open) == (JobState.RUNNING, 1, True)
    assert "500" in job.last_error
    assert job.next_attempt_at > timezone.now()
    assert backfill.due() == []
    platform.faults.clear()
    assert backfill.try_again(job.pk, "meimei")
    work_off(job)
    assert (job.failures, job.last_error, stored()) == (0, "", visible(platform))


def test_a_refused_session_lets_it_wait_and_a_new_one_go_on(platform, taobao_shop, rules):
    taobao_shop.credentials = {**taobao_shop.credentials, "session": "gone"}
    taobao_shop.save()
    platform.live.backlog(10, 0.3)
    job = last_hour(taobao_shop)
    backfill.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.failures) == (JobState.RUNNING, 1)
    assert "27" in job.last_error
    assert backfill.due() == []
    taobao_shop.credentials = {**taobao_shop.credentials, "session": platform.options.credentials.session}
    taobao_shop.save()
    with time_machine.travel(timezone.now() + timedelta(seconds=31), tick=True):
        assert backfill.due() == [job.pk]
        work_off(job)
    assert stored() == visible(platform)


def test_a_range_that_cannot_be_read_is_refused(taobao_shop):
    now = timezone.now()
    for start, end in (
        (now, now - timedelta(hours=1)),
        (now + timedelta(hours=1), now + timedelta(hours=2)),
        (now - timedelta(days=93), now),
    ):
        with pytest.raises(HubError):
            backfill.start(shop_id=taobao_shop.pk, start=start, end=end, actor="meimei")
    with pytest.raises(HubError):
        last_hour(make_shop("own", platform="file"))
    assert Backfill.objects.count() == 0


def test_its_calls_leave_the_ordinary_pull_half_of_the_rate(monkeypatch):
    slept = []
    clock = [100.0]
    monkeypatch.setattr(ranges.time, "monotonic", lambda: clock[0])

    def sleep(seconds):
        slept.append(round(seconds, 3))
        clock[0] += seconds

    monkeypatch.setattr(ranges.time, "sleep", sleep)
    budget = ranges.GentleBudget(Taken(), 10.0)
    for calls in (20, 20, 1):
        budget.take(calls)
    assert slept == [0.0, 2.0, 2.0]


def test_a_ban_of_the_platform_is_passed_on():
    inner = Taken()
    ranges.GentleBudget(inner, 1.0).block(7.0)
    assert inner.blocked == 7.0


class Taken:
    blocked = 0.0

    def take(self, calls):
        return [0.0] * calls

    def block(self, seconds):
        self.blocked = seconds


@pytest.mark.parametrize(("seconds", "count"), [(0, 0), (1, 1), (1800, 1), (1801, 2), (5400, 3)])
def test_slices_are_counted_up(seconds, count):
    assert ranges.slices(timedelta(seconds=seconds), 1800) == count


def test_a_call_limit_names_when_it_goes_on(taobao_shop, rules, monkeypatch):
    job = last_hour(taobao_shop)

    def limited(job, window, turn):
        assert window == Window(job.start, job.start + timedelta(minutes=30))
        raise ThrottledError("wait", retry_after=120)

    monkeypatch.setattr(backfill, "_one_slice", limited)
    backfill.run(job.pk)
    job.refresh_from_db()
    assert timedelta(seconds=110) < job.next_attempt_at - timezone.now() <= timedelta(seconds=120)


def test_one_that_never_gets_through_asks_for_a_person_in_the_end(taobao_shop, rules, monkeypatch):
    job = last_hour(taobao_shop)
    Backfill.objects.update(failures=ranges.MOST_FAILURES - 1)

    def down(job, window, turn):
        raise TemporaryError("down")

    monkeypatch.setattr(backfill, "_one_slice", down)
    backfill.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.last_error, job.next_attempt_at) == (JobState.FAILED, "down", None)


@pytest.mark.parametrize("key", PLATFORMS)
def test_on_every_platform_it_brings_back_what_the_pool_lost(settings, rules, key):
    with hub_and_platforms(settings, key) as world:
        world.sandbox.live.backlog(60, 0.8)
        world.pull()
        whole, cursor = stored(), ShopSync.objects.get().cursor
        assert whole == set(world.drafts(key))
        lost = sorted(whole)[::7]
        Order.objects.filter(external_no__in=lost).delete()
        job = last_hour(world.shops[key])
        work_off(job)
        assert stored() == whole
        assert (job.state, job.new, job.rejected) == (JobState.DONE, len(lost), 0)
        # An order of the very second at which two slices meet is read with both.
        assert 0 <= job.unchanged - (len(whole) - len(lost)) <= job.slices_done
        assert ShopSync.objects.get().cursor == cursor
