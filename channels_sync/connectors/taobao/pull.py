"""Pulling a window: count first, then from the last page to the first, with the details the list leaves out.

The list is sorted by latest change first, so an order that changes while we page leaves its place and all behind it
move up: reading forward would skip orders, reading backward reads some twice (protocol reference 1.6). What the count
promised and no page showed makes the window be read again.
"""

import hashlib
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
import structlog

from channels_sync.connectors import options
from channels_sync.connectors.base import (
    CallBudget,
    QueueFullError,
    RawPage,
    ShopAccess,
    ThrottledError,
    TooManyRowsError,
    Window,
    not_now,
)
from channels_sync.connectors.causes import Cause
from channels_sync.connectors.fields import SHANGHAI
from channels_sync.connectors.taobao import refunds
from channels_sync.connectors.taobao.client import RefusedError, TopClient, top_time
from channels_sync.connectors.turns import UnderOneBan, heed, volley, wait_for
from orderhub.core.errors import HubError

log = structlog.get_logger(__name__)

LIST = "taobao.trades.sold.increment.get"
CREATED_LIST = "taobao.trades.sold.get"
"""The same list by creation time (protocol reference 1.6)."""
FULL = "taobao.trade.fullinfo.get"
FIELDS = (
    "tid,tid_str,status,type,title,created,modified,pay_time,end_time,consign_time,payment,total_fee,post_fee,"
    "discount_fee,adjust_fee,received_payment,has_buyer_message,buyer_message,seller_memo,seller_flag,buyer_nick,"
    "buyer_open_uid,receiver_name,receiver_country,receiver_state,receiver_city,receiver_district,receiver_town,"
    "receiver_address,receiver_mobile,receiver_phone,receiver_zip,oaid,step_trade_status,step_paid_fee,est_con_time,"
    "send_time,delivery_time,promise_outbound_time,promise_collect_time,mark_desc,ob_tag,orders"
)
"""`oaid` comes only where the receiver fields and `created` are asked for (protocol reference 1.7)."""
WITHOUT_DETAILS = frozenset({"WAIT_BUYER_PAY", "TRADE_NO_CREATE_PAY", "PAY_PENDING", "WAIT_PRE_AUTH_CONFIRM"})
"""Nothing is done with an order before it is paid: as long as it is as it was placed, without a note of the buyer, the
list says enough of it. Whatever happens to it then may be a memo with the grey flag, of which a list tells nothing."""
REFUSED_KEY = "hub_refused"
"""Put into a trade whose details the platform refuses; its reader makes a reject of it."""

PARTS = ("stock", "writes", "events", "receivers", "refunds")
"""Kinds of calls with a queue of their own beside that of orders."""
LARGEST_SLICE = 3000
SHORTEST_SLICE = timedelta(minutes=1)
PASSES = 4
ROUNDS = 4
"""How often a call that ran into a limit is made again within one run."""


@dataclass(slots=True, frozen=True)
class Options:
    """What a shop's settings may change: `page_size` (40-50 is advised, 100 the most), `calls_per_second` of its
    application key, `detail_workers` (details fetched at once), `trade_types` (words of the platform, parted by commas,
    for shops with trades that it lists only when asked for by type), `read_refunds`."""

    page_size: int = 50
    calls_per_second: float = 20.0
    detail_workers: int = 4
    trade_types: str = ""
    read_refunds: bool = True

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Options":
        """Return the options of a shop; values that make no sense are brought into range."""
        return cls(
            page_size=int(options.number(settings, "page_size", 50, 1, 100)),
            calls_per_second=options.number(settings, "calls_per_second", 20, 0.1, 1000),
            detail_workers=int(options.number(settings, "detail_workers", 4, 1, 16)),
            trade_types="".join(str(settings.get("trade_types") or "").split()),
            read_refunds=bool(settings.get("read_refunds", True)),
        )


class Pull:
    """One window of one shop, by time of change; `by_creation`: by time of order, whatever the pool has."""

    def __init__(
        self, client: TopClient, access: ShopAccess, window: Window, options: Options, *, by_creation: bool = False
    ) -> None:
        self._client = client
        self._access = access
        self._window = window
        self._options = options
        self._method, self._column = (CREATED_LIST, "created") if by_creation else (LIST, "modified")
        self._is_by_change = not by_creation
        self._budget = budget_of(access, options)
        self._seen: dict[str, str] = {}
        """Modification time, as text, by order number of all rows of this window that were handed out or skipped."""
        self._brought: set[str] = set()
        """Numbers of the orders that were handed out as they are now."""

    def pages(self) -> Iterator[RawPage]:
        """Yield the pages of the window that hold something new. Raises TooManyRowsError before the first one."""
        yield from self._listed()
        if self._is_by_change and self._options.read_refunds:
            yield from self._refunded()

    def _listed(self) -> Iterator[RawPage]:
        rows, total = self._first_page()
        if total > LARGEST_SLICE and self._window.span > SHORTEST_SLICE:
            raise TooManyRowsError(total)
        if len({number_of(row) for row in rows}) >= total:
            yield from self._deliver(rows)
            return
        for turn in range(PASSES):
            before = len(self._seen)
            total = yield from self._one_pass(total)
            # One pass in vain may be the platform's mistake, two are a count that the list does not bear out.
            if len(self._seen) >= total or (turn and len(self._seen) == before):
                break
        if len(self._seen) < total:
            log.warning("fewer orders than counted", shop=self._access.code, counted=total, seen=len(self._seen))
            self._access.short(total, len(self._seen))

    def single(self, numbers: Sequence[str]) -> Iterator[RawPage]:
        """Yield the present version of single trades; one that the platform refuses comes back marked."""
        wanted = list(dict.fromkeys(numbers))
        for start in range(0, len(wanted), self._options.page_size):
            part = wanted[start : start + self._options.page_size]
            found = self._details(part)
            later = not_now(found, RefusedError)
            yield _page_of([_merged({"tid": number}, found[number]) for number in part if number not in later], later)

    def _refunded(self) -> Iterator[RawPage]:
        """Yield the trades of refunds that changed in the window, as far as neither the window nor the pool has them in
        a version of that time: an order that is paid back must not be shipped."""
        rows = self._changed_refunds()
        # The pool has what a change of the trade itself told of; its version is then as new as the refund.
        versions = dict.fromkeys((number_of(row) for row in rows), self._window.end) | _versions(rows)
        missing = {number: at for number, at in versions.items() if number and number not in self._brought}
        wanted = sorted(missing.keys() - self._access.known(missing))
        for start in range(0, len(wanted), self._options.page_size):
            found = self._details(wanted[start : start + self._options.page_size])
            later = not_now(found, RefusedError)
            shown = [trade for trade in found.values() if isinstance(trade, dict)]
            if shown or later:
                yield _page_of(shown, later)
            if len(shown) + len(later) < len(found):
                log.warning("refunds of trades that the platform does not show", shop=self._access.code)

    def _changed_refunds(self) -> refunds.Rows:
        """Return the refunds that changed in the window; none where the application may not read them, or where their
        list alone is at its limit: for a day, perhaps, and no order must wait for that."""
        budget = budget_of(self._access, self._options, "refunds")
        try:
            return refunds.changed(partial(self._in_turn, budget), self._window, self._options.page_size)
        except QueueFullError as error:
            self._budget.take(1)  # A ban on the application has filled the queue of orders too; it ends the run.
            reason: HubError = error
        except HubError as error:
            is_narrow = isinstance(error, ThrottledError) and error.is_narrow
            if not is_narrow and error.cause != Cause.RIGHTS:
                raise
            reason = error
        log.warning("window read without its refunds", shop=self._access.code, error=str(reason))
        return []

    def _one_pass(self, total: int) -> Generator[RawPage, None, int]:
        """Yield all pages from the last to the first and return the newest count."""
        last = -(-total // self._options.page_size)
        rows, more = self._page(last)
        while more:
            yield from self._deliver(rows)
            last += 1
            rows, more = self._page(last)
        yield from self._deliver(rows)
        for number in range(last - 1, 1, -1):
            yield from self._deliver(self._page(number)[0])
        rows, total = self._first_page()
        yield from self._deliver(rows)
        return total

    def _first_page(self) -> tuple[list[Any], int]:
        """Return page 1 and the exact count, which costs the platform more than `has_next`."""
        content = self._list(1, use_has_next="false")
        return _trades(content), int(content.get("total_results") or 0)

    def _page(self, number: int) -> tuple[list[Any], bool]:
        content = self._list(number, use_has_next="true")
        return _trades(content), bool(content.get("has_next"))

    def _list(self, page: int, *, use_has_next: str) -> dict[str, Any]:
        params = {
            "fields": FIELDS,
            f"start_{self._column}": top_time(self._window.start),
            f"end_{self._column}": top_time(self._window.end),
            "page_no": str(page),
            "page_size": str(self._options.page_size),
            "use_has_next": use_has_next,
        }
        if self._options.trade_types:
            params["type"] = self._options.trade_types
        return self._in_turn(self._budget, self._method, params)

    def _in_turn(self, budget: CallBudget, method: str, params: Mapping[str, str]) -> dict[str, Any]:
        for attempt in range(1, ROUNDS + 1):
            wait_for(budget)
            try:
                return self._client.call(method, params)
            except ThrottledError as error:
                heed(budget, error)
                if attempt == ROUNDS:
                    raise
        raise AssertionError("unreachable")

    def _deliver(self, rows: Sequence[Any]) -> Iterator[RawPage]:
        """Yield one page of the rows that are new to this run and to the pool, with their details; or nothing."""
        fresh = [row for row in rows if self._is_new(row)]
        known = self._access.known(_versions(fresh)) if self._is_by_change else set()
        wanted = [row for row in fresh if number_of(row) not in known]
        if not wanted:
            return
        details = self._details([number_of(row) for row in wanted if _needs_details(row)])
        later = not_now(details, RefusedError)
        shown = [_merged(row, details.get(number_of(row))) for row in wanted if number_of(row) not in later]
        self._brought.update(number_of(row) for row in wanted)
        yield _page_of(shown, later)

    def _is_new(self, row: Any) -> bool:
        identity = number_of(row) or repr(row)
        modified = str(row.get("modified", "")) if isinstance(row, dict) else ""
        if self._seen.get(identity) == modified:
            return False
        self._seen[identity] = modified
        return True

    def _details(self, numbers: Sequence[str]) -> dict[str, dict[str, Any] | HubError]:
        """Fetch full trades, a few at a time; one that the platform does not show comes back as its error."""
        found: dict[str, dict[str, Any] | HubError] = {}
        left = list(numbers)
        for _round in range(ROUNDS):
            if not left:
                return found
            told = volley(self._detail, left, self._budget, workers=self._options.detail_workers)
            answers = dict(zip(left, told, strict=True))
            ban = _widest(answers.values())
            if ban:
                heed(self._budget, ban)
            found |= {number: a for number, a in answers.items() if not isinstance(a, ThrottledError)}
            left = [number for number in left if number not in found]
        if ban:
            raise ban
        return found

    def _detail(self, number: str) -> dict[str, Any] | HubError:
        try:
            content = self._client.call(FULL, {"fields": FIELDS, "tid": number, "include_oaid": "true"})
        except HubError as error:
            return error
        trade = content.get("trade")
        return trade if isinstance(trade, dict) else RefusedError("the platform returned no trade")


def budget_of(access: ShopAccess, options: Options, part: str = "") -> CallBudget:
    """Return the queue of one kind of calls of the shop's application key: that of orders, or a `part` of its own. The
    platform counts each method for itself, and what it is told must not wait behind a long pull; its ban on the
    application holds for all of them."""
    key = f"taobao:{access.credential('app_key')}"
    names = [key, *(f"{key}:{own}" for own in PARTS)]
    queues = {name: access.budget(name, options.calls_per_second) for name in names}
    own = queues.pop(f"{key}:{part}" if part else key)
    return UnderOneBan(own, tuple(queues.values()))


def _widest(answers: Iterable[object]) -> ThrottledError | None:
    """Return the ban that stops most for longest."""
    bans = [answer for answer in answers if isinstance(answer, ThrottledError)]
    return max(bans, key=lambda ban: (not ban.is_narrow, ban.retry_after or 1.0), default=None)


def _page_of(rows: list[Any], later: Collection[str] = ()) -> RawPage:
    body = orjson.dumps({"trades": rows})
    key = f"taobao:{hashlib.sha256(body).hexdigest()}"
    return RawPage(key, body, "application/json", "taobao", len(rows), later=sorted(later))


def number_of(row: Any) -> str:
    """Return the order number of a trade as text; ids are 64-bit numbers or text."""
    if not isinstance(row, dict):
        return ""
    return str(row.get("tid_str") or row.get("tid") or "")


def _merged(row: Any, detail: dict[str, Any] | HubError | None) -> Any:
    if isinstance(detail, HubError):
        return {**row, REFUSED_KEY: str(detail)}
    return {**row, **detail} if detail else row


def _needs_details(row: Any) -> bool:
    if not number_of(row) or "buyer_message" in row:
        return False
    has_note = bool(row.get("has_buyer_message")) or row.get("seller_flag") not in (None, "", 0, "0")
    has_changed = row.get("modified") != row.get("created")
    return row.get("status") not in WITHOUT_DETAILS or has_note or has_changed


def _versions(rows: Sequence[Any]) -> dict[str, datetime]:
    found = {}
    for row in rows:
        number = number_of(row)
        try:
            moment = datetime.fromisoformat(str(row.get("modified", ""))) if number else None
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is None:
            found[number] = moment.replace(tzinfo=SHANGHAI)
    return found


def _trades(content: Mapping[str, Any]) -> list[Any]:
    """Return the rows of a list answer; the wrapper is absent when there are none, and flat when simplified."""
    wrapper = content.get("trades")
    rows = wrapper.get("trade") if isinstance(wrapper, dict) else wrapper
    return rows if isinstance(rows, list) else []
