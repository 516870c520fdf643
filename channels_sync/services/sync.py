"""Everything around a pull except intake itself: lease, windows, cursor, failures, the log of runs.

    run = sync.begin(shop)              # None: another worker is at it, or it is not due
    for page in run.pages():            # raw pages of all windows up to now, oldest window first
        item = receive(page)            # stored before anything else
        run.count(process(item, at_commit=run.cursor_mover(page)))
    run.finish()                        # or run.fail(error)

The cursor moves inside the transaction that takes the last page of a window in. A run that dies leaves the cursor where
it was: the next one reads the window again, what is known already is skipped, and nothing is taken in twice.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync import selectors
from channels_sync.connectors import http, options
from channels_sync.connectors.base import (
    AuthorisationError,
    Connector,
    RawPage,
    ShopAccess,
    TooManyRowsError,
    Window,
    connectors,
)
from channels_sync.models import RunKind, RunState, ShopSync, SyncRun
from channels_sync.services import gaps, health, runs, tokens
from channels_sync.services.access import shop_access
from channels_sync.services.pages import PageLog
from orderhub.core.errors import TemporaryError
from orderhub.core.results import IntakeResult
from orderhub.models import Shop
from orderhub.services import leases

LEASE_SECONDS = 150
"""Longer than a job may run; prolonged at every page."""
OVERLAP = timedelta(minutes=5)
DELAY = timedelta(seconds=10)
"""The end of a window stays this far behind now, and does not move while the window is read."""
AHEAD_NOTICED = 30.0
"""Seconds by which this machine's clock may be ahead of the platform's: the overlap has room for them. Were it ahead by
more than the overlap, no window would reach back to where the one before found the platform."""
LONGEST_SLICE = timedelta(minutes=30)
SLICE_IN_TROUBLE = timedelta(minutes=2)
"""The same after a run that failed or ran out of time: what was read of a short one counts."""
SHORTEST_SLICE = timedelta(minutes=1)
LOOK_BACK_HOURS = 24.0
"""How far a first run looks back, unless the shop's settings say `look_back_hours`."""
RUN_SECONDS = 40.0
"""After this long a run that has moved the cursor stops at the next page and leaves the rest to its next turn. There
are fewer workers than jobs: while channels catch up, orders must go on to the warehouse between two turns."""
HARD_SECONDS = 90.0
"""The same for a run that has not: a window that is begun anew at each turn might never end. A job has 120 seconds."""


def begin(shop: Shop, *, force: bool = False) -> "PullRun | None":
    """Begin a pull of `shop` and return the run, or None when there is nothing to do.

    That is: another worker holds the shop's lease, it is switched off, its platform is not pulled from, it is not due
    yet, a permanent failure waits for a person who has changed nothing so far, or run after run was broken off. `force`
    ignores the last three.
    """
    if shop.platform not in connectors:
        health.record_unknown_platform(shop)
        return None
    connector = connectors.get(shop.platform)
    if not (connector.pulls and shop.is_active):
        return None
    sync, _is_new = ShopSync.objects.get_or_create(shop=shop)
    if not force and not (health.is_due(sync, shop) and _has_rested(sync, shop)):
        return None
    stack = ExitStack()
    lease = stack.enter_context(leases.hold(f"pull:{shop.pk}", LEASE_SECONDS))
    if lease is None:
        return None
    try:
        must_wait = _was_broken_off(shop) and not force
        sync.refresh_from_db()
        if must_wait and sync.consecutive_failures > 1:
            stack.close()
            return None
        return PullRun(shop, sync, connector, lease, stack)
    except BaseException:
        stack.close()
        raise


def _has_rested(sync: ShopSync, shop: Shop) -> bool:
    return selectors.has_rested(shop.settings, sync.last_attempt_at, sync.consecutive_failures)


def _was_broken_off(shop: Shop) -> bool:
    """Note an earlier run that never ended as a failure: nobody else tells that it took longer than a job may.

    One may have died with its machine, and its lease was wait enough; a second one waits like any other failure.
    """
    if not runs.abandon(shop, RunKind.PULL):
        return False
    health.record_failure(shop, TemporaryError(_("The last pull did not end in its time and was broken off.")))
    return True


def move_cursor(cursor: CursorWrapper, shop_id: int, to: datetime) -> None:
    """Note that everything modified up to `to` is in the pool; call it in the transaction that made it so.

    The cursor never moves back.
    """
    cursor.execute("UPDATE channels_sync_shopsync SET cursor = greatest(cursor, %s) WHERE shop_id = %s", [to, shop_id])


class PullRun:
    """One pull of one shop under its lease."""

    def __init__(
        self, shop: Shop, sync: ShopSync, connector: Connector, lease: leases.HeldLease, stack: ExitStack
    ) -> None:
        self.shop = shop
        self.sync = sync
        self._connector = connector
        self._lease = lease
        self._stack = stack
        self._began = time.monotonic()
        self._state = RunState.DONE
        self._is_renewed = False
        self._clock = stack.enter_context(http.watching_clock())
        self._latest = timezone.now().replace(microsecond=0) - DELAY
        self._end = self._latest - timedelta(seconds=sync.clock_ahead)
        self._start = min(self._first_moment(), self._end - SHORTEST_SLICE)
        self._longest = SLICE_IN_TROUBLE if self._is_in_trouble() else LONGEST_SLICE
        self._cursor_to: datetime | None = None
        self._complete_to: datetime | None = None
        self._short: list[str] = self._left_out()
        self.log = self._open_log()
        self._pages = PageLog(shop.pk, run_id=self.log.pk)

    def pages(self) -> Iterator[RawPage]:
        """Yield the raw pages of all windows, oldest first; `is_last` marks the end of a window.

        Raises HubError when the channel fails; what was yielded before stays good.
        """
        start = self._start
        while start < self._end:
            start = yield from self._slice(start)
            if start < self._end and self._is_over():
                self._state = RunState.STOPPED
            if self._state == RunState.STOPPED:
                return

    @property
    def was_stopped(self) -> bool:
        """True when its time was over before everything up to now was read."""
        return self._state == RunState.STOPPED

    def cursor_mover(self, page: RawPage) -> Callable[[CursorWrapper], None] | None:
        """Return what moves the cursor inside the transaction that takes `page` in; None unless it ends a window."""
        if not page.is_last or self._cursor_to is None:
            return None
        shop_id, to = self.shop.pk, self._reached(self._cursor_to)
        return lambda cursor: move_cursor(cursor, shop_id, to)

    def count(self, result: IntakeResult) -> None:
        """Add what the intake made of one page to the log."""
        counts = result.counts()
        self.log.count(counts)
        self._pages.taken_in(counts)

    def finish(self) -> None:
        """Close the run after all its pages are in: the cursor stands at the end of the last complete window."""
        try:
            if self._complete_to is not None:
                with connection.cursor() as cursor:
                    move_cursor(cursor, self.shop.pk, self._complete_to)
            health.record_success(self.shop, is_complete=self._state == RunState.DONE)
            if not self._short:
                gaps.revive(self.shop.pk, since=self._start)
            runs.end(self.log, self._state, " ".join(self._short))
        finally:
            self._close()

    def fail(self, error: Exception) -> None:
        """Close the run after a failure: what went wrong, for people, and when to try again."""
        try:
            if self._complete_to is not None:
                with connection.cursor() as cursor:
                    move_cursor(cursor, self.shop.pk, self._complete_to)
            sentence = health.record_failure(self.shop, error, has_read=self.log.pages > 0)
            self._pages.failed(sentence)
            runs.end(self.log, RunState.FAILED, sentence)
        finally:
            self._close()

    def _is_in_trouble(self) -> bool:
        last = SyncRun.objects.filter(shop=self.shop, kind=RunKind.PULL).order_by("-pk").first()
        return self.sync.consecutive_failures > 0 or (last is not None and last.state != RunState.DONE)

    def _is_over(self) -> bool:
        before, now = self.sync.cursor, self._complete_to
        has_moved = now is not None and (before is None or now > before)
        return time.monotonic() - self._began >= (RUN_SECONDS if has_moved else HARD_SECONDS)

    def _first_moment(self) -> datetime:
        hours = options.number(self.shop.settings, "look_back_hours", LOOK_BACK_HOURS, 0.05, 24 * 90)
        start = self.sync.cursor - OVERLAP if self.sync.cursor else self._end - timedelta(hours=hours)
        history = self._connector.history
        return max(start, self._end - history) if history else start

    def _left_out(self) -> list[str]:
        """Note what lies between the cursor and the first moment that the platform still lists, and return it in words:
        a shop that rested for months goes on from there."""
        cursor = self.sync.cursor
        return [gaps.note_left_out(self.shop, cursor, self._start)] if cursor and cursor < self._start else []

    def _slice(self, start: datetime) -> Generator[RawPage, None, datetime]:
        """Yield the pages of one window from `start` and return where the next one begins; a window that holds too
        many rows is halved before anything of it was handed out.

        A session that the platform refuses is renewed once in a run, and the window begun anew.
        """
        span = min(self._longest, self._end - start)
        while True:
            window = Window(start, start + span)
            self._cursor_to = window.end
            try:
                yield from self._checked(self._connector.pull(self._access(window), window))
            except TooManyRowsError as error:
                if span <= SHORTEST_SLICE:
                    raise TemporaryError(str(error)) from error
                span = max(span / 2, SHORTEST_SLICE)
                continue
            except AuthorisationError:
                if self._is_renewed or not tokens.renewed_after_refusal(self.shop):
                    raise
                self._is_renewed = True
                continue
            if self._state != RunState.STOPPED:
                self._complete_to = self._reached(window.end)
            return window.end

    def _reached(self, end: datetime) -> datetime:
        """Return how far a window that was read to its `end` takes the cursor: not beyond the platform's own time, or
        what happens there next would lie before the next window."""
        return min(end, self._latest - timedelta(seconds=self._ahead()))

    def _ahead(self) -> int:
        seconds = self._clock.ahead
        if seconds is None:
            return self.sync.clock_ahead
        return ceil(seconds) if seconds > AHEAD_NOTICED else 0

    def _close(self) -> None:
        """Let go of the shop and keep what was seen of the clock, for the end of the next window and the board."""
        if self._ahead() != self.sync.clock_ahead:
            ShopSync.objects.filter(pk=self.sync.pk).update(clock_ahead=self._ahead())
        self._stack.close()

    def _access(self, window: Window) -> ShopAccess:
        """Return the access for one window; one that comes short is noted at once, before the cursor passes it."""

        def short(counted: int, seen: int) -> None:
            self._short.append(gaps.note(self.shop, window, counted, seen))

        return replace(shop_access(self.shop), short=short)

    def _checked(self, pages: Iterator[RawPage]) -> Iterator[RawPage]:
        for page in pages:
            if not self._lease.extend(LEASE_SECONDS):
                raise TemporaryError("another worker has taken this shop over")
            self._pages.came(page)
            yield page
            self.log.pages += 1
            self.log.rows += page.rows
            if not page.is_last and self._is_over():
                self._state = RunState.STOPPED
                return

    def _open_log(self) -> SyncRun:
        ShopSync.objects.filter(pk=self.sync.pk).update(last_attempt_at=timezone.now())
        return runs.begin(self.shop, RunKind.PULL, self._start, self._end)
