"""The log of runs: one row for each time that a shop was pulled or its open orders were read again."""

from datetime import datetime

import structlog
from django.db import connection
from django.utils import timezone

from channels_sync.models import RunKind, RunState, SyncRun
from orderhub.models import Shop

log = structlog.get_logger(__name__)


def begin(shop: Shop, kind: RunKind, start: datetime, end: datetime) -> SyncRun:
    """Note the begin of a run over a span of the channel's time; the caller holds the lease of such runs, so that one
    of this shop which never ended is noted as abandoned."""
    abandon(shop, kind)
    return SyncRun.objects.create(shop=shop, kind=kind, window_start=start, window_end=end, started_at=timezone.now())


def abandon(shop: Shop, kind: RunKind) -> bool:
    """Note runs of this shop that never ended as abandoned, and tell whether there was one; the caller holds the lease
    of such runs."""
    lost = SyncRun.objects.filter(shop=shop, kind=kind, state=RunState.RUNNING)
    return bool(lost.update(state=RunState.ABANDONED, finished_at=timezone.now()))


def end(run: SyncRun, state: RunState, error: str = "") -> None:
    """Note how a run ended, with the counts that were added to it."""
    run.state, run.error, run.finished_at = state, error[:2000], timezone.now()
    run.save()
    log.info(
        "run ended", kind=run.kind, shop=run.shop.code, state=state, pages=run.pages, rows=run.rows, **run.counts
    )  # fmt: skip


def prune_runs(*, days: int = 30, limit: int = 5000) -> int:
    """Delete up to `limit` runs older than `days` and return how many went."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM channels_sync_syncrun WHERE id IN (
                SELECT id FROM channels_sync_syncrun WHERE started_at < now() - make_interval(days => %s)
                ORDER BY started_at LIMIT %s)
            """,
            [days, limit],
        )
        return int(cursor.rowcount)
