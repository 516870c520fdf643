"""Pulling a window of JD: by time of change, ascending, always from the first page of what is left.

The list is sorted by time of change, oldest first. An order that changes while we page leaves the window, and all
behind it move up: turning pages would skip orders. So the next call begins at the time where the last page ended and
asks for page 1 again; only orders of one and the same second are paged. That also stays clear of JD's depth limit.
What the count promised and no page showed makes the window be read again.
"""

import hashlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import orjson
import structlog

from channels_sync.connectors import options
from channels_sync.connectors.base import CallBudget, RawPage, ShopAccess, TooManyRowsError, Window
from channels_sync.connectors.jd.client import JdClient, RefusedError, jd_time
from channels_sync.connectors.jd.refunds import Refunds
from channels_sync.connectors.jd.rows import (
    CANCELLED,
    NOTE_KEY,
    REFUNDS_KEY,
    REFUSED_KEY,
    SHIPPED,
    Row,
    family,
    moment_of,
    number_of,
    version_of,
)
from channels_sync.connectors.turns import heeding, wait_for
from orderhub.core.errors import TemporaryError

log = structlog.get_logger(__name__)

SEARCH = "jingdong.pop.order.search"
"""`jingdong.pop.order.enSearch` takes the same parameters and gives contact data encrypted: setting `list_method`."""
GET = "jingdong.pop.order.get"
NOTE = "jingdong.order.venderRemark.queryByOrderId"
FIELDS = (
    "orderId,parentOrderId,directParentOrderId,venderId,orderType,payType,orderTotalPrice,orderSellerPrice,orderPayment,"
    "actualPay,shouldPay,freightPrice,sellerDiscount,balanceUsed,orderState,orderStateRemark,orderStartTime,"
    "paymentConfirmTime,orderEndTime,modified,orderRemark,venderRemark,consigneeInfo,itemInfoList,couponDetailList,"
    "waybill,logisticsId,pin,open_id_buyer,xid_buyer,storeOrder,storeId,idSopShipmenttype,scDT,returnOrder"
)
LARGEST_SLICE = 3000
SHORTEST_SLICE = timedelta(minutes=1)
LAST_PAGE = 100
PASSES = 4
"""How often a window, and a page of it, is read while it holds less than was counted."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True, frozen=True)
class Options:
    """What a shop's settings may change: `page_size` (100 the most; an older page of JD says 50), `calls_per_second` of
    its application key, `detail_workers` (calls at once), `list_method`, `order_states`, and what is read beside the
    orders: `read_flags`, `read_refunds`, `read_services`."""

    page_size: int = 50
    calls_per_second: float = 10.0
    detail_workers: int = 4
    list_method: str = SEARCH
    order_states: str = "ALL"
    read_flags: bool = True
    read_refunds: bool = True
    read_services: bool = True

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Options":
        """Return the options of a shop; values that make no sense are brought into range."""
        return cls(
            page_size=int(options.number(settings, "page_size", 50, 1, 100)),
            calls_per_second=options.number(settings, "calls_per_second", 10, 0.1, 1000),
            detail_workers=int(options.number(settings, "detail_workers", 4, 1, 16)),
            list_method=str(settings.get("list_method") or SEARCH),
            order_states=str(settings.get("order_states") or "ALL"),
            read_flags=bool(settings.get("read_flags", True)),
            read_refunds=bool(settings.get("read_refunds", True)),
            read_services=bool(settings.get("read_services", True)),
        )


class Pull:
    """One reading of one shop: a window of changes, a window of creation, or single orders."""

    def __init__(self, client: JdClient, access: ShopAccess, options: Options) -> None:
        self._client = client
        self._access = access
        self._options = options
        self._budget = budget_of(access, options)
        self._lists = Refunds(client, services=options.read_services)
        self._refunds: dict[str, list[dict[str, Any]]] = {}
        self._refunds_from: datetime | None = None
        """Every refund of an order that was created after this moment is in `_refunds`."""
        self._seen: dict[str, str] = {}
        """Modification time, as text, by order number of all rows of this reading."""
        self._parents: set[str] = set()

    def changed(self, window: Window) -> Iterator[RawPage]:
        """Yield the orders changed in `window`, and those whose refunds changed. Raises TooManyRowsError at first."""
        yield from self._window(window, by_change=True, refunds_until=window.end)
        missing = [number for number in self._refunds if number not in self._seen and number not in self._parents]
        for first in range(0, len(missing), self._options.page_size):
            rows = self._each(missing[first : first + self._options.page_size], self._order_or_error)
            yield from self._deliver([row for row in rows if isinstance(row, dict)], is_known_skipped=True)
            if any(isinstance(row, RefusedError) for row in rows):
                log.warning("refunds of orders that JD does not show", shop=self._access.code)

    def created(self, window: Window, now: datetime) -> Iterator[RawPage]:
        """Yield the orders created in `window`, whatever the pool has of them."""
        yield from self._window(window, by_change=False, refunds_until=now)

    def single(self, numbers: Sequence[str]) -> Iterator[RawPage]:
        """Yield the present version of single orders; one that JD refuses comes marked."""
        for first in range(0, len(numbers), self._options.page_size):
            some = numbers[first : first + self._options.page_size]
            rows = self._each(some, self._order_or_error)
            yield from self._deliver(
                [_refused(n, r) if isinstance(r, RefusedError) else r for n, r in zip(some, rows, strict=True)],
                is_known_skipped=False,
            )

    def _window(self, window: Window, *, by_change: bool, refunds_until: datetime) -> Iterator[RawPage]:
        rows, total = self._list(window.start, window.end, 1, by_change=by_change)
        if total > LARGEST_SLICE and window.span > SHORTEST_SLICE:
            raise TooManyRowsError(total)
        if self._options.read_refunds:
            wait = partial(wait_for, self._budget)
            self._refunds = self._guarded(lambda: self._lists.between(window.start, refunds_until, wait))
        self._refunds_from = window.start
        for _turn in range(PASSES):
            yield from self._one_pass(window, rows, total, by_change=by_change)
            if len(self._seen) >= total:
                return
            rows, total = self._list(window.start, window.end, 1, by_change=by_change)
        if len(self._seen) < total:
            log.warning("fewer orders than counted", shop=self._access.code, counted=total, seen=len(self._seen))
            self._access.short(total, len(self._seen))

    def _one_pass(
        self, window: Window, rows: list[Row], total: int, *, by_change: bool
    ) -> Generator[RawPage, None, None]:
        """Yield everything of the window, beginning with its first page; `total` is what is left from `start` on."""
        start, page, column = window.start, 1, "modified" if by_change else "orderStartTime"
        while True:
            yield from self._deliver(rows, is_known_skipped=by_change)
            if not rows or page * self._options.page_size >= total:
                return
            reached = max(filter(None, (moment_of(row, column) for row in rows)), default=start)
            start, page = (reached, 1) if reached > start else (start, page + 1)
            if page > LAST_PAGE:
                raise TemporaryError("JD has more orders of one second than it lets anybody read")
            rows, total = self._list(start, window.end, page, by_change=by_change)

    def _list(self, start: datetime, end: datetime, page: int, *, by_change: bool) -> tuple[list[Row], int]:
        """Return one page and the count from `start` on; a page shorter than the count promises is asked for again."""
        size = self._options.page_size
        for _turn in range(PASSES):
            rows, total = self._ask(start, end, page, by_change=by_change)
            if len(rows) >= min(size, total - (page - 1) * size):
                break
        return rows, total

    def _ask(self, start: datetime, end: datetime, page: int, *, by_change: bool) -> tuple[list[Row], int]:
        params = {
            "start_date": jd_time(start),
            "end_date": jd_time(end),
            "order_state": self._options.order_states,
            "optional_fields": FIELDS,
            "page": str(page),
            "page_size": str(self._options.page_size),
            "dateType": "0" if by_change else "1",
            "sortType": "0",
            "source_id": "JOS",
        }
        wait_for(self._budget)
        found = self._guarded(lambda: self._client.result(self._options.list_method, params, "searchorderinfo_result"))
        rows = found.get("orderInfoList")
        rows = rows if isinstance(rows, list) else []
        total = str(found.get("orderTotal"))
        return rows, int(total) if total.isascii() and total.isdigit() else len(rows)

    def _deliver(self, rows: Sequence[Row], *, is_known_skipped: bool) -> Iterator[RawPage]:
        """Yield one page of the rows that are new to this reading and to the pool, with what lies beside them."""
        fresh = [row for row in rows if self._is_new(row)]
        wanted = self._unknown(self._with_refunds(fresh)) if is_known_skipped else self._with_refunds(fresh)
        if not wanted:
            return
        body = orjson.dumps({"orders": self._with_flags(wanted)})
        yield RawPage(f"jd:{hashlib.sha256(body).hexdigest()}", body, "application/json", "jd", len(wanted))

    def _is_new(self, row: Row) -> bool:
        identity = number_of(row) or repr(row)
        modified = str(row.get("modified", "")) if isinstance(row, dict) else ""
        if self._seen.get(identity) == modified:
            return False
        self._seen[identity] = modified
        self._parents.update(family(row)[1:])
        return True

    def _unknown(self, rows: list[Row]) -> list[Row]:
        versions = {number_of(row): moment for row in rows if (moment := version_of(row)) and number_of(row)}
        known = self._access.known(versions)
        return [row for row in rows if number_of(row) not in known]

    def _with_refunds(self, rows: Sequence[Row]) -> list[Row]:
        """Lay its refunds beside each order; of an order older than the window they are asked for one by one."""
        if not self._options.read_refunds:
            return list(rows)
        asked = self._looked_up([row for row in rows if number_of(row) and self._is_older(row)])
        return [_beside(row, asked[n] if (n := number_of(row)) in asked else self._listed(row)) for row in rows]

    def _looked_up(self, rows: Sequence[Row]) -> dict[str, list[dict[str, Any]]]:
        calls = [(number_of(row), self._lists.cancellations, number) for row in rows for number in family(row)]
        shipped = [row for row in rows if row.get("orderState") in SHIPPED]
        calls += [(number_of(row), self._lists.services, number) for row in shipped for number in family(row)]
        found: dict[str, list[dict[str, Any]]] = {number_of(row): [] for row in rows}
        answers = self._each(calls, lambda call: call[1](call[2]))
        for (number, _read, _asked), refunds in zip(calls, answers, strict=True):
            found[number] += refunds
        return found

    def _is_older(self, row: Row) -> bool:
        if row.get("orderState") in CANCELLED or REFUSED_KEY in row:
            return False
        created = moment_of(row, "orderStartTime")
        return self._refunds_from is None or created is None or created < self._refunds_from

    def _listed(self, row: Row) -> list[dict[str, Any]]:
        return [refund for number in family(row) for refund in self._refunds.get(number, ())]

    def _with_flags(self, rows: Sequence[Row]) -> list[Row]:
        """Lay the flag beside each order that has a note; the lists show the note only."""
        noted = [row for row in rows if isinstance(row, dict) and row.get("venderRemark") and number_of(row)]
        flags = self._each(noted if self._options.read_flags else [], self._flag)
        found = {number_of(row): flag for row, flag in zip(noted, flags, strict=False) if flag}
        return [{**row, NOTE_KEY: found[number_of(row)]} if number_of(row) in found else row for row in rows]

    def _flag(self, row: Row) -> str:
        asked = {"order_id": number_of(row)}
        try:
            found = self._client.call(NOTE, asked).get("venderRemarkQueryResult")
        except RefusedError:
            return ""
        note = found.get("vender_remark") if isinstance(found, dict) else None
        return str(note.get("flag", "")) if isinstance(note, dict) else ""

    def _order_or_error(self, number: str) -> dict[str, Any] | RefusedError:
        params = {"order_id": number, "optional_fields": FIELDS}
        try:
            order = self._client.result(GET, params, "orderDetailInfo").get("orderInfo")
        except RefusedError as error:
            return error
        return order if isinstance(order, dict) else RefusedError("JD returned no order")

    def _each(self, items: Sequence[T], call: Callable[[T], R]) -> list[R]:
        """Return `call` of each item, a few at a time, each one call to JD in its turn."""
        if not items:
            return []

        def in_turn(item: T, start: float) -> R:
            time.sleep(max(0.0, start - time.monotonic()))
            return call(item)

        with ThreadPoolExecutor(max_workers=min(self._options.detail_workers, len(items))) as pool:
            # The turns are taken here: a thread of the pool must not open a database connection.
            return self._guarded(lambda: list(pool.map(in_turn, items, self._budget.take(len(items)))))

    def _guarded(self, call: Callable[[], R]) -> R:
        """Return `call()`; a limit that JD names holds for every worker of this application key."""
        with heeding(self._budget):
            return call()


def budget_of(access: ShopAccess, options: Options) -> CallBudget:
    """Return the call budget of the shop's application key."""
    return access.budget(f"jd:{access.credential('app_key')}", options.calls_per_second)


def _beside(row: Row, refunds: list[dict[str, Any]]) -> Row:
    return {**row, REFUNDS_KEY: refunds} if refunds and isinstance(row, dict) else row


def _refused(number: str, error: RefusedError) -> dict[str, Any]:
    return {"orderId": number, REFUSED_KEY: str(error)}
