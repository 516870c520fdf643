"""Reading orders: the list gives numbers only, each order is fetched (protocol reference 5.2).

The list is read until a reading brings nothing new: it has no total that would show a page left out. Its cursor is only
good for unchanged parameters; when the platform has lost it, the list is read from the start. After-sales have a list
and details of their own, and a change of one need not move the order's time, so the orders of changed ones come too.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import orjson
import structlog
from django.utils.translation import gettext as _

from channels_sync.connectors.base import RawPage, ShopAccess, TooManyRowsError, Window, not_now
from channels_sync.connectors.wechat.client import Content, WechatClient
from channels_sync.connectors.wechat.errors import CURSOR_LOST, TOO_MANY_ROWS, RefusedError
from channels_sync.connectors.wechat.lines import AFTERSALES_KEY
from channels_sync.connectors.wechat.mapping import (
    REFUSED_KEY,
    aftersale_numbers,
    modified_at,
    number_of,
    seems_paid_since,
)
from orderhub.core.errors import HubError, TemporaryError

log = structlog.get_logger(__name__)

LIST = "/channels/ec/order/list/get"
ORDER = "/channels/ec/order/get"
AFTERSALE_LIST = "/channels/ec/aftersale/getaftersalelist"
AFTERSALE = "/channels/ec/aftersale/getaftersaleorder"
UNTOLD = "aftersale:"
"""Begins the number of an after-sale that stands for its order: lists name it, only its details name the order."""
LONGEST_WINDOW = timedelta(days=7, seconds=-1)
LONGEST_AFTERSALE_WINDOW = timedelta(hours=24, seconds=-1)
"""A second less than the platform allows, so that the last second can be asked for whether it counts that in or not."""
SHORTEST_SLICE = timedelta(minutes=1)
LARGEST_SLICE = 3000
PAGE_ROWS = 100
PASSES = 5
RESTARTS = 4
ONE_SECOND = timedelta(seconds=1)
HANDED_OUT_KEPT = 50_000
"""Orders whose last content a process remembers: more than overlapping windows of a rush hour hold."""
SETTLE_SECONDS = 2.0
"""How long a detail may lag behind an event: it says unpaid although its payment is there already."""


_handed_out: OrderedDict[tuple[int, str], bytes] = OrderedDict()
_handed_lock = threading.Lock()


class Reader:
    """Reads orders of one shop."""

    def __init__(self, client: WechatClient, access: ShopAccess) -> None:
        self._client = client
        self._access = access
        self._aftersales: dict[str, Content] = {}
        self._later: dict[str, None] = {}
        """What cannot be had just now: orders by number, after-sales of unknown orders by `UNTOLD` and number."""

    def changed(self, window: Window) -> Iterator[RawPage]:
        """Yield the orders changed in `window` that the pool does not have. Raises TooManyRowsError before a page."""
        numbers = dict.fromkeys(self._listed("update_time_range", window))
        numbers |= dict.fromkeys(self._of_aftersales(self._changed_aftersales(window), among=list(numbers)))
        return self._pages(list(numbers), known=True)

    def created(self, window: Window) -> Iterator[RawPage]:
        """Yield the orders created in `window`, whatever the pool has of them."""
        return self._pages(self._listed("create_time_range", window), known=False)

    def single(self, numbers: Sequence[str]) -> Iterator[RawPage]:
        """Yield the present version of these orders, also of those that only an after-sale names."""
        plain = [number for number in numbers if not number.startswith(UNTOLD)]
        sales = [number.removeprefix(UNTOLD) for number in numbers if number.startswith(UNTOLD)]
        return self._pages(list(dict.fromkeys([*plain, *self._of_aftersales(sales, among=plain)])), known=False)

    def _pages(self, numbers: Sequence[str], *, known: bool) -> Iterator[RawPage]:
        for start in range(0, max(len(numbers), 1), PAGE_ROWS):
            rows = self._orders(numbers[start : start + PAGE_ROWS])
            if known:
                rows = self._unknown(rows)
            later = tuple(self._later)
            self._later.clear()
            if rows or later:
                body = orjson.dumps({"orders": rows})
                key = f"wechat:{hashlib.sha256(body).hexdigest()}"
                yield RawPage(key, body, "application/json", "wechat", len(rows), later=later)

    def _unknown(self, rows: list[Content]) -> list[Content]:
        """Return the rows that may tell the pool something new.

        Times are whole seconds: an order that changes twice in one has one time and two contents. So one that the pool
        has with the same time is left out only when this process handed out this very content before.
        """
        versions = {number_of(row): moment for row in rows if (moment := modified_at(row)) is not None}
        later = self._access.known({number: moment + ONE_SECOND for number, moment in versions.items()})
        same = self._access.known(versions)
        return [row for row in rows if number_of(row) not in later and self._is_new(row, same)]

    def _is_new(self, row: Content, known: set[str]) -> bool:
        key = (self._access.shop_id, number_of(row))
        digest = hashlib.sha256(orjson.dumps(row)).digest()
        with _handed_lock:
            seen = _handed_out.get(key) == digest
            _handed_out[key] = digest
            while len(_handed_out) > HANDED_OUT_KEPT:
                _handed_out.popitem(last=False)
        return not (seen and key[1] in known)

    def _orders(self, numbers: Sequence[str]) -> list[Content]:
        """Fetch whole orders with their after-sales; one that the platform refuses comes back marked."""
        found = self._fetched(numbers)
        early = [number for number, row in found.items() if seems_paid_since(row)]
        if early:
            time.sleep(SETTLE_SECONDS)
            settled = self._fetched(early)
            found = {number: row for number, row in found.items() if number not in early} | settled
        wanted = {number: aftersale_numbers(row) for number, row in found.items()}
        failed = self._fetch_aftersales([key for keys in wanted.values() for key in keys])
        errors = {number: next((failed[key] for key in keys if key in failed), None) for number, keys in wanted.items()}
        later = not_now(errors, RefusedError)
        self._later |= dict.fromkeys(number for number in found if number in later)
        return [
            {**row, AFTERSALES_KEY: [self._aftersales[key] for key in wanted[number]]} if wanted[number] else row
            for number, row in found.items()
            if number not in later
        ]

    def _fetched(self, numbers: Sequence[str]) -> dict[str, Content]:
        """Return the orders that the platform shows or refuses now; the others are noted to be fetched later."""
        answers = self._client.many(ORDER, [{"order_id": number} for number in numbers])
        found = dict(zip(numbers, answers, strict=True))
        later = not_now(found, RefusedError)
        self._later |= dict.fromkeys(number for number in numbers if number in later)
        return {number: _order(number, answer) for number, answer in found.items() if number not in later}

    def _fetch_aftersales(self, keys: Sequence[str]) -> dict[str, HubError]:
        """Fetch the after-sales that are not there yet and return the errors of those that stay away; one that the
        platform refuses is empty."""
        wanted = [key for key in dict.fromkeys(keys) if key not in self._aftersales]
        answers = self._client.many(AFTERSALE, [{"after_sale_order_id": key} for key in wanted])
        failed: dict[str, HubError] = {}
        for key, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, HubError) and not isinstance(answer, RefusedError):
                failed[key] = answer
                continue
            detail = {} if isinstance(answer, HubError) else answer.get("after_sale_order")
            self._aftersales[key] = detail if isinstance(detail, dict) else {}
        return failed

    def _of_aftersales(self, keys: Sequence[str], *, among: Sequence[str]) -> list[str]:
        """Return the orders of after-sales; one that cannot be shown just now is noted to be fetched later. `among`:
        the orders that are read with them, so that one after-sale alone does not count as the whole shop."""
        failed = self._fetch_aftersales(keys)
        later = not_now({**dict.fromkeys(among), **{key: failed.get(key) for key in keys}}, RefusedError)
        self._later |= dict.fromkeys(f"{UNTOLD}{key}" for key in keys if key in later)
        return [number for key in keys if key not in later and (number := number_of(self._aftersales[key]))]

    def _changed_aftersales(self, window: Window) -> list[str]:
        keys: dict[str, None] = {}
        for part in _parts(window, LONGEST_AFTERSALE_WINDOW):
            start, end = _seconds(part)
            body = {"begin_update_time": start, "end_update_time": end}
            keys |= dict.fromkeys(self._numbers(AFTERSALE_LIST, body, "after_sale_order_id_list", part))
        return list(keys)

    def _listed(self, field: str, window: Window) -> list[str]:
        found: dict[str, None] = {}
        for part in _parts(window, LONGEST_WINDOW):
            start, end = _seconds(part)
            body = {field: {"start_time": start, "end_time": end}, "page_size": self._client.options.page_size}
            found |= dict.fromkeys(self._numbers(LIST, body, "order_id_list", part))
        return list(found)

    def _numbers(self, path: str, body: Mapping[str, Any], field: str, window: Window) -> list[str]:
        """Return every number of one list; read again until a reading shows nothing new."""
        found: dict[str, None] = {}
        for _pass in range(PASSES):
            before = len(found)
            for number in self._one_reading(path, body, field):
                found[number] = None
                if len(found) > LARGEST_SLICE and window.span > SHORTEST_SLICE:
                    raise TooManyRowsError(len(found))
            if _pass and len(found) == before:
                return list(found)
        log.warning("the list went on growing", shop=self._access.code, seen=len(found))
        return list(found)

    def _one_reading(self, path: str, body: Mapping[str, Any], field: str) -> Iterator[str]:
        """Yield the numbers of all pages; some come again when the platform loses the cursor and we start anew."""
        for _start in range(RESTARTS):
            cursor: str | None = ""
            while cursor is not None:
                content = self._page(path, {**body, "next_key": cursor} if cursor else body)
                if content is None:
                    break
                yield from (str(number) for number in content.get(field) or ())
                following = str(content.get("next_key") or "") if content.get("has_more") else None
                if following is not None and following in {"", cursor}:
                    break
                cursor = following
            else:
                return
        raise TemporaryError(_("The platform lost its place in the list again and again."))

    def _page(self, path: str, body: Mapping[str, Any]) -> Content | None:
        """Return one page, or None when the cursor is lost. Raises TooManyRowsError where the platform says so."""
        try:
            return self._client.call(path, body)
        except RefusedError as error:
            if error.code == CURSOR_LOST:
                return None
            if error.code == TOO_MANY_ROWS:
                raise TooManyRowsError(LARGEST_SLICE) from error
            raise


def _order(number: str, answer: Content | HubError) -> Content:
    """Return the order of an answer under the number that was asked for."""
    if isinstance(answer, HubError):
        return {"order_id": number, REFUSED_KEY: str(answer)}
    order = answer.get("order")
    if not isinstance(order, dict):
        return {"order_id": number, REFUSED_KEY: "the platform returned no order"}
    return {**order, "order_id": number}


def _parts(window: Window, longest: timedelta) -> list[Window]:
    """Return the window cut into parts that are not longer than the platform allows."""
    count = max(-(-window.span // longest), 1)
    edges = [window.start + window.span * place / count for place in range(count + 1)]
    return [Window(start, end) for start, end in pairwise(edges)]


def _seconds(window: Window) -> tuple[int, int]:
    """Return both ends in unix seconds; the second after the end is asked for too."""
    start = int(window.start.timestamp())
    return start, max(int(window.end.timestamp()), start) + 1
