from datetime import UTC, datetime, timedelta

import pytest

from channels_sync.connectors.base import Window
from channels_sync.models import Backfill, JobState
from channels_sync.services import backfill, gaps
from tests.factories import make_shop

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 11, 2, 0, tzinfo=UTC)


def window(start, end):
    """Return a window by minutes after NOW."""
    return Window(NOW + timedelta(minutes=start), NOW + timedelta(minutes=end))


@pytest.fixture
def shop():
    return make_shop("tb", platform="taobao")


def ranges():
    fields = ("start", "end", "position", "counted", "seen", "slices_total", "state")
    return list(Backfill.objects.order_by("start").values_list(*fields))


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.FAILED])
def test_windows_that_touch_become_one_range_that_tells_the_worst_of_them(shop, state):
    assert gaps.note(shop, window(0, 6), 5, 3) == "11-11 10:00 至 11-11 10:06：平台统计 5 单，列表仅返回 3 单。"
    Backfill.objects.update(state=state)
    gaps.note(shop, window(1, 7), 9, 8)
    gaps.note(shop, window(-20, 0), 9, 2)
    whole = window(-20, 7)
    assert ranges() == [(whole.start, whole.end, whole.start, 9, 2, 1, state)]


def test_what_was_read_again_or_is_being_read_gets_a_range_beside_it(shop):
    gaps.note(shop, window(0, 6), 5, 3)
    Backfill.objects.update(state=JobState.DONE)
    gaps.note(shop, window(1, 7), 5, 3)
    Backfill.objects.filter(state=JobState.WAITING).update(state=JobState.RUNNING, next_attempt_at=None)
    gaps.note(shop, window(2, 8), 5, 3)
    assert [row[-1] for row in ranges()] == [JobState.DONE, JobState.RUNNING, JobState.WAITING]


def test_a_back_fill_of_people_that_came_short_takes_no_window_in(shop):
    gaps.note(shop, window(0, 6), 5, 3)
    Backfill.objects.update(actor="meimei")
    gaps.note(shop, window(1, 7), 9, 8)
    assert [row[:2] + row[3:5] for row in ranges()] == [
        (window(0, 6).start, window(0, 6).end, 5, 3), (window(1, 7).start, window(1, 7).end, 9, 8),
    ]  # fmt: skip


def test_its_pauses_hold_up_no_other_back_fill(shop):
    gaps.note(shop, window(0, 6), 5, 3)
    assert backfill.due() == []
    asked = backfill.start(shop_id=shop.pk, start=NOW - timedelta(days=2), end=NOW - timedelta(days=1), actor="meimei")
    assert backfill.due() == [asked.pk]


def test_only_a_range_near_by_is_tried_again_when_the_list_is_right_again(shop):
    gaps.note(shop, window(0, 6), 5, 3)
    Backfill.objects.update(state=JobState.FAILED, short_tries=3)
    assert gaps.revive(shop.pk, since=NOW + timedelta(minutes=7)) == 0
    assert gaps.revive(shop.pk, since=NOW + timedelta(minutes=5)) == 1
    assert Backfill.objects.values_list("state", "short_tries").get() == (JobState.WAITING, 0)


def test_a_span_out_of_reach_is_ended_by_people_and_never_read(shop):
    gaps.note_left_out(shop, NOW - timedelta(days=120), NOW - timedelta(days=90))
    job = Backfill.objects.get()
    assert (job.state, job.is_left_out, job.may_stop) == (JobState.FAILED, True, True)
    assert not backfill.try_again(job.pk, "meimei")
    assert backfill.cancel(job.pk, "meimei")
    gaps.note_left_out(shop, NOW - timedelta(days=120), NOW - timedelta(days=89))
    job.refresh_from_db()
    assert (job.state, job.closed_by, job.end, job.may_stop) == (
        JobState.CANCELLED, "meimei", NOW - timedelta(days=89), False,
    )  # fmt: skip
    assert Backfill.objects.count() == 1


@pytest.mark.parametrize(("actor", "left"), [("meimei", (None, None)), (gaps.ACTOR, (5, 3))])
def test_a_slice_that_came_short_is_settled_once_it_is_read_a_noted_window_once_all_is(shop, monkeypatch, actor, left):
    whole = window(-120, 0)
    job = Backfill.objects.create(
        shop=shop, start=whole.start, end=whole.end, position=whole.start, slice_seconds=1800, actor=actor,
        counted=5, seen=3, short_tries=1,
    )  # fmt: skip
    monkeypatch.setattr(backfill, "_pages", lambda *_args: iter(()))
    assert backfill.run(job.pk, seconds=0)
    job.refresh_from_db()
    assert (job.state, job.slices_done, job.short_tries) == (JobState.RUNNING, 1, 0)
    assert (job.counted, job.seen) == left
