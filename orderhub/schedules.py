"""The one table of periodic jobs. `manage.py sync_schedules` writes it to django-q2; nobody edits rows by hand.

A job is safe to start twice: it runs under a lease, writes a heartbeat at its end, and what it drains is rows with
leases of their own. `manage.py watch` starts the drains between two minutes and notices a job that falls silent.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import sample
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Schedule
from django_q.tasks import async_task

from channels_sync.selectors import due_shops
from channels_sync.services import (
    backfill,
    mapping,
    masks,
    mend,
    open_refunds,
    ranges,
    reconcile,
    reports,
    suggestions,
    tokens,
)
from channels_sync.services.events import shops as event_shops
from channels_sync.services.pages import prune_pages
from channels_sync.services.reread import due as reread_due
from channels_sync.services.runs import prune_runs
from orderhub import backlog, deliveries, pipeline, rejudging, remapping, stock_lane
from orderhub.core.errors import HubError, words_of
from orderhub.models import JobHeartbeat
from orderhub.services import jobs, leases, retention
from triage.services import clear_after_push, refresh_baselines

log = structlog.get_logger(__name__)

T = TypeVar("T")

TASK = "orderhub.schedules.run_job"
ENTRY = "orderhub.schedules.run_task"
"""The cluster keeps and logs the words of what a task raises, so that it calls everything through `run_job` or this."""
PULL_TASK = "orderhub.pulls.pull_shop"
BACKFILL_TASK = "channels_sync.services.backfill.run"
RECONCILE_TASK = "channels_sync.services.reconcile.run"
REREAD_TASK = "channels_sync.services.reread.run_shop"
EVENTS_TASK = "channels_sync.services.events.take"
WATCH = "watch"
"""The heartbeat of `manage.py watch`, which is no job of the table."""
LEASE_SECONDS = 150
"""Longer than the time limit of a task (`Q_CLUSTER["timeout"]`), so that a lease ends only after its holder."""
DRAIN_SECONDS = 40
"""A drain goes on for this long while there is work, then makes room for the next."""


class JobFailedError(HubError):
    """A periodic job failed in a way that nobody foresaw; the log has the frames."""


@dataclass(frozen=True, slots=True)
class Periodic:
    """One job: its name is also the name of its heartbeat and its lease."""

    name: str
    minutes: int
    run: Callable[[], object]

    @property
    def silent_after_seconds(self) -> int:
        """Age of the last heartbeat from which the job counts as silent; django-q2 looks every 30 s only."""
        return self.minutes * 60 + max(60, self.minutes * 6)


def _while_there_is_work(step: Callable[[], int]) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while step() and time.monotonic() < deadline:
        continue


def pull() -> None:
    """Ask the cluster to pull each due shop: a slow channel holds up neither the others nor this job."""
    for shop_id in due_shops():
        pull_when_due(shop_id)


def pull_when_due(shop_id: int) -> None:
    """Ask the cluster to pull one shop; it looks itself whether it is due."""
    _ask(PULL_TASK, shop_id, "pull")


def start_pull(shop_id: int) -> None:
    """Ask the cluster to pull one shop now, whatever it waits for; a pull that runs already makes this one end at
    once."""
    _ask(PULL_TASK, shop_id, "pull", force=True)


def reread() -> None:
    """Ask the cluster to read each due shop's open orders again."""
    for shop_id in reread_due():
        _ask(REREAD_TASK, shop_id, "reread")


def take_events() -> None:
    """Ask the cluster to fetch the messages that platforms keep for each shop."""
    for shop_id in event_shops():
        _ask(EVENTS_TASK, shop_id, "events")


def work_ranges() -> None:
    """Ask the cluster to give back-fills and comparisons that are due their turn; mend what people asked for.

    They may take half of the workers: a turn takes most of a minute, and orders must not wait behind them. Who goes
    first is drawn by lot, so that no shop waits for the end of another's range.
    """
    turns = [(BACKFILL_TASK, pk, "backfill") for pk in backfill.due()]
    turns += [(RECONCILE_TASK, pk, "reconcile") for pk in reconcile.due()]
    free = max(1, settings.HUB_WORKERS // 2) - ranges.running()
    for turn in sample(turns, min(len(turns), max(0, free))):
        _ask(*turn)
    mend.drain()


def drain_inbox() -> None:
    """Take waiting deliveries in until none is left or the time is over."""
    _while_there_is_work(deliveries.drain_inbox)


def drain_reports() -> None:
    """Work on what warehouses told until none is left or the time is over."""
    _while_there_is_work(reports.drain)


def drain_backlog() -> None:
    """Let waiting orders in as long as the gates allow some; `manage.py watch` starts the next round in between."""
    _while_there_is_work(backlog.drain_backlog)


def drain_outbox() -> None:
    """Send due effects until none is left or the time is over."""
    _while_there_is_work(lambda: pipeline.drain_outbox().total)


def listings() -> None:
    """Match channel items whose code is known by now, suggest SKUs for the others, let open orders follow; those that
    waited for a status word, too."""
    mapping.match_known()
    suggestions.suggest()
    remapping.remap_changed()
    remapping.let_go_known_words()


def prune() -> None:
    """Delete what has done its work, the log of pulls included."""
    retention.prune()
    prune_runs()
    prune_pages()
    reconcile.prune()


JOBS: dict[str, Periodic] = {
    job.name: job
    for job in (
        Periodic("pull", 1, pull),
        Periodic("inbox", 1, drain_inbox),
        Periodic("reports", 1, drain_reports),
        Periodic("outbox", 1, drain_outbox),
        Periodic("stock", 1, stock_lane.catch_up),
        Periodic("backlog", 1, drain_backlog),
        Periodic("siblings", 1, rejudging.recheck_siblings),
        Periodic("restock", 1, rejudging.restock),
        Periodic("after_push", 1, clear_after_push),
        Periodic("tokens", 1, tokens.keep_fresh),
        Periodic("events", 1, take_events),
        Periodic("reread", 5, reread),
        Periodic("masks", 5, masks.fill),
        Periodic("refunds", 360, open_refunds.ask_again),
        Periodic("listings", 1, listings),
        Periodic("ranges", 1, work_ranges),
        Periodic("night", 10, reconcile.nightly),
        Periodic("baselines", 10, refresh_baselines),
        Periodic("prune", 60, prune),
    )
}


def run_job(name: str) -> bool:
    """Run one job of the table; false when it runs already somewhere else. What it raises goes on to the cluster."""
    return _quietly(name, lambda: _run(JOBS[name]))


def run_task(function: str, *args: Any, **values: Any) -> Any:
    """Call a function by its dotted path and return what it returns. What it raises goes on to the cluster."""
    return _quietly(function, lambda: import_string(function)(*args, **values))


def _run(job: Periodic) -> bool:
    with leases.hold(f"job:{job.name}", LEASE_SECONDS) as lease:
        if lease is None:
            return False
        with jobs.beat(job.name, job.minutes * 60):
            job.run()
    return True


def _quietly(name: str, call: Callable[[], T]) -> T:
    """Return `call()`; of an error that nobody foresaw, also of one behind an expected failure, the cluster learns the
    kind at most."""
    try:
        return call()
    except HubError as error:
        raise error from None
    except Exception as error:
        log.exception("job failed", job=name)
        raise JobFailedError(words_of(error), permanent=False) from None


def _ask(function: str, row_id: int, group: str, **values: Any) -> None:
    async_task(ENTRY, function, row_id, group=group, task_name=f"{group} {row_id}", **values)


def start(name: str) -> None:
    """Ask the cluster to run a job now."""
    async_task(TASK, name, group=name)


@transaction.atomic
def sync() -> list[str]:
    """Make the schedule rows what the table says and return the names of rows added, mended or removed.

    One row that cannot be read stops every schedule of django-q2, so whatever is not of the table goes; so does the
    heartbeat of a job that is no more, which would count as silent for ever.
    """
    JobHeartbeat.objects.exclude(name__in=[*JOBS, stock_lane.NAME, WATCH]).delete()
    foreign = Schedule.objects.exclude(name__in=JOBS)
    changed = [str(name) for name in foreign.values_list("name", flat=True)]
    foreign.delete()
    for job in JOBS.values():
        rows = list(Schedule.objects.filter(name=job.name).order_by("pk"))
        if len(rows) == 1 and _is_as_told(rows[0], job):
            continue
        Schedule.objects.filter(name=job.name).delete()
        Schedule.objects.create(name=job.name, next_run=timezone.now(), **_columns(job))
        changed.append(job.name)
    if changed:
        log.info("schedules changed", jobs=changed)
    return changed


def _columns(job: Periodic) -> dict[str, object]:
    return {
        "func": TASK,
        "args": repr((job.name,)),
        "kwargs": None,
        "hook": None,
        "schedule_type": Schedule.MINUTES,
        "minutes": job.minutes,
        "repeats": -1,
        "cluster": None,
        "intended_date_kwarg": None,
    }


def _is_as_told(row: Schedule, job: Periodic) -> bool:
    """A next run far away (a wrong clock, a hand) would silence the job as surely as a wrong function."""
    distance = abs(row.next_run - timezone.now())
    same = all(getattr(row, name) == value for name, value in _columns(job).items())
    return same and distance < timedelta(minutes=job.minutes + 60)
