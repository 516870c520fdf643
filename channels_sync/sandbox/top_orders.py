"""The order methods of the gateway: lists by change or creation, one full trade, refunds (protocol reference 1.6)."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.orders import SandboxOrder, stamp
from channels_sync.sandbox.store import Store, Window
from channels_sync.sandbox.top_errors import TopError, invalid, parse_time, required, required_time, whole
from channels_sync.sandbox.trades import SHANGHAI, project, refund_rows, top_time, trade

Params = Mapping[str, str]
Answer = dict[str, Any]

LONGEST_WINDOW = timedelta(days=1)
HISTORY = timedelta(days=92)
"""Only trades of the last three months are listed."""
LARGEST_PAGE = 100
_STATUSES = {
    "WAIT_BUYER_PAY": ("unpaid", "presale_deposit"),
    "WAIT_SELLER_SEND_GOODS": ("paid",),
    "WAIT_BUYER_CONFIRM_GOODS": ("in_transit",),
    "PAID_FORBID_CONSIGN": ("PAID_FORBID_CONSIGN",),
    "TRADE_CLOSED_BY_TAOBAO": ("cancelled",),
    "TRADE_CLOSED": ("refunded",),
}


class Orders:
    """Answers the order methods from the store."""

    def __init__(self, store: Store, credentials: Credentials, faults: Faults, now: Callable[[], datetime]) -> None:
        self._store = store
        self._credentials = credentials
        self._faults = faults
        self._now = now

    def increment(self, params: Params) -> Answer:
        """Answer `taobao.trades.sold.increment.get`: by `modified`, latest first, at most one day."""
        start, end = required_time(params, "start_modified"), required_time(params, "end_modified")
        if end <= start or end - start > LONGEST_WINDOW:
            raise invalid("end_modified")
        return self._listing(params, self._window("modified", start, end))

    def sold(self, params: Params) -> Answer:
        """Answer `taobao.trades.sold.get`: by `created`, latest first."""
        now = self._now()
        start, end = (parse_time(params.get(name, "")) for name in ("start_created", "end_created"))
        return self._listing(params, self._window("created", start or now - HISTORY, end or now))

    def fullinfo(self, params: Params) -> Answer:
        """Answer `taobao.trade.fullinfo.get`."""
        fields = required(params, "fields")
        order = self._store.get(required(params, "tid"))
        if order is None or order.shop != "taobao" or datetime.fromisoformat(order.draft["modified_at"]) > self._now():
            raise TopError(15, "Remote service error", "isv.trade-not-exist", "交易不存在")
        whole_trade = trade(order.draft, self._credentials)
        with_oaid = params.get("include_oaid", "") not in {"", "false", "0"}
        return {"trade": project(whole_trade, fields, full=True, with_oaid=with_oaid)}

    def refunds(self, params: Params) -> Answer:
        """Answer `taobao.refunds.receive.get`: the refunds that changed in the window, latest first."""
        fields = required(params, "fields").split(",")
        start, end = (parse_time(params.get(name, "")) for name in ("start_modified", "end_modified"))
        now = self._now()
        first, last = (top_time(moment.isoformat()) for moment in (start or now - HISTORY, end or now))
        rows = [row for draft in self._with_refunds() for row in refund_rows(draft, self._credentials)]
        found = sorted(
            (row for row in rows if first <= row["modified"] <= last), key=itemgetter("modified"), reverse=True
        )
        number, size = whole(params, "page_no", 1), whole(params, "page_size", 40, LARGEST_PAGE)
        page = [
            {name: value for name, value in row.items() if name in fields}
            for row in found[(number - 1) * size : number * size]
        ]
        return {**_wrapped("refunds", "refund", page), **_paging(params, len(found), number * size)}

    def _with_refunds(self) -> list[Answer]:
        """Return the drafts of all trades shown by now that have, or had, a refund."""
        rows = self._store.query(
            "SELECT draft FROM orders WHERE shop = 'taobao' AND due <= ?"
            " AND (marks LIKE '%\"refund\"%' OR draft LIKE '%\"refund_at\"%')",
            int(self._now().timestamp()),
        )
        return [json.loads(row["draft"]) for row in rows]

    def _listing(self, params: Params, window: Window) -> Answer:
        fields = required(params, "fields")
        number, size = whole(params, "page_no", 1), whole(params, "page_size", 40, LARGEST_PAGE)
        statuses = self._statuses(params.get("status", ""))
        if self._faults.take(params["method"], "wrong_page"):
            number += 1
        with self._store.transaction():
            total = self._store.count(window, statuses)
            orders = self._store.page(window, statuses, (number - 1) * size, size)
            # In the same transaction: the very next page must already see the change.
            self._mutate(params["method"], window, statuses)
        page = [project(trade(order.draft, self._credentials), fields, full=False) for order in orders]
        page = self._spoiled(params["method"], page)
        return {**_wrapped("trades", "trade", page), **_paging(params, total, number * size)}

    def _spoiled(self, method: str, page: list[Answer]) -> list[Answer]:
        """Return the page with some rows twice, or in reverse, if a fault says so."""
        fault = self._faults.take(method, "duplicates", "out_of_order")
        if fault is None:
            return page
        return page[: fault.orders] + page if fault.kind == "duplicates" else page[::-1]

    def _mutate(self, method: str, window: Window, statuses: tuple[str, ...]) -> None:
        """Modify orders of the window now: they leave their place, and all behind them move up."""
        fault = self._faults.take(method, "mutate_while_paging")
        if fault is None:
            return
        for order in self._store.page(window, statuses, 0, fault.orders):
            touch(self._store, order, self._now())

    def _window(self, column: str, start: datetime, end: datetime) -> Window:
        now = self._now()
        start = max(start, now - HISTORY)
        assert column in {"modified", "created"}
        name: Any = column
        return Window("taobao", name, int(start.timestamp()), int(end.timestamp()), int(now.timestamp()))

    def _statuses(self, word: str) -> tuple[str, ...]:
        return _STATUSES.get(word, ("none",)) if word else ()


def touch(store: Store, order: SandboxOrder, at: datetime) -> None:
    """Let the seller write a memo: the order changes now."""
    order.draft["seller_remark"] = "已备注"
    order.draft["modified_at"] = stamp(at.astimezone(SHANGHAI))
    store.save(order)


def _wrapped(plural: str, singular: str, rows: list[Answer]) -> Answer:
    """Return the list in its wrapper; an empty list is left out, as the platform does."""
    return {plural: {singular: rows}} if rows else {}


def _paging(params: Params, total: int, end: int) -> Answer:
    if params.get("use_has_next") == "true":
        return {"has_next": end < total}
    return {"total_results": total}
