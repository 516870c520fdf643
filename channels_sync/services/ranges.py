"""Working through a span of time in slices: turn by turn, one worker a shop, resumable, stopped by people at any page.

A back-fill and a comparison are such jobs. Everything before `position` is done; what a slice brought is counted and
`position` moved in one guarded update, so a worker that dies loses one slice at most, and nothing counts twice. Calls
go at half the shop's rate: the ordinary pull beside it keeps the other half.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.connectors.base import (
    AuthorisationError,
    CallBudget,
    Connector,
    ShopAccess,
    TooManyRowsError,
    Window,
    connectors,
)
from channels_sync.models import OPEN_JOB, Backfill, JobState, Reconciliation
from channels_sync.services import tokens
from channels_sync.services.access import shop_access
from channels_sync.services.health import sentence_of
from orderhub.core.errors import HubError, TemporaryError
from orderhub.models import Shop
from orderhub.services import leases

log = structlog.get_logger(__name__)

J = TypeVar("J", Backfill, Reconciliation)

LEASE_SECONDS = 150
"""Longer than a task may run; prolonged at every page."""
TURN_SECONDS = 50.0
"""After this long a turn ends at the next page; the next turn goes on. A page whose every call runs into its deadline
takes a minute, and a job has 120 seconds."""
FIRST_SLICE, LONGEST_SLICE, SHORTEST_SLICE = 1800, 6 * 3600, 10
"""Seconds of the channel's time in one slice: at first, where little happens, and where much does."""
LONGEST_RANGE = timedelta(days=92)
"""Platforms list three months at most."""
QUICK_SECONDS = 15.0
"""A slice that took less makes the next one twice as long."""
SHARE = 0.5
"""The part of the application's call rate that such a job takes."""
FIRST_WAIT, LONGEST_WAIT = 30, 900
MOST_FAILURES = 30
"""Failures in a row, some seven hours of them, after which a person is asked."""


class StoppedError(Exception):
    """A person stopped the job, or another worker has it."""


class OutOfTimeError(Exception):
    """The turn is over in the middle of a slice."""


class Turn:
    """One turn of a job: what a slice asks while it works."""

    def __init__(self, job: Backfill | Reconciliation, lease: leases.HeldLease, seconds: float | None) -> None:
        self._job, self._lease = job, lease
        self._stop_at = None if seconds is None else time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the time of the turn is up."""
        return self._stop_at is not None and time.monotonic() >= self._stop_at

    def page(self) -> None:
        """Call before each page, and before each lot of orders that are fetched by themselves.

        Raises StoppedError when the job is not to go on, OutOfTimeError when the turn ends.
        """
        if not self._lease.extend(LEASE_SECONDS):
            raise StoppedError
        if not type(self._job).objects.filter(pk=self._job.pk, state=JobState.RUNNING).exists():
            raise StoppedError
        if self.is_over and self._job.slice_seconds > SHORTEST_SLICE:
            raise OutOfTimeError


@dataclass(slots=True)
class Worked:
    """What one slice brought: `counts` are added to the job's, `values` set; `write` runs in that transaction."""

    counts: Mapping[str, int]
    values: Mapping[str, Any] = field(default_factory=dict)
    write: Callable[[], None] | None = None


Slice = Callable[[Any, Window, Turn], Worked]
"""Works one slice off; it may raise what connectors do."""
Finish = Callable[[Any], None]


def connector_of(shop: Shop) -> Connector:
    """Return the shop's connector. Raises HubError when there is none that orders can be read with."""
    if shop.platform not in connectors:
        raise HubError(_("No connector knows the platform %(platform)s.") % {"platform": shop.platform})
    connector = connectors.get(shop.platform)
    if not (connector.pulls or connector.rereads):
        raise HubError(_("%(shop)s sends its orders by itself: nothing can be read from it.") % {"shop": shop.code})
    return connector


def checked_range(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return a range in whole seconds that ends now at the latest.

    Raises HubError for one that is empty, in the future or longer than platforms list.
    """
    start, end = start.replace(microsecond=0), min(end, timezone.now()).replace(microsecond=0)
    if start >= end:
        raise HubError(_("The range is empty: its end must lie after its start, and its start in the past."))
    if end - start > LONGEST_RANGE:
        text = _("Platforms list %(days)s days at most: choose a shorter range.")
        raise HubError(text % {"days": LONGEST_RANGE.days})
    return start, end


def gentle_access(shop: Shop) -> ShopAccess:
    """Return the access of `shop` with a budget that leaves the ordinary pull its part."""
    access = shop_access(shop)
    budgets: dict[str, CallBudget] = {}

    def budget(key: str, rate: float) -> CallBudget:
        return budgets.setdefault(key, GentleBudget(access.budget(key, rate), rate * SHARE))

    return replace(access, budget=budget)


class GentleBudget:
    """A budget that takes its turns at `rate` calls a second at most, whatever the application may."""

    def __init__(self, inner: CallBudget, rate: float) -> None:
        self._inner, self._spacing = inner, 1 / rate
        self._free_at = 0.0

    def take(self, calls: int) -> Any:
        """Wait for the job's own turn, then take places in the common queue."""
        now = time.monotonic()
        time.sleep(max(0.0, self._free_at - now))
        self._free_at = max(now, self._free_at) + calls * self._spacing
        return self._inner.take(calls)

    def block(self, seconds: float) -> None:
        """Pass a ban of the platform on: it holds for everybody."""
        self._inner.block(seconds)


def work(job_id: int, model: type[J], one_slice: Slice, *, seconds: float | None, finish: Finish | None = None) -> bool:
    """Give a job one turn of `seconds` (None: until it ends); false when it is not due, or in other hands.

    `finish` is called in the transaction that ends it. Failures are told in the job, not raised.
    """
    job = model.objects.select_related("shop__warehouse").get(pk=job_id)
    with leases.hold(f"{_kind(model)}:{job.shop_id}", LEASE_SECONDS) as lease:
        if lease is None or not _begin(job):
            return False
        try:
            _all_slices(job, one_slice, Turn(job, lease, seconds), finish)
        except StoppedError:
            log.info("job stopped", kind=model.__name__, id=job_id)
        except Exception as error:  # noqa: BLE001  (told to people; the next turn goes on from where it stood)
            _fail(job, error)
    return True


def cancel(job_id: int, model: type[J], actor: str, *, also: Q | None = None, **values: Any) -> bool:
    """Stop a job for good at its next page; false when it had ended already. `also`: others that may be stopped."""
    rows = model.objects.filter(Q(state__in=OPEN_JOB) | (also or Q(pk__in=[])), pk=job_id)
    return bool(rows.update(state=JobState.CANCELLED, finished_at=timezone.now(), **values)) and _told(job_id, actor)


def try_again(job_id: int, model: type[J], actor: str) -> bool:
    """Let a job that needed a person go on from where it stood, or one that waits go on at once."""
    rows = model.objects.filter(pk=job_id, state__in=[*OPEN_JOB, JobState.FAILED])
    changed = rows.update(state=JobState.WAITING, failures=0, next_attempt_at=None, finished_at=None)
    return bool(changed) and _told(job_id, actor)


def due(model: type[J], *, aside: Callable[[datetime], Q] | None = None) -> list[int]:
    """Return the jobs that may have a turn now: of each active shop the one that was asked for first, but for those
    that stand `aside` now and shops where one has its turn."""
    now = timezone.now()
    rows = model.objects.filter(state__in=OPEN_JOB, shop__is_active=True).order_by("shop_id", "created_at", "pk")
    if aside:
        rows = rows.exclude(aside(now))
    held = leases.held(_kind(model))
    firsts = rows.distinct("shop_id").values_list("pk", "shop_id", "next_attempt_at")
    return [
        pk
        for pk, shop_id, next_at in firsts
        if f"{_kind(model)}:{shop_id}" not in held and (not next_at or next_at <= now)
    ]


def running() -> int:
    """Return how many jobs have their turn now."""
    return len(leases.held(_kind(Backfill), _kind(Reconciliation)))


def _kind(model: type[Backfill | Reconciliation]) -> str:
    return model.__name__.lower()


def _told(job_id: int, actor: str) -> bool:
    log.info("job changed by a person", id=job_id, actor=actor)
    return True


def _begin(job: Backfill | Reconciliation) -> bool:
    """Mark a due job as running; a job that another worker moved on meanwhile is read again."""
    now = timezone.now()
    rows = type(job).objects.filter(pk=job.pk, state__in=OPEN_JOB).exclude(next_attempt_at__gt=now)
    started = job.started_at or now
    if not rows.update(state=JobState.RUNNING, started_at=started):
        return False
    job.refresh_from_db()
    return True


def _all_slices(job: Any, one_slice: Slice, turn: Turn, finish: Finish | None) -> None:
    renewed = False
    while job.position < job.end:
        window = Window(job.position, min(job.position + timedelta(seconds=job.slice_seconds), job.end))
        began = time.monotonic()
        try:
            worked = one_slice(job, window, turn)
        except (TooManyRowsError, OutOfTimeError) as error:
            _halve(job, error)
            if isinstance(error, OutOfTimeError):
                return
            continue
        except AuthorisationError:
            if renewed or not tokens.renewed_after_refusal(job.shop):
                raise
            renewed = True
            continue
        _advance(job, window, worked, is_quick=time.monotonic() - began < QUICK_SECONDS)
        if turn.is_over and job.position < job.end:
            return
    with transaction.atomic():
        now = timezone.now()
        rows = type(job).objects.filter(pk=job.pk, state=JobState.RUNNING)
        if not rows.update(state=JobState.DONE, finished_at=now, last_error="", failures=0):
            raise StoppedError
        if finish:
            job.refresh_from_db()
            finish(job)


def _advance(job: Any, window: Window, worked: Worked, *, is_quick: bool) -> None:
    """Count a slice and move on, unless the job was stopped or moved meanwhile."""
    longer = min(job.slice_seconds * 2, LONGEST_SLICE) if is_quick else job.slice_seconds
    values: dict[str, Any] = {name: F(name) + count for name, count in worked.counts.items() if count} | {
        **worked.values
    }
    if isinstance(job, Backfill):
        done = job.slices_done + 1
        values |= {"slices_done": done, "slices_total": done + slices(job.end - window.end, longer)}
    rows = type(job).objects.filter(pk=job.pk, state=JobState.RUNNING, position=job.position)
    values |= {
        "position": window.end,
        "slice_seconds": longer,
        "failures": 0,
        "last_error": "",
        "next_attempt_at": None,
    }
    with transaction.atomic():
        if not rows.update(**values):
            raise StoppedError
        if worked.write:
            worked.write()
    job.refresh_from_db()


def slices(span: timedelta, seconds: int) -> int:
    """Return how many slices of `seconds` a span takes."""
    return -(-max(span, timedelta()) // timedelta(seconds=seconds))


def _halve(job: Any, error: Exception) -> None:
    """Make slices shorter. Raises TemporaryError when they are as short as can be."""
    span = (job.end - job.position).total_seconds()
    shorter = max(int(min(job.slice_seconds, span)) // 2, SHORTEST_SLICE)
    if shorter >= job.slice_seconds:
        raise TemporaryError(str(error)) from error
    values: dict[str, Any] = {"slice_seconds": shorter}
    if isinstance(job, Backfill):
        values["slices_total"] = job.slices_done + slices(job.end - job.position, shorter)
    type(job).objects.filter(pk=job.pk).update(**values)
    job.refresh_from_db()


def _fail(job: Any, error: Exception) -> None:
    """Note what went wrong and when to go on, or that a person is needed."""
    sentence = sentence_of(error)
    failures = job.failures + 1
    asked = error.retry_after if isinstance(error, HubError) else None
    wait = asked or min(FIRST_WAIT * 2 ** min(failures - 1, 10), LONGEST_WAIT)
    needs_person = isinstance(error, HubError) and error.permanent and not error.concerns_all
    is_over = needs_person or failures >= MOST_FAILURES
    now = timezone.now()
    values = {"failures": failures, "last_error": sentence[:1000], "next_attempt_at": now + timedelta(seconds=wait)}
    if is_over:
        values |= {"state": JobState.FAILED, "finished_at": now, "next_attempt_at": None}
    type(job).objects.filter(pk=job.pk, state=JobState.RUNNING).update(**values)
    log.warning("job failed", kind=type(job).__name__, shop=job.shop.code, error=sentence, kind_of=type(error).__name__)
