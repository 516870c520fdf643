"""Reconciliation: the orders of a span of time, in the pool and on the platform, order by order and field by field.

Slice by slice of creation time: the platform's pages are read as the intake would read them and held against the pool,
a page at a time. An order that the pool has and no page showed, and one that the pool has in a newer version than the
page, is fetched by itself before anything is said of it. What is only newer on the platform than the shop was pulled up
to is on its way and no difference; neither is what waits at the gate or among the rejects. Last comes the stock.
"""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.connectors.base import Window
from channels_sync.models import (
    Difference,
    DifferenceKind,
    DifferenceState,
    Reconciliation,
    RunKind,
    StockCompared,
    SyncRun,
)
from channels_sync.selectors import sides
from channels_sync.services import ranges, stock_compare
from channels_sync.services.ranges import FIRST_SLICE, Turn, Worked, checked_range, connector_of, gentle_access
from channels_sync.services.verdicts import Comparison, Verdict
from orderhub.core.draft import OrderDraft
from orderhub.core.errors import HubError
from orderhub.models import Shop

log = structlog.get_logger(__name__)

NIGHT_STARTS, NIGHT_ENDS = 3, 7
"""Local hours between which the nightly comparison begins: fewest orders, and call limits to spare."""
NIGHT_DAYS, MOST_NIGHT_DAYS = 2, 7
"""Days before midnight that a night compares: two, so that a change a day later is seen; more after missed nights."""
WAITS = (0.2, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Seconds between the tries of a comparison that somebody waits for."""
KEPT_DAYS = 90
MOST_KEPT = 5000
"""Differences that one comparison keeps; the counts go on."""


@transaction.atomic
def start(*, shop_id: int, start: datetime, end: datetime, actor: str, day: date | None = None) -> Reconciliation:
    """Ask for a comparison of the orders placed from `start` on and before `end`, and return the row that tells of it.

    `day` marks the nightly one: there is one of each. Raises HubError for a shop whose platform does not list orders by
    creation time, and for an empty range.
    """
    shop = Shop.objects.get(pk=shop_id)
    if not connector_of(shop).rereads:
        raise HubError(
            _("The platform of %(shop)s lists no orders by the time they were placed.") % {"shop": shop.code}
        )
    start, end = checked_range(start, end)
    return Reconciliation.objects.create(
        shop=shop, start=start, end=end, position=start, slice_seconds=FIRST_SLICE, actor=actor, day=day
    )


def nightly(now: datetime | None = None) -> int:
    """Ask for this night's comparison of every active shop that has none yet, and return how many were asked for.

    Between three and seven in the morning only; a night that was missed is made up for by the next one.
    """
    local = timezone.localtime(now)
    if not NIGHT_STARTS <= local.hour < NIGHT_ENDS:
        return 0
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    done = set(Reconciliation.objects.filter(day=local.date()).values_list("shop_id", flat=True))
    asked = 0
    for shop in Shop.objects.filter(is_active=True).exclude(pk__in=done):
        try:
            if connector_of(shop).rereads:
                asked += _one_night(shop, midnight)
        except HubError:
            continue
    return asked


def run(reconciliation_id: int, *, seconds: float | None = ranges.TURN_SECONDS) -> bool:
    """Give a comparison one turn; false when it is not due or in other hands. `seconds` None: until it ends."""
    return ranges.work(reconciliation_id, Reconciliation, _one_slice, seconds=seconds, finish=_close_older)


def run_to_the_end(job: Reconciliation) -> None:
    """Work a comparison off in the foreground; what passes is tried again a few times, the rest is told in `job`.

    Raises HubError while another worker compares the same shop.
    """
    for wait in WAITS:
        if not run(job.pk, seconds=None):
            raise HubError(
                _("%(shop)s is being compared by another worker: try again later.") % {"shop": job.shop.code}
            )
        job.refresh_from_db()
        if not job.is_open:
            return
        time.sleep(wait)
        Reconciliation.objects.filter(pk=job.pk).update(next_attempt_at=None)
    cancel(job.pk, job.actor)
    job.refresh_from_db()


def prune(*, days: int = KEPT_DAYS, limit: int = 100) -> int:
    """Delete up to `limit` comparisons older than `days` with their differences, and return how many went."""
    before = timezone.now() - timedelta(days=days)
    ids = list(Reconciliation.objects.filter(created_at__lt=before).order_by("created_at").values_list("pk")[:limit])
    Reconciliation.objects.filter(pk__in=[pk for (pk,) in ids]).delete()
    return len(ids)


def due() -> list[int]:
    """Return the comparisons that may have a turn now, one of each shop."""
    return ranges.due(Reconciliation)


def cancel(reconciliation_id: int, actor: str) -> bool:
    """Stop a comparison for good; what it found stays. False when it had ended already."""
    return ranges.cancel(reconciliation_id, Reconciliation, actor)


def try_again(reconciliation_id: int, actor: str) -> bool:
    """Let a comparison that failed go on from where it stood."""
    return ranges.try_again(reconciliation_id, Reconciliation, actor)


def difference_rows(job: Reconciliation, verdict: Verdict, number: str) -> list[Difference]:
    """Return the rows that a differing order leaves."""
    order, draft = verdict.order, verdict.draft
    ordered_at = draft.created_at if draft else order.created_at if order else None
    return [
        Difference(
            reconciliation=job, shop_id=job.shop_id, kind=verdict.kind, external_no=number, ordered_at=ordered_at,
            order_id=order.pk if order else None, field=each.field[:100], pool_value=each.pool,
            platform_value=each.platform,
        )
        for each in verdict.fields
    ]  # fmt: skip


def _one_night(shop: Shop, midnight: datetime) -> bool:
    """Ask for the comparison of one shop's last days. False for a shop that is new today: what lies before its first
    pull was never to come into the pool."""
    last = Reconciliation.objects.filter(shop=shop, day__isnull=False, state="done").order_by("-end").first()
    earliest = midnight - timedelta(days=MOST_NIGHT_DAYS)
    begin = midnight - timedelta(days=NIGHT_DAYS)
    if last is not None:
        begin = max(min(begin, last.end), earliest)
    first = SyncRun.objects.filter(shop=shop, kind=RunKind.PULL).order_by("started_at", "pk").first()
    if first is not None:
        begin = max(begin, first.window_start)
    if begin >= midnight:
        return False
    row = Reconciliation(
        shop=shop, start=begin, end=midnight, position=begin, slice_seconds=FIRST_SLICE, actor="nightly",
        day=midnight.date(),
    )  # fmt: skip
    Reconciliation.objects.bulk_create([row], ignore_conflicts=True)
    return True


def _one_slice(job: Reconciliation, window: Window, turn: Turn) -> Worked:
    shop, connector = job.shop, connector_of(job.shop)
    access = gentle_access(shop)
    comparison = Comparison(shop, access, connector)
    for page in connector.reread(access, window):
        turn.page()
        comparison.page(page)
    pool = sides.pool_slice(shop.pk, window.start, window.end)
    comparison.settle(pool.numbers, turn.page)
    found = _of_window(comparison.verdicts, window, pool, job)
    rows = [row for number, each in found.items() if each.fields for row in difference_rows(job, each, number)]
    stock = stock_compare.compare(job, access, connector) if window.end >= job.end else None
    return Worked(
        counts=_counts(found, pool),
        values=stock.values if stock else {},
        write=lambda: _keep(job, rows + (stock.rows if stock else [])),
    )


def _of_window(
    verdicts: dict[str, Verdict], window: Window, pool: sides.PoolSlice, job: Reconciliation
) -> dict[str, Verdict]:
    """Leave out what another slice counts: windows of platforms include both ends, and a creation time may differ."""

    def belongs(number: str, draft: OrderDraft | None) -> bool:
        if draft is None or window.start <= draft.created_at < window.end:
            return True
        return number in pool.numbers and not job.start <= draft.created_at < job.end

    return {number: verdict for number, verdict in verdicts.items() if belongs(number, verdict.draft)}


def _counts(verdicts: dict[str, Verdict], pool: sides.PoolSlice) -> Counter[str]:
    counts: Counter[str] = Counter(verdict.outcome for verdict in verdicts.values())
    drafts = [verdict.draft for verdict in verdicts.values() if verdict.draft is not None]
    counts["platform_orders"] = len(drafts)
    counts["platform_total_fen"] = sum(draft.total_fen for draft in drafts)
    counts["platform_paid_fen"] = sum(draft.paid_fen for draft in drafts)
    counts["platform_refunds"] = sum(line.refund != "none" for draft in drafts for line in draft.lines)
    counts["pool_orders"] = len(pool.numbers)
    counts["pool_total_fen"], counts["pool_paid_fen"] = pool.total_fen, pool.paid_fen
    counts["pool_refunds"] = pool.refunds
    return counts


def _keep(job: Reconciliation, rows: Sequence[Difference]) -> None:
    room = MOST_KEPT - Difference.objects.filter(reconciliation=job).count()
    Difference.objects.bulk_create(rows[: max(room, 0)], ignore_conflicts=True, batch_size=1000)


def _close_older(job: Reconciliation) -> None:
    """Differences of earlier comparisons over the same orders and stock are told by this one now, or are gone."""
    again = Q(ordered_at__gte=job.start, ordered_at__lt=job.end)
    if job.stock_state in {StockCompared.COMPARED, StockCompared.NOTHING}:
        again |= Q(kind=DifferenceKind.STOCK)
    older = Difference.objects.filter(
        again, shop_id=job.shop_id, state__in=[DifferenceState.OPEN, DifferenceState.KEPT]
    )
    older = older.filter(reconciliation_id__lt=job.pk)
    older.update(state=DifferenceState.GONE, closed_at=timezone.now(), closed_by=job.actor)
