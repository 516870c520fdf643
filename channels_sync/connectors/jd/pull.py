"""Pulling a window of JD: by time of change, ascending, always from the first page of what is left.

The list is sorted by time of change, oldest first. An order that changes while we page leaves the window, and all
behind it move up: turning pages would skip orders. So the next call begins at the time where the last page ended and
asks for page 1 again; only orders of one and the same second are paged. That also stays clear of JD's depth limit.
What the count promised and no page showed makes the window be read again.
"""

import hashlib
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import orjson
import structlog

from channels_sync.connectors import options
from channels_sync.connectors.base import CallBudget, RawPage, ShopAccess, TooManyRowsError, Window, not_now
from channels_sync.connectors.jd.client import JdClient, RefusedError, jd_time, proved
from channels_sync.connectors.jd.refunds import Refunds, unknown
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
from channels_sync.connectors.turns import UnderOneBan, heeding, volley, wait_for
from orderhub.core.errors import HubError, TemporaryError

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
    orders: `read_flags`, `read_refunds`, `read_services`.

    No source names JD's limit of calls a second. 5,000 orders an hour need about 11, because each change of an order
    older than its window costs a look-up of its refunds; 30 let a pull catch up. A ban that JD answers is kept anyhow.
    """

    page_size: int = 50
    calls_per_second: float = 30.0
    detail_workers: int = 8
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
            calls_per_second=options.number(settings, "calls_per_second", 30, 0.1, 1000),
            detail_workers=int(options.number(settings, "detail_workers", 8, 1, 16)),
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
        self._refunds_until: datetime | None = None
        """What `_refunds` says of an order that changed after this moment may be old."""
        self._seen: dict[str, str] = {}
        """Modification time, as text, by order number of all rows of this reading."""
        self._parents: set[str] = set()

    def changed(self, window: Window) -> Iterator[RawPage]:
        """Yield the orders changed in `window`, and those whose refunds changed. Raises TooManyRowsError at first."""
        yield from self._window(window, by_change=True, refunds_until=window.end)
        missing = [number for number in self._refunds if number not in self._seen and number not in self._parents]
        for first in range(0, len(missing), self._options.page_size):
            orders = self._orders(missing[first : first + self._options.page_size])
            later = not_now(orders, RefusedError)
            shown = [order for order in orders.values() if isinstance(order, dict)]
            yield from self._deliver(shown, is_known_skipped=True, later=later)
            if any(isinstance(order, RefusedError) for order in orders.values()):
                log.warning("refunds of orders that JD does not show", shop=self._access.code)

    def created(self, window: Window, now: datetime) -> Iterator[RawPage]:
        """Yield the orders created in `window`, whatever the pool has of them."""
        yield from self._window(window, by_change=False, refunds_until=now)

    def single(self, numbers: Sequence[str]) -> Iterator[RawPage]:
        """Yield the present version of single orders; one that JD refuses comes marked."""
        for first in range(0, len(numbers), self._options.page_size):
            orders = self._orders(numbers[first : first + self._options.page_size])
            later = not_now(orders, RefusedError)
            rows = [
                _refused(n, row) if isinstance(row, HubError) else row for n, row in orders.items() if n not in later
            ]
            yield from self._deliver(rows, is_known_skipped=False, later=later)

    def _window(self, window: Window, *, by_change: bool, refunds_until: datetime) -> Iterator[RawPage]:
        rows, total = self._list(window.start, window.end, 1, by_change=by_change)
        if total > LARGEST_SLICE and window.span > SHORTEST_SLICE:
            raise TooManyRowsError(total)
        if self._options.read_refunds:
            wait = partial(wait_for, self._budget)
            self._refunds = self._guarded(lambda: self._lists.between(window.start, refunds_until, wait))
        self._refunds_from, self._refunds_until = window.start, refunds_until
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

    def _deliver(
        self, rows: Sequence[Row], *, is_known_skipped: bool, later: Collection[str] = ()
    ) -> Iterator[RawPage]:
        """Yield one page of the rows that are new to this reading and to the pool, with what lies beside them; an order
        of which that cannot be had just now is named instead, like those of `later`."""
        fresh = [row for row in rows if self._is_new(row)]
        shown, without_refunds = self._with_refunds(self._unread(fresh) if is_known_skipped else fresh)
        wanted, without_flag = self._with_flags(self._unknown(shown) if is_known_skipped else shown)
        names = sorted({*later, *without_refunds, *without_flag})
        if not wanted and not names:
            return
        body = orjson.dumps({"orders": wanted})
        key = f"jd:{hashlib.sha256(body).hexdigest()}"
        yield RawPage(key, body, "application/json", "jd", len(wanted), later=names)

    def _is_new(self, row: Row) -> bool:
        identity = number_of(row) or repr(row)
        modified = str(row.get("modified", "")) if isinstance(row, dict) else ""
        if self._seen.get(identity) == modified:
            return False
        self._seen[identity] = modified
        self._parents.update(family(row)[1:])
        return True

    def _unread(self, rows: list[Row]) -> list[Row]:
        """Return the rows that the pool lacks in their own version, or of which a list shows a refund: looking refunds
        up costs calls, and windows overlap."""
        unknown = {id(row) for row in self._unknown(rows)}
        return [row for row in rows if id(row) in unknown or self._listed(row)]

    def _unknown(self, rows: list[Row]) -> list[Row]:
        versions = {number_of(row): moment for row in rows if (moment := version_of(row)) and number_of(row)}
        known = self._access.known(versions)
        return [row for row in rows if number_of(row) not in known]

    def _with_refunds(self, rows: Sequence[Row]) -> tuple[list[Row], set[str]]:
        """Lay its refunds beside each order; of an order older than the window they are asked for one by one. Return
        the orders and the numbers of those for which that fails now."""
        if not self._options.read_refunds:
            return list(rows), set()
        asked = self._looked_up([row for row in rows if number_of(row) and self._needs_look_up(row)])
        # The lot is the whole page: one old order among others is not the whole shop.
        later = not_now({number_of(row): asked.get(number_of(row)) for row in rows}, RefusedError)
        told = {number: refunds for number, refunds in asked.items() if isinstance(refunds, list)}
        kept = [row for row in rows if number_of(row) not in later]
        return [_beside(row, told[n] if (n := number_of(row)) in told else self._listed(row)) for row in kept], later

    def _looked_up(self, rows: Sequence[Row]) -> dict[str, list[dict[str, Any]] | HubError]:
        """Return the refunds of each order, or the error of the call that failed."""
        calls = [(number_of(row), self._lists.cancellations, number) for row in rows for number in family(row)]
        shipped = [row for row in rows if row.get("orderState") in SHIPPED]
        calls += [(number_of(row), self._lists.services, number) for row in shipped for number in family(row)]
        found: dict[str, list[dict[str, Any]]] = {number_of(row): [] for row in rows}
        failed: dict[str, HubError] = {}
        answers = self._each(calls, lambda call: call[1](call[2]))
        for (number, _read, asked), answer in zip(calls, answers, strict=True):
            if isinstance(answer, HubError) and not isinstance(answer, RefusedError):
                failed[number] = answer
            else:
                found[number] += self._told(number, asked, answer)
        return {**found, **failed}

    def _told(self, number: str, asked: str, answer: list[dict[str, Any]] | RefusedError) -> list[dict[str, Any]]:
        """Return the refunds that an answer tells of an order. A shop may not read the order that its own was split
        from; a refusal about the order itself must not let it be shipped as if nobody had asked for a refund."""
        if not isinstance(answer, RefusedError):
            return answer
        if asked != number:
            return []
        log.warning("refunds of an order are refused", shop=self._access.code, error=str(answer))
        return [unknown(number, str(answer))]

    def _needs_look_up(self, row: Row) -> bool:
        if row.get("orderState") in CANCELLED or REFUSED_KEY in row:
            return False
        created = moment_of(row, "orderStartTime")
        if self._refunds_from is None or self._refunds_until is None or created is None:
            return True
        modified = moment_of(row, "modified")
        return created < self._refunds_from or (modified is not None and modified > self._refunds_until)

    def _listed(self, row: Row) -> list[dict[str, Any]]:
        return [refund for number in family(row) for refund in self._refunds.get(number, ())]

    def _with_flags(self, rows: Sequence[Row]) -> tuple[list[Row], set[str]]:
        """Lay the flag beside each order that has a note; the lists show the note only. Return the orders and the
        numbers of those for which that fails now."""
        if not self._options.read_flags:
            return list(rows), set()
        noted = [number_of(row) for row in rows if isinstance(row, dict) and row.get("venderRemark") and number_of(row)]
        flags = dict(zip(noted, self._each(noted, self._flag), strict=True))
        later = not_now({number_of(row): flags.get(number_of(row)) for row in rows}, RefusedError)
        found = {number: flag for number, flag in flags.items() if flag and isinstance(flag, str)}
        kept = [row for row in rows if number_of(row) not in later]
        return [{**row, NOTE_KEY: found[number_of(row)]} if number_of(row) in found else row for row in kept], later

    def _flag(self, number: str) -> str:
        content = self._client.call(NOTE, {"order_id": number})
        if not isinstance(content.get("venderRemarkQueryResult"), dict):
            return ""
        note = proved(content, "venderRemarkQueryResult").get("vender_remark")
        return str(note.get("flag", "")) if isinstance(note, dict) else ""

    def _orders(self, numbers: Sequence[str]) -> dict[str, dict[str, Any] | HubError]:
        return dict(zip(numbers, self._each(numbers, self._order), strict=True))

    def _order(self, number: str) -> dict[str, Any]:
        params = {"order_id": number, "optional_fields": FIELDS}
        order = self._client.result(GET, params, "orderDetailInfo").get("orderInfo")
        if not isinstance(order, dict):
            raise RefusedError("JD returned no order")
        return order

    def _each(self, items: Sequence[T], call: Callable[[T], R]) -> list[R | HubError]:
        """Return `call` of each item or its error, a few at a time, each one call to JD in its turn. Raises what
        concerns all."""

        def told(item: T) -> R | HubError:
            try:
                return call(item)
            except HubError as error:
                if error.concerns_all:
                    raise
                return error

        return self._guarded(lambda: volley(told, items, self._budget, workers=self._options.detail_workers))

    def _guarded(self, call: Callable[[], R]) -> R:
        """Return `call()`; a limit that JD names holds for every worker of this application key."""
        with heeding(self._budget):
            return call()


def budget_of(access: ShopAccess, options: Options, *, writes: bool = False) -> CallBudget:
    """Return the call budget of the shop's application key; what JD is told (`writes`) has a queue of its own, so that
    stock and parcels do not wait behind a long pull. JD counts both together: its ban holds for both."""
    key = f"jd:{access.credential('app_key')}"
    reading, writing = (access.budget(name, options.calls_per_second) for name in (key, f"{key}:writes"))
    return UnderOneBan(writing, (reading,)) if writes else UnderOneBan(reading, (writing,))


def _beside(row: Row, refunds: list[dict[str, Any]]) -> Row:
    return {**row, REFUNDS_KEY: refunds} if refunds and isinstance(row, dict) else row


def _refused(number: str, error: HubError) -> dict[str, Any]:
    return {"orderId": number, REFUSED_KEY: str(error)}
