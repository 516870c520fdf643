import traceback
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ, Schedule

from orderhub import schedules, stock_lane
from orderhub.core.errors import HubError
from orderhub.models import JobHeartbeat, Lease
from orderhub.schedules import JOBS, Periodic
from orderhub.selectors.health import silent_jobs
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def counted(monkeypatch):
    """A job of the table that counts its runs."""
    runs = []
    monkeypatch.setitem(JOBS, "counted", Periodic("counted", 1, lambda: runs.append(1)))
    return runs


def test_a_sync_writes_the_whole_table_once():
    assert sorted(schedules.sync()) == sorted(JOBS)
    assert schedules.sync() == []
    rows = {
        row.name: (row.func, row.args, row.schedule_type, row.minutes, row.repeats) for row in Schedule.objects.all()
    }
    assert rows == {name: (schedules.TASK, f"('{name}',)", "I", job.minutes, -1) for name, job in JOBS.items()}


def test_a_malformed_row_and_a_foreign_one_are_removed():
    schedules.sync()
    Schedule.objects.create(name="foreign", func="os.getpid", args="'not closed", next_run=timezone.now())
    Schedule.objects.create(name=None, func="os.getpid", next_run=timezone.now())
    assert sorted(schedules.sync()) == ["None", "foreign"]
    assert set(Schedule.objects.values_list("name", flat=True)) == set(JOBS)


def test_the_heartbeat_of_a_job_that_is_no_more_goes():
    for name in ("renamed", "pull", stock_lane.NAME, schedules.WATCH):
        JobHeartbeat.objects.create(name=name, beat_at=timezone.now())
    JobHeartbeat.objects.filter(name="renamed").update(beat_at=timezone.now() - timedelta(days=1))
    assert silent_jobs() == "renamed"
    schedules.sync()
    assert silent_jobs() == ""
    assert set(JobHeartbeat.objects.values_list("name", flat=True)) == {"pull", stock_lane.NAME, schedules.WATCH}


@pytest.mark.parametrize(
    "damage",
    [
        {"args": "'not closed"},
        {"func": "os.getpid"},
        {"minutes": 500},
        {"repeats": 0},
        {"schedule_type": "O"},
        {"cluster": "elsewhere"},
        {"next_run": timezone.now() + timedelta(days=400)},
        {"next_run": timezone.now() - timedelta(days=400)},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_a_damaged_row_is_mended(damage):
    schedules.sync()
    Schedule.objects.filter(name="outbox").update(**damage)
    assert schedules.sync() == ["outbox"]
    assert schedules.sync() == []


def test_a_second_row_of_one_job_goes():
    schedules.sync()
    row = Schedule.objects.get(name="pull")
    row.pk = None
    row.save()
    assert schedules.sync() == ["pull"]
    assert Schedule.objects.filter(name="pull").count() == 1


def test_a_job_runs_under_its_lease_and_beats(counted):
    assert schedules.run_job("counted")
    assert counted == [1]
    beat = JobHeartbeat.objects.get(name="counted")
    assert (beat.is_ok, beat.every_seconds) == (True, 60)
    assert Lease.objects.get(name="job:counted").until is None


def test_a_job_that_runs_elsewhere_is_left_alone(counted):
    until = timezone.now() + timedelta(minutes=1)
    Lease.objects.create(name="job:counted", token="00000000-0000-4000-8000-000000000001", until=until)
    assert not schedules.run_job("counted")
    assert counted == []
    assert Lease.objects.get(name="job:counted").until == until


def test_a_job_that_fails_says_its_kind_only_and_frees_its_lease(monkeypatch):
    def fail():
        raise ValueError("13912345678 is no number")

    monkeypatch.setitem(JOBS, "failing", Periodic("failing", 1, fail))
    with pytest.raises(schedules.JobFailedError, match=r"^ValueError$") as raised:
        schedules.run_job("failing")
    assert "13912345678" not in "".join(traceback.format_exception(raised.value))
    beat = JobHeartbeat.objects.get(name="failing")
    assert (beat.is_ok, beat.message) == (False, "ValueError")
    assert Lease.objects.get(name="job:failing").until is None


PHONE = "13912345678"


def broken(*, foreseen):
    try:
        raise ValueError(PHONE)
    except ValueError as error:
        if foreseen:
            raise HubError("no such shop") from error
        raise


@pytest.mark.parametrize(("foreseen", "words"), [(False, "ValueError"), (True, "no such shop")])
def test_a_task_that_fails_says_its_kind_only_too(foreseen, words):
    with pytest.raises(HubError, match=rf"^{words}$") as raised:
        schedules.run_task("tests.orderhub.test_schedules.broken", foreseen=foreseen)
    assert PHONE not in "".join(traceback.format_exception(raised.value))


def test_every_task_goes_through_the_one_entry():
    shop = make_shop(platform="taobao")
    schedules.pull_when_due(shop.pk)
    schedules.start_pull(shop.pk)
    schedules.take_events()
    tasks = [row.task for row in OrmQ.objects.order_by("pk")]
    assert [(task["func"], task["args"][0]) for task in tasks] == [
        (schedules.ENTRY, schedules.PULL_TASK), (schedules.ENTRY, schedules.PULL_TASK),
        (schedules.ENTRY, schedules.EVENTS_TASK),
    ]  # fmt: skip
    assert all(callable(import_string(task["args"][0])) for task in tasks)


def test_start_queues_one_task():
    schedules.start("outbox")
    (task,) = [row.task for row in OrmQ.objects.all()]
    assert (task["func"], task["args"]) == (schedules.TASK, ("outbox",))


def test_every_job_runs_on_an_empty_hub():
    for name in JOBS:
        assert schedules.run_job(name)
    assert set(JobHeartbeat.objects.filter(is_ok=True).values_list("name", flat=True)) == set(JOBS)
