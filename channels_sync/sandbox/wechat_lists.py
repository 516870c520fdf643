"""The lists of a WeChat shop: numbers only, with a cursor that is good for unchanged parameters only."""

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.store import Store, Window
from channels_sync.sandbox.top_orders import touch
from channels_sync.sandbox.wechat_token import WechatError
from channels_sync.sandbox.wechat_view import aftersales, status_of

Answer = dict[str, Any]
Body = Mapping[str, Any]

LONGEST_WINDOW = 7 * 86400
LONGEST_AFTERSALE_WINDOW = 86400
LARGEST_PAGE = 100
AFTERSALE_PAGE = 50
OPEN_CURSORS = 200
AFTERSALE_LOOK_BACK = 3600
"""Seconds by which an after-sale may have changed later than its order."""


class WechatLists:
    """Answers the list calls. A cursor keeps the numbers that the window had when it was opened."""

    def __init__(self, store: Store, faults: Faults, now: Callable[[], datetime]) -> None:
        self._store, self._faults, self._now = store, faults, now
        self._cursors: OrderedDict[str, tuple[str, list[str]]] = OrderedDict()
        self._lock = threading.Lock()
        self.most_rows = 20_000
        """Rows of one window; more are answered with 31042."""

    def orders(self, path: str, body: Body) -> Answer:
        """Answer `order/list/get`. Raises WechatError."""
        column: Literal["created", "modified"] = "modified" if body.get("update_time_range") else "created"
        span = body.get("update_time_range") or body.get("create_time_range")
        if not isinstance(span, dict):
            raise WechatError(40097, "invalid args: time range")
        start, end = _span(span.get("start_time"), span.get("end_time"), LONGEST_WINDOW)
        size = body.get("page_size")
        if not isinstance(size, int) or not 1 <= size <= LARGEST_PAGE:
            raise WechatError(40097, "invalid args: page_size")
        window = self._window(column, start, end)
        numbers, key, more = self._page(path, body, size, lambda: self._numbers(window, body.get("status")))
        fault = self._faults.take(path, "mutate_while_paging")
        if fault:
            for order in self._store.page(window, (), 0, fault.orders):
                touch(self._store, order, self._now())
        return {"order_id_list": numbers, "next_key": key, "has_more": more}

    def aftersales(self, path: str, body: Body) -> Answer:
        """Answer `getaftersalelist`. Raises WechatError."""
        start, end = _span(body.get("begin_update_time"), body.get("end_update_time"), LONGEST_AFTERSALE_WINDOW)
        numbers, key, more = self._page(path, body, AFTERSALE_PAGE, lambda: self._aftersale_numbers(start, end))
        return {"after_sale_order_id_list": numbers, "next_key": key, "has_more": more}

    def _numbers(self, window: Window, status: object) -> list[str]:
        if self._store.count(window) > self.most_rows:
            raise WechatError(31042, "too many rows, narrow the time range")
        orders = self._store.page(window, (), 0, self.most_rows)
        return [o.draft["external_no"] for o in reversed(orders) if status is None or status_of(o.draft) == status]

    def _aftersale_numbers(self, start: int, end: int) -> list[str]:
        window = self._window("modified", start - AFTERSALE_LOOK_BACK, end)
        return [
            sale["after_sale_order_id"]
            for order in self._store.page(window, (), 0, self.most_rows)
            for sale in aftersales(order.draft)
            if start <= sale["update_time"] < end
        ]

    def _page(
        self, path: str, body: Body, size: int, read: Callable[[], list[str]]
    ) -> tuple[list[str], str, bool]:  # fmt: skip
        """Return one page, the cursor of the next one and whether there is one."""
        if self._faults.take(path, "too_many"):
            raise WechatError(31042, "too many rows, narrow the time range")
        frozen = json.dumps({name: value for name, value in body.items() if name != "next_key"}, sort_keys=True)
        key = str(body.get("next_key") or "")
        if key:
            name, _, place = key.partition(".")
            known = self._cursors.get(name)
            if known is None or known[0] != frozen or self._faults.take(path, "lost_cursor"):
                raise WechatError(606006, "next_key is invalid")
            numbers, begin = known[1], int(place)
        else:
            name, numbers, begin = self._open(frozen, read()), [], 0
            numbers = self._cursors[name][1]
        if self._faults.take(path, "wrong_page"):
            begin += size
        page = numbers[begin : begin + size]
        more = begin + size < len(numbers)
        return self._spoiled(path, page), f"{name}.{begin + size}" if more else "", more

    def _spoiled(self, path: str, page: list[str]) -> list[str]:
        twice = self._faults.take(path, "duplicates")
        if twice:
            page = page[: twice.orders] + page
        return page[::-1] if self._faults.take(path, "out_of_order") else page

    def _open(self, frozen: str, numbers: list[str]) -> str:
        name = secrets.token_hex(8)
        with self._lock:
            self._cursors[name] = (frozen, numbers)
            while len(self._cursors) > OPEN_CURSORS:
                self._cursors.popitem(last=False)
        return name

    def _window(self, column: Literal["created", "modified"], start: int, end: int) -> Window:
        """Return the window; its end is not part of it (the platform does not say; this is the harder case)."""
        return Window("wechat", column, start, end - 1, int(self._now().timestamp()))


def _span(start: object, end: object, longest: int) -> tuple[int, int]:
    if not isinstance(start, int) or not isinstance(end, int) or end <= start or end - start > longest:
        raise WechatError(40097, "invalid args: time range")
    return start, end
