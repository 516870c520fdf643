"""The log of pages: what every page of a pull or a back-fill held, what intake made of it, and how long both took."""

import time
from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import Subquery

from channels_sync.connectors.base import RawPage
from channels_sync.models import COUNTS, SyncPage
from orderhub.models import InboxItem

KEPT_DAYS = 14


class PageLog:
    """The pages of one run or back-fill, in the order in which they came: one row for each, when it is taken in.

    `before` pages were counted already.
    """

    def __init__(
        self, shop_id: int, *, run_id: int | None = None, backfill_id: int | None = None, before: int = 0
    ) -> None:
        self._shop_id, self._owner = shop_id, {"run_id": run_id, "backfill_id": backfill_id}
        self._number = before
        self._open: RawPage | None = None
        self._asked_at = self._came_at = time.monotonic()

    def came(self, page: RawPage) -> None:
        """Note that the channel handed a page out."""
        self._came_at = time.monotonic()
        self._number += 1
        self._open = page

    def taken_in(self, counts: Mapping[str, int], delivery_key: str = "") -> None:
        """Note what intake made of the page that came last; `delivery_key` is the delivery's where it is not the page's
        own."""
        self._close(delivery_key, **{name: counts.get(name, 0) for name in COUNTS})

    def failed(self, error: str) -> None:
        """Note that the page that came last could not be taken in; nothing when none was on its way."""
        self._close(error=error[:2000])

    def _close(self, delivery_key: str = "", **values: Any) -> None:
        page, self._open = self._open, None
        if page is None:
            return
        now, key = time.monotonic(), delivery_key or page.delivery_key
        item = InboxItem.objects.filter(shop_id=self._shop_id, delivery_key=key)
        SyncPage.objects.create(
            shop_id=self._shop_id, **self._owner, number=self._number, delivery_key=key,
            inbox_id=Subquery(item.values("pk")), rows=page.rows, is_last=page.is_last,
            fetch_ms=_ms(self._came_at - self._asked_at), intake_ms=_ms(now - self._came_at), **values,
        )  # fmt: skip
        self._asked_at = now


def prune_pages(*, days: int = KEPT_DAYS, limit: int = 20_000) -> int:
    """Delete up to `limit` pages older than `days` and return how many went."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM channels_sync_syncpage WHERE id IN (
                SELECT id FROM channels_sync_syncpage WHERE at < now() - make_interval(days => %s)
                ORDER BY at, id LIMIT %s)
            """,
            [days, limit],
        )
        return int(cursor.rowcount)


def _ms(seconds: float) -> int:
    return max(round(seconds * 1000), 0)
