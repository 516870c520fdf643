"""Re-reading open orders: for changes that do not move a platform's modification time, such as a remark or a flag.

Only stretches of time in which the pool has orders that have not gone to the warehouse are asked for, by creation, the
newest first; the last hour comes with every run, what lies before it goes on over several runs, by one stretch at
least. A page that says nothing new is not stored. One that does goes through the inbox and the ordinary intake; its
delivery is named after the run, so that a remark which goes back to what it was is not taken for a page of before.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.db import connection
from django.db.models import F, Q
from django.utils import timezone

from channels_sync.connectors import options
from channels_sync.connectors.base import (
    AuthorisationError,
    RawPage,
    TooManyRowsError,
    Window,
    abilities_of,
    connectors,
)
from channels_sync.models import RunKind, RunState, ShopSync
from channels_sync.selectors.listings import OPEN_ORDER
from channels_sync.services import health, news, runs, tokens
from channels_sync.services.pages import PageLog
from channels_sync.services.ranges import gentle_access
from orderhub.core import hooks
from orderhub.core.errors import TemporaryError
from orderhub.models import Shop
from orderhub.services import inbox, leases

log = structlog.get_logger(__name__)

LEASE_SECONDS = 150
RUN_SECONDS = 60.0
"""After this long a run stops at the next page; the next one goes on from there."""
SOURCE = "reread"
SLICE = timedelta(minutes=30)
SHORTEST_SLICE = timedelta(seconds=10)
RECENT = timedelta(hours=1)
"""Remarks are written soon after the order: this much is read again in every run."""
DAYS = 3.0
"""How old an open order may be, unless the shop's settings say `reread_days`."""
MOST_DAYS = 30.0


def due() -> list[int]:
    """Return the active shops whose open orders are to be read again now. One query."""
    wanted = Q(pk__in=[])
    for key, connector in connectors.items():
        if connector.rereads and connector.reread_minutes:
            before = timezone.now() - timedelta(minutes=connector.reread_minutes)
            is_time = Q(sync__reread_at__isnull=True) | Q(sync__reread_at__lte=before)
            wanted |= Q(platform=key) & (is_time | Q(sync__reread_to__isnull=False))
    shops = Shop.objects.filter(wanted, is_active=True, sync__cursor__isnull=False)
    return list(shops.order_by(F("sync__reread_at").asc(nulls_first=True), "pk").values_list("pk", flat=True))


def run_shop(shop_id: int) -> dict[str, int] | None:
    """Read the open orders of a shop again and return the counts; None while another worker does, or its pull fails.

    A failure is told in the log of runs, not raised.
    """
    shop = Shop.objects.select_related("warehouse").get(pk=shop_id)
    if not abilities_of(shop.platform).rereads:
        return None
    sync, _is_new = ShopSync.objects.get_or_create(shop=shop)
    if not health.is_open(sync, shop):
        return None
    with leases.hold(f"reread:{shop_id}", LEASE_SECONDS) as lease:
        if lease is None:
            return None
        return _Run(shop, lease).go()


class _Run:
    """One run of one shop under its lease."""

    def __init__(self, shop: Shop, lease: leases.HeldLease) -> None:
        self._shop, self._lease = shop, lease
        self._connector = connectors.get(shop.platform)
        self._now = timezone.now().replace(microsecond=0)
        self._stop_at = time.monotonic() + RUN_SECONDS
        self._is_renewed = False
        self._sync = ShopSync.objects.get(shop=shop)

    def go(self) -> dict[str, int] | None:
        slices = self._slices()
        if not slices:
            self._note(done_to=None)
            return {}
        self._open_log(slices)
        try:
            self._all(slices)
        except Exception as error:  # noqa: BLE001  (told to people; the next run goes on from where this one stood)
            self._fail(error)
        else:
            runs.end(self.log, RunState.DONE if self._sync.reread_to is None else RunState.STOPPED)
        return {name: getattr(self.log, name) for name in ("rows", "changed", "unchanged", "rejected")}

    def _slices(self) -> list[datetime]:
        """Return the beginnings of the slices that hold open orders, the newest first; older ones from where the run
        before stopped."""
        days = options.number(self._shop.settings, "reread_days", DAYS, 0.05, MOST_DAYS)
        begin = self._now - timedelta(days=days)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                SELECT DISTINCT date_bin(make_interval(secs => %s), o.created_at, 'epoch') AS slice
                FROM orderhub_order o
                WHERE o.shop_id = %s AND o.created_at BETWEEN %s AND %s AND {OPEN_ORDER} ORDER BY slice DESC
                """,  # noqa: S608  (a constant)
                [SLICE.total_seconds(), self._shop.pk, begin, self._now],
            )
            found = [row[0] for row in cursor.fetchall()]
        reached = self._sync.reread_to
        return [start for start in found if reached is None or start < reached or start + SLICE > self._now - RECENT]

    def _all(self, slices: Sequence[datetime]) -> None:
        reached = self._sync.reread_to
        for start in slices:
            if self._sync.reread_to != reached and time.monotonic() >= self._stop_at:
                return
            self._window(start, min(start + SLICE, self._now))
            if reached is None or start < reached:
                self._note(done_to=start)
        self._note(done_to=None)

    def _window(self, start: datetime, end: datetime) -> None:
        """Read one stretch; halved while it holds too many rows, begun anew once when the session was refused."""
        try:
            for page in self._connector.reread(gentle_access(self._shop), Window(start, end)):
                self._page(page)
        except TooManyRowsError as error:
            if end - start <= SHORTEST_SLICE:
                raise TemporaryError(str(error)) from error
            middle = start + (end - start) / 2
            self._window(start, middle)
            self._window(middle, end)
        except AuthorisationError as error:
            if self._is_renewed or not tokens.renewed_after_refusal(self._shop):
                tokens.note_refused(self._shop, error)
                raise
            self._is_renewed = True
            self._window(start, end)

    def _page(self, page: RawPage) -> None:
        if not self._lease.extend(LEASE_SECONDS):
            raise TemporaryError("another worker has taken this shop over")
        self.log.pages += 1
        self.log.rows += page.rows
        inbox.fetch_later(self._shop, page.later)
        if not news.has_news(self._shop, page):
            self.log.unchanged += page.rows
            return
        self._pages.came(page)
        key = f"{SOURCE}:{self.log.pk}:{page.delivery_key}"
        item = inbox.receive(
            shop=self._shop, source=SOURCE, reader=page.reader, delivery_key=key, body=page.body,
            content_type=page.content_type,
        )  # fmt: skip
        counts = hooks.process_inbox(item.pk).counts()
        self._pages.taken_in(counts, key)
        self.log.count(counts)

    def _open_log(self, slices: Sequence[datetime]) -> None:
        self.log = runs.begin(self._shop, RunKind.REREAD, slices[-1], min(slices[0] + SLICE, self._now))
        self._pages = PageLog(self._shop.pk, run_id=self.log.pk)

    def _fail(self, error: Exception) -> None:
        log.warning("re-reading failed", shop=self._shop.code, kind=type(error).__name__)
        ShopSync.objects.filter(pk=self._sync.pk).update(reread_at=timezone.now())
        sentence = health.sentence_of(error)
        self._pages.failed(sentence)
        runs.end(self.log, RunState.FAILED, sentence)

    def _note(self, *, done_to: datetime | None) -> None:
        """Keep how far it came; None: all open orders were read."""
        self._sync.reread_to = done_to
        ShopSync.objects.filter(pk=self._sync.pk).update(reread_to=done_to, reread_at=timezone.now())
