from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from orderhub import schedules
from orderhub.models import JobHeartbeat, Lease
from orderhub.schedules import JOBS, Periodic

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


def test_a_job_that_fails_says_so_and_frees_its_lease(monkeypatch):
    def fail():
        raise ValueError("no good")

    monkeypatch.setitem(JOBS, "failing", Periodic("failing", 1, fail))
    with pytest.raises(ValueError, match="no good"):
        schedules.run_job("failing")
    beat = JobHeartbeat.objects.get(name="failing")
    assert (beat.is_ok, beat.message) == (False, "ValueError: no good")
    assert Lease.objects.get(name="job:failing").until is None


def test_start_queues_one_task():
    schedules.start("outbox")
    (task,) = [row.task for row in OrmQ.objects.all()]
    assert (task["func"], task["args"]) == (schedules.TASK, ("outbox",))


def test_every_job_runs_on_an_empty_hub():
    for name in JOBS:
        assert schedules.run_job(name)
    assert set(JobHeartbeat.objects.filter(is_ok=True).values_list("name", flat=True)) == set(JOBS)
