"""A platform that lists less than it counts: the orders come all the same, or a person is told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.models import Backfill, JobState, RunState, SyncRun
from channels_sync.selectors.board import board
from channels_sync.selectors.troubles import Level, troubles
from channels_sync.services import backfill
from orderhub.models import Order
from tests.channels_sync.world import hub_and_platforms
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["taobao", "jd"])
def world(request, settings):
    load_defaults()
    with hub_and_platforms(settings, request.param) as world:
        world.platform = request.param
        shop = world.shops[request.param]
        shop.settings["read_refunds"] = False  # JD names orders under refund beside the list: they would come in early
        shop.save()
        world.sandbox.live.make(12)
        yield world


def told():
    """Return the troubles over short windows, as the board judges."""
    found = troubles(board().channels[0], timezone.now())
    return [(one.key, one.level, one.count) for one in found if one.key in {"short", "given_up"}]


def next_reading():
    """Let the pause pass, give each due back-fill its turn, and return what became of the only one."""
    Backfill.objects.update(next_attempt_at=None)
    for pk in backfill.due():
        backfill.run(pk)
    return Backfill.objects.get()


def seconds_left(job):
    return (job.next_attempt_at - timezone.now()) / timedelta(seconds=1)


def test_a_window_that_came_short_is_read_again_by_itself_until_all_orders_are_in(world):
    count = len(world.drafts(world.platform))
    world.sandbox.faults.add({"kind": "wrong_page", "times": 999})
    world.pull()
    run, job = SyncRun.objects.get(), Backfill.objects.get()
    assert run.state == RunState.DONE and run.error.endswith(f"：平台统计 {count} 单，列表仅返回 0 单。")
    assert (job.start, job.end, job.actor) == (run.window_end - timedelta(minutes=30), run.window_end, "pull")
    assert told() == [("short", Level.WARN, count)] and 30 < seconds_left(job) <= 60
    world.pull()
    assert Backfill.objects.count() == 1 and backfill.due() == []

    job = next_reading()
    assert (job.state, job.short_tries, Order.objects.count()) == (JobState.RUNNING, 1, 0)
    assert 270 < seconds_left(job) <= 300 and told() == [("short", Level.WARN, count)]

    world.sandbox.faults.clear()
    assert next_reading().state == JobState.DONE
    assert set(Order.objects.values_list("external_no", flat=True)) == set(world.drafts(world.platform))
    assert told() == []


def test_after_three_readings_in_vain_a_person_is_told_and_may_end_it(world):
    count = len(world.drafts(world.platform))
    world.sandbox.faults.add({"kind": "wrong_page", "times": 9999})
    world.pull()
    assert [next_reading().state for _ in range(3)] == [JobState.RUNNING, JobState.RUNNING, JobState.FAILED]
    assert told() == [("given_up", Level.BAD, count)]
    world.pull()
    job = Backfill.objects.get()
    assert job.state == JobState.FAILED and job.may_stop
    assert backfill.cancel(job.pk, "meimei") and told() == []


def test_a_range_that_was_given_up_is_tried_again_once_the_platform_lists_what_it_counts(world):
    world.sandbox.faults.add({"kind": "wrong_page", "times": 9999})
    world.pull()
    for _ in range(3):
        next_reading()
    world.sandbox.faults.clear()
    world.pull()
    assert next_reading().state == JobState.DONE
    assert set(Order.objects.values_list("external_no", flat=True)) == set(world.drafts(world.platform))
