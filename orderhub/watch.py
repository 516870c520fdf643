"""The dead-man switch beside the job cluster: notices silence, and starts drains between two minutes.

What it finds goes to the log, to a state file and to `HUB_ALARM_COMMAND`; none of these needs the database.
"""

import json
import os
import shlex
import subprocess
import time
from collections import deque
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import Error, connection
from django_q.status import Stat

from channels_sync.selectors import retries
from orderhub import schedules, stock_lane
from orderhub.schedules import Periodic
from orderhub.selectors import vitals
from orderhub.selectors.vitals import Vitals
from orderhub.services import jobs

log = structlog.get_logger(__name__)

QUEUE_LIMIT = 20
"""Queued tasks beyond which no drain is added: the cluster is busy or dead, more tasks would not help."""
SKEW_SECONDS = 5
BEAT_SECONDS = 30
SYNC_SECONDS = 60
CLUSTER_SILENT_SECONDS = 30
STOCK_SILENT_SECONDS = 90
REMIND_SECONDS = 600
COMMAND_SECONDS = 10
TELL_SECONDS = 5
"""A look begins no alarm command after this; the others follow with the next looks."""
UNTOLD_LIMIT = 1000
STALE_SECONDS = 60
"""Age of the state file from which the watch itself counts as dead."""

Alarms = dict[str, str]
"""What is wrong, by a short stable key."""


class Watch:
    """The loop's memory: since when it looks, what it said, when it did its own chores."""

    def __init__(self, state_file: Path, *, patience: bool = True) -> None:
        self.state_file = state_file
        self.patience = patience
        """False counts a job that never ran as silent at once, as a single look must."""
        self.alarms: Alarms = {}
        self._since = self._cluster_seen = time.monotonic()
        """From when jobs and cluster had the chance to run: the start of the watch, or the end of an outage."""
        self._told_at: dict[str, float] = {}
        self._untold: deque[dict[str, str]] = deque(maxlen=UNTOLD_LIMIT)
        self._last: dict[str, float] = {}
        self._retried: dict[int, datetime] = {}
        """The end of the wait, by shop, for which a pull was started already."""

    def look(self) -> Alarms:
        """Look once, start what waits, tell what changed, and return what is wrong now."""
        alarms = self._see(self._chores)
        self._keep_state(alarms)
        self._note(alarms)
        self._tell()
        return alarms

    def judge(self) -> Alarms:
        """Return what is wrong now; nothing is started, written or told."""
        return self._see(lambda _seen: None)

    def _see(self, then: Callable[[Vitals], None]) -> Alarms:
        try:
            before = datetime.now(UTC)
            seen = vitals.look()
            skew = max(before - seen.now, seen.now - datetime.now(UTC)).total_seconds()
            alarms = self._judge(seen, skew)
            then(seen)
        except Error as error:
            connection.close()
            # Nobody knows whether what was wrong is well by now.
            return {**self.alarms, "database": f"the database does not answer: {type(error).__name__}"}
        return alarms

    def _judge(self, seen: Vitals, skew: float) -> Alarms:
        """Judge a look; `skew` is by how much the database's clock lies outside of the time that the look took."""
        if "database" in self.alarms:
            self._since = self._cluster_seen = time.monotonic()
        age = time.monotonic() - self._since if self.patience else float("inf")
        alarms = silent_jobs(seen, schedules.JOBS, age, self.alarms)
        if skew > SKEW_SECONDS:
            alarms["clock"] = f"this machine's clock is {skew:.0f} s off the database's"
        if Stat.get_all():
            self._cluster_seen = time.monotonic()
        elif self._had_its_time("cluster", CLUSTER_SILENT_SECONDS, time.monotonic() - self._cluster_seen):
            alarms["cluster"] = "no job cluster is running"
        lane = seen.beats.get(stock_lane.NAME)
        is_silent = lane is None or lane.age_seconds > STOCK_SILENT_SECONDS
        if is_silent and self._had_its_time("stock", STOCK_SILENT_SECONDS, age):
            alarms["stock"] = "show_stock is not running: channels learn what is left once a minute only"
        return alarms

    def _had_its_time(self, key: str, seconds: float, waited: float) -> bool:
        """Tell whether patience is over; with what was told already it is until that is well."""
        return not self.patience or key in self.alarms or waited > seconds

    def _chores(self, seen: Vitals) -> None:
        waiting = {
            "inbox": seen.waiting_inbox,
            "reports": seen.waiting_reports,
            "outbox": seen.waiting_outbox,
            "backlog": seen.waiting_backlog,
        }
        for name, waits in waiting.items():
            if waits and f"job:{name}" not in seen.held and seen.queued_tasks < QUEUE_LIMIT:
                schedules.start(name)
        for shop_id, since in retries().items():
            if self._retried.get(shop_id) != since and seen.queued_tasks < QUEUE_LIMIT:
                self._retried[shop_id] = since
                schedules.pull_when_due(shop_id)
        if self._is_time("begin", float("inf")):
            # A fresh hub need not wait for the first look of the scheduler.
            for name in schedules.JOBS.keys() - seen.beats.keys():
                schedules.start(name)
        if self._is_time("beat", BEAT_SECONDS):
            with jobs.beat(schedules.WATCH, BEAT_SECONDS):
                pass
        if self._is_time("sync", SYNC_SECONDS):
            schedules.sync()

    def _is_time(self, chore: str, every_seconds: float) -> bool:
        now = time.monotonic()
        if now - self._last.get(chore, float("-inf")) < every_seconds:
            return False
        self._last[chore] = now
        return True

    def _note(self, alarms: Alarms) -> None:
        now = time.monotonic()
        for key, text in alarms.items():
            if key not in self.alarms or now - self._told_at[key] >= REMIND_SECONDS:
                self._told_at[key] = now
                log.error("alarm", alarm=key, text=text)
                self._untold.append({"alarm": key, "state": "raised", "text": text})
        for key in self.alarms.keys() - alarms.keys():
            log.info("alarm is over", alarm=key)
            self._untold.append({"alarm": key, "state": "over", "text": self.alarms[key]})
        self.alarms = alarms

    def _tell(self) -> None:
        """Hand on what is not told yet; after `TELL_SECONDS` the rest waits for the next look, which must not."""
        deadline = time.monotonic() + TELL_SECONDS
        while self._untold and time.monotonic() < deadline:
            run_alarm_command(self._untold.popleft())

    def _keep_state(self, alarms: Alarms) -> None:
        """Write the state file; where that fails (a full disk), say so among the alarms, which must be told all the
        same."""
        alarms.pop("state_file", None)
        try:
            self._write_state(alarms)
        except OSError as error:
            alarms["state_file"] = f"the watch cannot write {self.state_file}: {error.strerror}"

    def _write_state(self, alarms: Alarms) -> None:
        state = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "ok": not alarms, "alarms": alarms}
        draft = self.state_file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        draft.replace(self.state_file)


def silent_jobs(
    seen: Vitals, table: Mapping[str, Periodic], watched_seconds: float, standing: Container[str] = ()
) -> Alarms:
    """Return the jobs that did not run when they should have, or whose last run failed.

    Each is given its time from when the watch began; not so what is among the `standing` alarms already.
    """
    alarms: Alarms = {}
    for name, job in table.items():
        key, beat = f"job:{name}", seen.beats.get(name)
        is_silent = beat is None or beat.age_seconds > job.silent_after_seconds
        if is_silent and (watched_seconds > job.silent_after_seconds or key in standing):
            last = f"{beat.age_seconds:.0f} s ago" if beat else "never"
            alarms[key] = f"the job {name} is silent: it ran {last}"
        elif beat and not beat.is_ok:
            alarms[key] = f"the job {name} failed: {beat.message}"
    return alarms


def run_alarm_command(event: Mapping[str, str]) -> None:
    """Hand one event as JSON to the operator's command; a command that fails is logged and stops nothing."""
    if not settings.HUB_ALARM_COMMAND:
        return
    try:
        subprocess.run(  # noqa: S603  (the operator's own command, from the environment)
            shlex.split(settings.HUB_ALARM_COMMAND),
            input=json.dumps(event, ensure_ascii=False).encode(),
            timeout=COMMAND_SECONDS,
            check=True,
            capture_output=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        log.error("alarm command failed", error=type(error).__name__, alarm=event["alarm"])


def read_state(state_file: Path) -> Alarms:
    """Return what a running watch last wrote, without the database; a dead or absent watch is an alarm itself."""
    try:
        state = json.loads(state_file.read_text(encoding="utf-8"))
        age = (datetime.now(UTC) - datetime.fromisoformat(state["at"])).total_seconds()
    except (OSError, ValueError, KeyError):
        return {"watch": "no watch has written its state"}
    if age > STALE_SECONDS:
        return {"watch": f"the watch is silent for {age:.0f} s"}
    alarms: Alarms = state["alarms"]
    return alarms
