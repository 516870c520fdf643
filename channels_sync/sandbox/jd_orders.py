"""JD's order lists, single orders and notes (protocol reference 3.3)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.jd_errors import (
    WRONG_ARGUMENT,
    WRONG_STATE,
    Args,
    ServiceError,
    number_of,
    refuse_on_demand,
    text_of,
    time_of,
    verdict,
)
from channels_sync.sandbox.jd_view import FLAGS, HOLDS, STATES, is_shown, order, project
from channels_sync.sandbox.orders import SandboxOrder
from channels_sync.sandbox.store import Store, Window
from channels_sync.sandbox.top_orders import touch
from channels_sync.sandbox.trades import top_time

Answer = dict[str, Any]

LONGEST_WINDOW = timedelta(days=31)
HISTORY = {"modified": timedelta(days=92), "created": timedelta(days=730)}
LARGEST_PAGE = 100
LAST_PAGE = 100
"""Behind this page there is nothing, whatever the total says."""


class Orders:
    """Answers the order methods from the store."""

    def __init__(self, store: Store, credentials: Credentials, faults: Faults, now: Callable[[], datetime]) -> None:
        self._store = store
        self._credentials = credentials
        self._faults = faults
        self._now = now

    def search(self, method: str, args: Args) -> Answer:
        """Answer `pop.order.search` (masked) and `pop.order.enSearch` (encrypted)."""
        try:
            rows, total = self._listed(method, args)
        except ServiceError as error:
            return {"searchorderinfo_result": {"apiResult": verdict(error), "orderTotal": 0, "orderInfoList": []}}
        # Both spellings of numbers and flags occur.
        told = {"apiResult": {**verdict(), "success": "true"}, "orderTotal": str(total), "orderInfoList": rows}
        return {"searchorderinfo_result": told}

    def get(self, method: str, args: Args) -> Answer:
        """Answer `pop.order.get` and `pop.order.enGet`."""
        try:
            refuse_on_demand(self._faults, method, text_of(args, "order_id"))
            found = self.shown(text_of(args, "order_id"))
            whole = order(found.draft, self._credentials, self._now(), sealed="enGet" in method)
            info = project(whole, text_of(args, "optional_fields"))
        except ServiceError as error:
            return {"orderDetailInfo": {"apiResult": verdict(error)}}
        return {"orderDetailInfo": {"apiResult": verdict(), "orderInfo": info}}

    def note(self, method: str, args: Args) -> Answer:
        """Answer `order.venderRemark.queryByOrderId`: the only place that tells the flag."""
        try:
            refuse_on_demand(self._faults, method, text_of(args, "order_id"))
            draft = self.shown(text_of(args, "order_id")).draft
        except ServiceError as error:
            return {"venderRemarkQueryResult": {"api_jos_result": verdict(error), "vender_remark": None}}
        note = {
            "order_id": draft["external_no"],
            "remark": draft["seller_remark"],
            "flag": FLAGS[draft["flag"]],
            "created": top_time(draft["modified_at"]),
            "modified": top_time(draft["modified_at"]),
        }
        shown = note if draft["seller_remark"] else None
        return {"venderRemarkQueryResult": {"api_jos_result": verdict(), "vender_remark": shown}}

    def shown(self, number: str) -> SandboxOrder:
        """Return an order that JD shows by now. Raises ServiceError."""
        found = self._store.get(number)
        if found is None or found.shop != "jd" or not is_shown(found.draft) or not self._is_due(found):
            raise ServiceError(WRONG_STATE, "订单不存在", "order not found")
        return found

    def _is_due(self, found: SandboxOrder) -> bool:
        return datetime.fromisoformat(found.draft["modified_at"]) <= self._now()

    def _listed(self, method: str, args: Args) -> tuple[list[Answer], int]:
        window, statuses = self._window(args), _statuses(text_of(args, "order_state"))
        number, size = number_of(args, "page", 10**6), number_of(args, "page_size", LARGEST_PAGE)
        fields = text_of(args, "optional_fields")
        if self._faults.take(method, "wrong_page"):
            number += 1
        oldest_first = str(args.get("sortType", "1")) != "1"
        with self._store.transaction():
            total = self._store.count(window, statuses)
            offset, limit = (number - 1) * size, size if number <= LAST_PAGE else 0
            found = self._store.page(window, statuses, offset, limit, oldest_first=oldest_first)
            # In the same transaction: the very next page must already see the change.
            self._mutate(method, window, statuses)
        is_sealed, now = "enSearch" in method, self._now()
        rows = [project(order(o.draft, self._credentials, now, sealed=is_sealed), fields) for o in found]
        return self._disordered(method, rows), total

    def _disordered(self, method: str, rows: list[Answer]) -> list[Answer]:
        twice = self._faults.take(method, "duplicates")
        rows = [*rows, *rows[: twice.orders]] if twice else rows
        return rows[::-1] if self._faults.take(method, "out_of_order") else rows

    def _mutate(self, method: str, window: Window, statuses: tuple[str, ...]) -> None:
        """Modify the oldest orders of the window now: they leave it, and all behind them move up."""
        fault = self._faults.take(method, "mutate_while_paging")
        if fault is None:
            return
        for found in self._store.page(window, statuses, 0, fault.orders, oldest_first=True):
            touch(self._store, found, self._now())

    def _window(self, args: Args) -> Window:
        column: Any = "created" if str(args.get("dateType", "")) == "1" else "modified"
        now = self._now()
        if text_of(args, "order_state") == "WAIT_SELLER_STOCK_OUT" and not args.get("start_date"):
            start, end = now - LONGEST_WINDOW, now
        else:
            start, end = time_of(args, "start_date"), time_of(args, "end_date")
        if end < start or end - start > LONGEST_WINDOW:
            raise ServiceError(WRONG_ARGUMENT, "开始与结束时间间隔不能超过一个月")
        if start < now - HISTORY[column]:
            raise ServiceError(WRONG_ARGUMENT, "开始时间过早")
        return Window("jd", column, int(start.timestamp()), int(end.timestamp()), int(now.timestamp()))


def _statuses(words: str) -> tuple[str, ...]:
    """Return the store's words for a list of JD's. Raises ServiceError for an unknown one."""
    by_state: dict[str, list[str]] = {hold: [hold] for hold in HOLDS}
    for status, (state, _remark) in STATES.items():
        by_state.setdefault(state, []).append(status)
    asked = list(by_state) if words == "ALL" else [word.strip() for word in words.split(",")]
    known = {"WAIT_SELLER_DELIVERY", "WAIT_SEND_CODE"} | by_state.keys()
    if not set(asked) <= known:
        raise ServiceError(WRONG_ARGUMENT, "订单状态不合法")
    return tuple(status for word in asked for status in by_state.get(word, ["none"]))
