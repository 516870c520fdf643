"""Back-fill: a range of one shop is read again from its platform, beside the ordinary pull and without its cursor.

Each slice asks for what was ordered in it, whatever the pool has of it, where the platform lists by creation time;
then for what changed in it. Everything goes through the inbox and the ordinary intake, gate included. Deliveries are
keyed by the back-fill: a slice that is read again after a crash is not taken in again, while an earlier pull of the
same page does not hide what the pool has lost since.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import structlog
from django.db import transaction

from channels_sync.connectors.base import RawPage, ShopAccess, Window
from channels_sync.models import COUNTS, Backfill
from channels_sync.services import gaps, ranges
from channels_sync.services.pages import PageLog
from channels_sync.services.ranges import FIRST_SLICE, Turn, Worked, checked_range, connector_of, gentle_access, slices
from orderhub.core import hooks
from orderhub.core.errors import HubError
from orderhub.models import InboxItem, Shop
from orderhub.services import inbox

log = structlog.get_logger(__name__)

SOURCE = "backfill"


@transaction.atomic
def start(*, shop_id: int, start: datetime, end: datetime, actor: str) -> Backfill:
    """Ask for a range of one shop to be read again, and return the row that tells how far it has come.

    It begins within a minute; ranges of one shop are read one after the other, in the order they were asked for. The
    same range that waits or runs already is returned instead of a second one. Raises HubError for a shop that cannot be
    read from, and for a range that is empty, in the future or longer than platforms list.
    """
    shop = Shop.objects.select_for_update(no_key=True).get(pk=shop_id)
    connector_of(shop)
    start, end = checked_range(start, end)
    same = Backfill.objects.filter(shop=shop, start=start, end=end, state__in=["waiting", "running"]).first()
    if same is not None:
        return same
    total = slices(end - start, FIRST_SLICE)
    job = Backfill.objects.create(
        shop=shop, start=start, end=end, position=start, slice_seconds=FIRST_SLICE, slices_total=total, actor=actor
    )
    log.info("back-fill asked for", shop=shop.code, start=start.isoformat(), end=end.isoformat(), actor=actor)
    return job


def run(backfill_id: int, *, seconds: float | None = ranges.TURN_SECONDS) -> bool:
    """Give a back-fill one turn; false when it is not due or in other hands. `seconds` None: until it ends."""
    return ranges.work(backfill_id, Backfill, _one_slice, seconds=seconds)


def due() -> list[int]:
    """Return the back-fills that may have a turn now, one of each shop. Those that wait for a platform to list what it
    counts hold up no other."""
    return ranges.due(Backfill, aside=gaps.paused)


def cancel(backfill_id: int, actor: str) -> bool:
    """Stop a back-fill for good; what it brought stays. False when it had ended already.

    One that came short again and again has not: people end it where it is the count that is wrong. Nor has the note of
    a span that the platform does not list any more.
    """
    return ranges.cancel(backfill_id, Backfill, actor, also=gaps.GIVEN_UP | gaps.LEFT_OUT, closed_by=actor)


def try_again(backfill_id: int, actor: str) -> bool:
    """Let a back-fill that failed go on from where it stood. False where there is nothing to read any more."""
    if Backfill.objects.filter(gaps.LEFT_OUT, pk=backfill_id).exists():
        return False
    Backfill.objects.filter(pk=backfill_id).update(short_tries=0)
    return ranges.try_again(backfill_id, Backfill, actor)


def _one_slice(job: Backfill, window: Window, turn: Turn) -> Worked:
    found: Counter[str] = Counter()
    short: list[tuple[int, int]] = []
    access = replace(gentle_access(job.shop), short=lambda counted, seen: short.append((counted, seen)))
    pages_log = PageLog(job.shop_id, backfill_id=job.pk, before=job.pages)
    try:
        for page in _pages(job.shop, access, window):
            turn.page()
            pages_log.came(page)
            key = f"backfill:{job.pk}:{page.delivery_key}"
            counts = _take_in(job.shop, page, key)
            pages_log.taken_in(counts, key)
            found.update({"pages": 1, "rows": page.rows, **{name: counts.get(name, 0) for name in COUNTS}})
    except HubError as error:
        pages_log.failed(str(error))
        raise
    if short:
        raise gaps.came_short(job, window, short)
    return Worked(found, gaps.settled(job))


def _pages(shop: Shop, access: ShopAccess, window: Window) -> Iterator[RawPage]:
    """Yield what was ordered in the window, then what changed in it and the pool does not have by then."""
    connector = connector_of(shop)
    if connector.rereads:
        yield from connector.reread(access, window)
    if connector.pulls:
        yield from connector.pull(access, window)


def _take_in(shop: Shop, page: RawPage, key: str) -> Mapping[str, int]:
    """Take one page in and return its counts, those of the first time when it was taken in before."""
    item = inbox.receive(
        shop=shop, source=SOURCE, reader=page.reader, delivery_key=key, body=page.body, content_type=page.content_type
    )
    inbox.fetch_later(shop, page.later)
    result = hooks.process_inbox(item.pk)
    if result.rows:
        return result.counts()
    stored = InboxItem.objects.values_list("result", flat=True).get(pk=item.pk)
    counts: Mapping[str, int] = (stored or {}).get("counts", {})
    return counts
