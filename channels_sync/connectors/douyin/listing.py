"""Reading a list of the platform completely although it changes meanwhile.

Rows are asked for oldest change first. A row that changes leaves its place, and all behind it move up: paging forward
by number would skip some. So no second page is asked for: the next call begins at the time of the last row, which also
keeps the depth limit far away. Only rows of one and the same second are paged (protocol reference 4.4).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from django.utils.translation import gettext as _

from channels_sync.connectors import http
from channels_sync.connectors.base import TooManyRowsError, Window
from channels_sync.connectors.douyin.client import Gateway
from orderhub.core.errors import HubError, TemporaryError

log = structlog.get_logger(__name__)

Row = Any
DEEPEST_ROW = 10_000
"""The platform's pages disagree (10,000 or 50,000 rows); the lower one is kept."""
LARGEST_SLICE = 5_000
SHORTEST_SPAN = 60
PASSES = 4


@dataclass(slots=True, frozen=True)
class Listing:
    """One list method: how a span of unix seconds is asked for, where its rows are and how one is told from another."""

    method: str
    rows_key: str
    params: Callable[[int, int], dict[str, Any]]
    time_of: Callable[[Row], int]
    identity_of: Callable[[Row], str]


@dataclass(slots=True, frozen=True)
class Page:
    """One answer of a list."""

    rows: list[Row]
    total: int


def unix(moment: datetime) -> int:
    """Return a moment as the platform counts it: whole seconds; milliseconds would find nothing."""
    return int(moment.timestamp())


def oldest_allowed(window: Window, days: int) -> int:
    """Return the first second of a window that the platform still lists. Raises HubError when it lists none of it."""
    limit = unix(datetime.now(UTC)) - days * 86_400 + 60
    if unix(window.end) <= limit:
        raise HubError(_("The platform lists the last %(days)s days only.") % {"days": days})
    return max(unix(window.start), limit)


class Walk:
    """One list over one span of seconds, both ends included."""

    def __init__(self, gateway: Gateway, listing: Listing, start: int, end: int, size: int) -> None:
        self._gateway = gateway
        self._listing = listing
        self._start = start
        self._end = max(end, start + 1)
        self._size = size
        self._seen: dict[str, int] = {}

    def rows(self) -> Iterator[list[Row]]:
        """Yield all rows, oldest first, a page at a time; a row that changed meanwhile comes again.

        Raises TooManyRowsError before the first page when a shorter span is wanted.
        """
        first = self._page(self._start, 0)
        if first.total > LARGEST_SLICE and self._end - self._start > SHORTEST_SPAN:
            raise TooManyRowsError(first.total)
        if first.total <= self._size and len(first.rows) >= first.total:
            yield self._fresh(first.rows)
            return
        total = first.total
        for _number in range(PASSES):
            before = len(self._seen)
            yield from self._one_pass()
            total = self._page(self._start, 0).total
            if len(self._seen) >= total or len(self._seen) == before:
                break
        if len(self._seen) < total:
            log.warning("fewer rows than counted", method=self._listing.method, counted=total, seen=len(self._seen))
            self._gateway.access.short(total, len(self._seen))

    def _one_pass(self) -> Iterator[list[Row]]:
        moment, number = self._start, 0
        while True:
            page = self._page(moment, number)
            yield self._fresh(page.rows)
            if len(page.rows) < self._size:
                return
            last = max(map(self._listing.time_of, page.rows))
            moment, number = (last, 0) if last > moment else (moment, number + 1)
            if (number + 1) * self._size > DEEPEST_ROW:
                raise HubError(_("More than %(rows)s changes in one second cannot be listed.") % {"rows": DEEPEST_ROW})

    def _page(self, start: int, number: int) -> Page:
        """Return one page; an answer that holds another page than the one asked for is asked for again."""
        params = {**self._listing.params(start, max(self._end, start + 1)), "page": number, "size": self._size}
        for _try in range(http.TRIES):
            data = self._gateway.call(self._listing.method, params)
            shown = data.get("page", number)
            if str(shown) == str(number):
                rows = data.get(self._listing.rows_key)
                return Page(rows if isinstance(rows, list) else [], _count(data))
        detail = {"shown": shown, "asked": number}
        raise TemporaryError(_("The platform answered with page %(shown)s instead of %(asked)s.") % detail)

    def _fresh(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if self._is_new(row)]

    def _is_new(self, row: Row) -> bool:
        identity = self._listing.identity_of(row) or repr(row)
        moment = self._listing.time_of(row)
        if self._seen.get(identity) == moment:
            return False
        self._seen[identity] = moment
        return True


def seconds_of(holder: Any, name: str) -> int:
    """Return a time of a row in unix seconds, 0 where it has none that can be read."""
    text = str(holder.get(name)) if isinstance(holder, Mapping) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else 0


def _count(data: Mapping[str, Any]) -> int:
    text = str(data.get("total"))
    return int(text) if text.isascii() and text.isdigit() else 0
