import json
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from channels_sync.models import ShopSync
from orderhub import schedules, stock_lane
from orderhub import watch as watch_module
from orderhub.core.effects import effect_handlers
from orderhub.models import Effect, InboxItem, JobHeartbeat, Lease
from orderhub.schedules import JOBS, Periodic
from orderhub.selectors import vitals
from orderhub.selectors.vitals import Beat, Vitals
from orderhub.services import jobs
from orderhub.services.gate import set_gate
from orderhub.watch import QUEUE_LIMIT, Watch, read_state, run_alarm_command, silent_jobs
from tests.drafts import deliver, draft
from tests.factories import make_order, make_shop

TABLE = {"outbox": Periodic("outbox", 1, lambda: None)}
SILENT_AFTER = TABLE["outbox"].silent_after_seconds


@pytest.fixture
def state_file(tmp_path):
    return tmp_path / "watch.json"


@pytest.fixture
def all_is_well(db, monkeypatch):
    """Every job has just run, a cluster and the lane of the stock are there."""
    monkeypatch.setattr("orderhub.watch.Stat.get_all", lambda: ["a cluster"])
    schedules.sync()
    with jobs.beat(stock_lane.NAME, stock_lane.BEAT_SECONDS):
        pass
    for name, job in JOBS.items():
        with jobs.beat(name, job.minutes * 60):
            pass


@pytest.fixture(autouse=True)
def handled(monkeypatch):
    """Only pushes to the warehouse have somebody who carries them out."""
    monkeypatch.setattr(effect_handlers, "_items", {"wms_push": None})


@pytest.fixture
def told(settings, tmp_path):
    """What the alarm command was told."""
    file = tmp_path / "told"
    settings.HUB_ALARM_COMMAND = f"sh -c 'cat >> {file}; echo >> {file}'"

    def events():
        return [(event["alarm"], event["state"]) for event in map(json.loads, file.read_text().splitlines())]

    return events


def seen(**beats):
    rows = {name: Beat(name, age, is_ok, "ValueError: bad") for name, (age, is_ok) in beats.items()}
    return Vitals(datetime.now(UTC), False, False, False, False, 0, frozenset(), rows)


def queued():
    return sorted(row.task["args"][-1] for row in OrmQ.objects.all())


@pytest.mark.parametrize(
    ("age", "watched", "expected"),
    [
        (SILENT_AFTER, 9999, {}),
        (SILENT_AFTER + 1, 9999, {"job:outbox": f"the job outbox is silent: it ran {SILENT_AFTER + 1} s ago"}),
        (SILENT_AFTER + 1, 5, {}),
    ],
)
def test_a_job_is_silent_once_its_time_is_over(age, watched, expected):
    assert silent_jobs(seen(outbox=(age, True)), TABLE, watched) == expected


def test_a_job_that_never_ran_is_silent_when_it_had_its_time():
    assert silent_jobs(seen(), TABLE, SILENT_AFTER) == {}
    assert silent_jobs(seen(), TABLE, SILENT_AFTER + 1) == {"job:outbox": "the job outbox is silent: it ran never"}


def test_a_job_whose_last_run_failed_is_told():
    assert silent_jobs(seen(outbox=(3, False)), TABLE, 5) == {"job:outbox": "the job outbox failed: ValueError: bad"}


def test_a_minute_job_is_missed_after_two_minutes():
    assert SILENT_AFTER == 120
    assert JOBS["prune"].silent_after_seconds == 3960


def test_all_is_well(all_is_well, state_file):
    assert Watch(state_file, patience=False).look() == {}
    state = json.loads(state_file.read_text())
    assert (state["ok"], state["alarms"]) == (True, {})
    assert JobHeartbeat.objects.filter(name="watch", is_ok=True).count() == 1


def test_a_silent_lane_of_the_stock_is_told(all_is_well, state_file):
    JobHeartbeat.objects.filter(name=stock_lane.NAME).update(beat_at=datetime.now(UTC) - timedelta(seconds=600))
    assert list(Watch(state_file, patience=False).look()) == ["stock"]


def test_silence_and_its_end_reach_state_file_and_command(all_is_well, state_file, told, tmp_path):
    watch = Watch(state_file, patience=False)
    JobHeartbeat.objects.filter(name="pull").update(beat_at=datetime.now(UTC) - timedelta(minutes=5))
    assert list(watch.look()) == ["job:pull"]
    assert watch.look() == json.loads(state_file.read_text())["alarms"]
    with jobs.beat("pull", 60):
        pass
    assert watch.look() == {}
    assert told() == [("job:pull", "raised"), ("job:pull", "over")]
    assert "the job pull is silent" in (tmp_path / "told").read_text()


def test_a_state_that_cannot_be_written_is_told_like_any_other_alarm(all_is_well, tmp_path, told):
    state_file = tmp_path / "full" / "watch.json"
    watch = Watch(state_file, patience=False)
    assert watch.look() == {"state_file": f"the watch cannot write {state_file}: No such file or directory"}
    watch.look()
    state_file.parent.mkdir()
    assert watch.look() == read_state(state_file) == {}
    assert told() == [("state_file", "raised"), ("state_file", "over")]


def test_a_command_that_fails_or_hangs_stops_nothing(settings, monkeypatch):
    monkeypatch.setattr("orderhub.watch.COMMAND_SECONDS", 0.2)
    for command in ("false", "sleep 5", "no-such-program", "'unclosed"):
        settings.HUB_ALARM_COMMAND = command
        run_alarm_command({"alarm": "a", "state": "raised", "text": "t"})


def test_no_cluster_is_an_alarm(all_is_well, state_file, monkeypatch):
    monkeypatch.setattr("orderhub.watch.Stat.get_all", list)
    assert Watch(state_file, patience=False).look() == {"cluster": "no job cluster is running"}
    assert Watch(state_file).look() == {}


@contextmanager
def lost_database():
    good = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = "1"
    try:
        yield
    finally:
        connection.settings_dict["PORT"] = good


@pytest.mark.django_db(transaction=True)
def test_a_lost_database_is_told_without_it_and_the_watch_goes_on(state_file, monkeypatch):
    watch = Watch(state_file)
    monkeypatch.setattr("orderhub.watch.Stat.get_all", lambda: ["a cluster"])
    with lost_database():
        assert watch.look() == {"database": "the database does not answer: OperationalError"}
        assert read_state(state_file) == {"database": "the database does not answer: OperationalError"}
    assert watch.look() == {}


@pytest.mark.django_db(transaction=True)
def test_what_was_wrong_before_an_outage_is_neither_over_nor_new_after_it(state_file, told, monkeypatch):
    monkeypatch.setattr("orderhub.watch.Stat.get_all", lambda: ["a cluster"])
    old = datetime.now(UTC) - timedelta(hours=9)
    JobHeartbeat.objects.create(name="pull", beat_at=old, is_ok=False, message="no way", every_seconds=60)
    watch = Watch(state_file)
    watch.look()
    with lost_database():
        assert list(watch.look()) == ["job:pull", "database"]
        watch.look()
    assert list(watch.look()) == ["job:pull"]
    assert told() == [("job:pull", "raised"), ("database", "raised"), ("database", "over")]


@pytest.mark.django_db(transaction=True)
def test_after_an_outage_cluster_and_jobs_get_their_time_anew(all_is_well, state_file, monkeypatch):
    watch = Watch(state_file)
    assert watch.look() == {}
    JobHeartbeat.objects.update(beat_at=datetime.now(UTC) - timedelta(seconds=900))
    monkeypatch.setattr("orderhub.watch.Stat.get_all", list)
    with lost_database():
        passed(monkeypatch, 900)
        assert list(watch.look()) == ["database"]
    assert watch.look() == {}
    passed(monkeypatch, 31)
    assert list(watch.look()) == ["cluster"]
    passed(monkeypatch, 120)
    assert {"cluster", "job:pull", "job:outbox", "stock"} <= watch.look().keys()
    assert "job:prune" not in watch.look()


def passed(monkeypatch, seconds):
    """Let time pass for the watch."""
    now = watch_module.time.monotonic()
    monkeypatch.setattr("orderhub.watch.time", SimpleNamespace(monotonic=lambda: now + seconds))


def test_a_slow_alarm_command_holds_up_neither_the_state_nor_the_next_look(all_is_well, state_file, monkeypatch):
    monkeypatch.setattr("orderhub.watch.TELL_SECONDS", 0.05)
    JobHeartbeat.objects.filter(name__in=["pull", "inbox", "outbox"]).update(is_ok=False)
    known, events = [], []

    def slow(event):
        known.append(len(read_state(state_file)))
        events.append(event["alarm"])
        time.sleep(0.06)

    monkeypatch.setattr("orderhub.watch.run_alarm_command", slow)
    watch = Watch(state_file)
    for number in (1, 2, 3, 3):
        watch.look()
        assert len(events) == number
    assert known == [3, 3, 3]
    assert sorted(events) == ["job:inbox", "job:outbox", "job:pull"]


def test_a_clock_that_is_off_is_told(all_is_well, state_file, time_machine):
    time_machine.move_to(datetime.now(UTC) + timedelta(seconds=90))
    alarms = Watch(state_file, patience=False).look()
    # The test's own steps take part of a second, more on a busy machine.
    told = [f"this machine's clock is {seconds} s off the database's" for seconds in range(85, 96)]
    assert list(alarms) == ["clock"]
    assert alarms["clock"] in told


@pytest.mark.parametrize(
    ("before", "after", "alarms"), [(60, 0, []), (0, 60, []), (60, -10, ["clock"]), (-10, 60, ["clock"])]
)
def test_a_slow_answer_is_no_wrong_clock(all_is_well, state_file, time_machine, monkeypatch, before, after, alarms):
    """The database looks at its clock `before` seconds after the watch did, `after` seconds before the watch again."""
    start = datetime.now(UTC)

    def slow_look():
        time_machine.move_to(start + timedelta(seconds=before + after))
        return replace(answer, now=start + timedelta(seconds=before))

    answer = vitals.look()
    monkeypatch.setattr("orderhub.watch.vitals.look", slow_look)
    time_machine.move_to(start, tick=False)
    assert list(Watch(state_file).judge()) == alarms


def test_a_malformed_schedule_is_gone_after_a_look(all_is_well, state_file):
    Schedule.objects.create(name="bad", func="os.getpid", args="'not closed", next_run=datetime.now(UTC))
    Watch(state_file).look()
    assert not Schedule.objects.filter(name="bad").exists()


def test_the_first_look_starts_what_never_ran(all_is_well, state_file):
    JobHeartbeat.objects.filter(name="pull").delete()
    watch = Watch(state_file)
    watch.look()
    watch.look()
    assert queued() == ["pull"]


def test_waiting_work_starts_its_drain(all_is_well, state_file):
    shop = make_shop()
    old = datetime.now(UTC) - timedelta(seconds=30)
    InboxItem.objects.create(shop=shop, source="push", delivery_key="a", packed_body=b"", received_at=old)
    effect(shop, "wms_push")
    Watch(state_file).look()
    assert queued() == ["inbox", "outbox"]


@pytest.mark.parametrize(
    ("state", "rate", "started"), [("open", None, ["backlog"]), ("trickle", 1, []), ("paused", None, [])]
)
def test_waiting_orders_start_the_drain_once_the_gate_lets_one_in(all_is_well, state_file, state, rate, started):
    shop = make_shop()
    set_gate(shop_id=shop.pk, state="paused", reason="stock count", actor="boss")
    deliver(shop, draft())
    set_gate(shop_id=shop.pk, state=state, rate_per_minute=rate, reason="counted", actor="boss")
    Watch(state_file).look()
    assert queued() == started


def test_a_shop_is_pulled_as_soon_as_its_wait_after_a_failure_is_over(all_is_well, state_file):
    shop = make_shop(platform="taobao")
    sync = ShopSync.objects.create(shop=shop, next_attempt_at=timezone.now() + timedelta(seconds=60))
    watch = Watch(state_file)
    watch.look()
    assert queued() == []
    for waits in (1, 1, 2):
        sync.next_attempt_at = timezone.now() - timedelta(seconds=waits)
        sync.save()
        watch.look()
        watch.look()
    assert queued() == [shop.pk] * 3


def test_nothing_starts_for_work_that_is_fresh_not_due_or_without_handler(all_is_well, state_file):
    shop = make_shop()
    InboxItem.objects.create(shop=shop, source="push", delivery_key="a", packed_body=b"")
    effect(shop, "sms")
    effect(shop, "wms_push", due_at=datetime.now(UTC) + timedelta(minutes=5))
    Watch(state_file).look()
    assert queued() == []


def test_nothing_starts_while_the_drain_runs_or_the_queue_is_long(all_is_well, state_file):
    effect(make_shop(), "wms_push")
    lease = Lease.objects.create(
        name="job:outbox", token="00000000-0000-4000-8000-000000000001", until=datetime.now(UTC) + timedelta(minutes=1)
    )
    Watch(state_file).look()
    assert queued() == []
    Lease.objects.filter(pk=lease.pk).update(until=None)
    for _ in range(QUEUE_LIMIT):
        schedules.start("prune")
    Watch(state_file).look()
    assert "outbox" not in queued()


def test_tasks_that_failed_and_wait_for_another_try_hold_up_no_drain(all_is_well, state_file):
    effect(make_shop(), "wms_push")
    for _ in range(QUEUE_LIMIT):
        schedules.start("prune")
    OrmQ.objects.update(lock=timezone.now() + timedelta(seconds=600))
    Watch(state_file).look()
    assert queued() == ["outbox", *["prune"] * QUEUE_LIMIT]


def effect(shop, kind, due_at=None):
    # The database's now() is when the test's transaction began.
    past = datetime.now(UTC) - timedelta(minutes=1)
    Effect.objects.create(
        shop=shop, order=make_order(shop), kind=kind, key=kind, due_at=due_at or past, created_at=past
    )


def test_the_state_of_a_dead_watch_is_an_alarm(state_file, time_machine):
    assert read_state(state_file) == {"watch": "no watch has written its state"}
    state_file.write_text("{")
    assert read_state(state_file) == {"watch": "no watch has written its state"}
    at = (datetime.now(UTC) - timedelta(seconds=61)).isoformat()
    state_file.write_text(json.dumps({"at": at, "ok": True, "alarms": {}}))
    assert list(read_state(state_file)) == ["watch"]


def test_the_command_answers_by_its_exit_code(all_is_well, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HUB_VAR_DIR", str(tmp_path))
    call_command("watch", "--once")
    Watch(tmp_path / "watch.json").look()
    call_command("watch", "--check")
    assert capsys.readouterr().out == "all is well\nall is well\n"
    JobHeartbeat.objects.all().delete()
    with pytest.raises(CommandError) as error:
        call_command("watch", "--once")
    assert error.value.returncode == 1
    (tmp_path / "watch.json").unlink()
    with pytest.raises(CommandError):
        call_command("watch", "--check")


def test_a_single_look_only_looks(all_is_well, state_file, told, tmp_path, monkeypatch):
    """A watch may run beside it: its state, its heartbeat, its alarms and its chores are its own."""
    monkeypatch.setenv("HUB_VAR_DIR", str(tmp_path))
    JobHeartbeat.objects.filter(name="pull").delete()
    Schedule.objects.create(name="bad", func="os.getpid", next_run=datetime.now(UTC))
    effect(make_shop(), "wms_push")
    with pytest.raises(CommandError):
        call_command("watch", "--once")
    assert list(tmp_path.iterdir()) == []
    assert queued() == []
    assert Schedule.objects.filter(name="bad").exists()
    assert not JobHeartbeat.objects.filter(name="watch").exists()
