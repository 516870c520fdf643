"""What the Douyin gateway tells: lists by change or creation, one order, refunds (protocol reference 4.4)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.douyin_errors import parameter, required, whole
from channels_sync.sandbox.douyin_view import after_sales, shop_order
from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.orders import stamp
from channels_sync.sandbox.store import Store, TimeColumn, Window
from channels_sync.sandbox.trades import SHANGHAI

Params = Mapping[str, Any]
Answer = dict[str, Any]

DAY = 86_400
HISTORY = 90 * DAY
DEEPEST_ROW = 10_000
LARGEST_PAGE = 100
_COLUMNS: dict[str, TimeColumn] = {"update_time": "modified", "create_time": "created"}
_STATUSES = {
    "1": ("unpaid", "presale_deposit"),
    "105": ("risk_review",),
    "2": ("paid",),
    "101": ("in_transit",),
    "3": ("in_transit",),
    "4": ("cancelled", "refunded"),
    "5": ("completed",),
}


class Orders:
    """Answers the reading methods from the store. `with_masks` is whether the application may see masked texts."""

    def __init__(self, store: Store, credentials: Credentials, faults: Faults, now: Callable[[], datetime]) -> None:
        self._store = store
        self._credentials = credentials
        self._faults = faults
        self._now = now
        self.with_masks = True

    def search(self, params: Params) -> Answer:
        """Answer `order.searchList`: by creation or change, at most 90 days back, `page` from 0."""
        page = whole(params, "page", parameter(10035, "查询订单列表页数不能小于0"))
        size = whole(params, "size", parameter(20008, "单次查询订单数超过限制"), least=1, most=LARGEST_PAGE)
        if (page + 1) * size > DEEPEST_ROW:
            raise parameter(20013, "订单查询最多支持查询1万")
        window, oldest_first = self._window(params), params.get("order_asc") in (True, "true")
        statuses = self._statuses(params.get("combine_status"))
        shown = page + 1 if self._faults.take("order.searchList", "wrong_page") else page
        with self._store.transaction():
            total = self._store.count(window, statuses)
            orders = self._store.page(window, statuses, shown * size, size, oldest_first=oldest_first)
            # In the same transaction: the very next page must already see the change.
            self._mutate(window, statuses)
        rows = [self._shown(order.draft) for order in orders]
        return {"page": shown, "size": size, "total": total, "shop_order_list": self._disturbed(rows)}

    def detail(self, params: Params) -> Answer:
        """Answer `order.orderDetail`, for an order of any age."""
        order = self._store.get(required(params, "shop_order_id", 20000))
        if order is None or order.shop != "douyin" or datetime.fromisoformat(order.draft["modified_at"]) > self._now():
            raise parameter(20014, "查询订单不存在")
        return {"shop_order_detail": self._shown(order.draft)}

    def refunds(self, params: Params) -> Answer:
        """Answer `afterSale.List` by modification time, both ends included."""
        error = parameter(11000, "参数错误")
        page = whole(params, "page", error)
        size = whole(params, "size", error, least=1, most=LARGEST_PAGE)
        start, end = (whole(params, name, error) for name in ("update_start_time", "update_end_time"))
        latest_first = params.get("order_by") != ["update_time asc"]
        rows = [row for row in self._all_refunds() if start <= row["aftersale_info"]["update_time"] <= end]
        rows.sort(key=lambda row: row["aftersale_info"]["update_time"], reverse=latest_first)
        found = rows[page * size : (page + 1) * size]
        return {
            "items": found,
            "total": len(rows),
            "page": page,
            "size": size,
            "has_more": (page + 1) * size < len(rows),
        }

    def _shown(self, draft: Answer) -> Answer:
        return shop_order(draft, self._credentials, with_masks=self.with_masks)

    def _all_refunds(self) -> list[Answer]:
        """Return the refunds of all orders that ever had one; they are few."""
        found = self._store.query(
            "SELECT external_no FROM orders WHERE shop = 'douyin' AND due <= ? AND (draft LIKE '%\"refund_at\"%'"
            ' OR draft LIKE \'%"refund":"asked"%\' OR draft LIKE \'%"refund":"agreed"%\')',
            int(self._now().timestamp()),
        )
        orders = [self._store.get(row["external_no"]) for row in found]
        return [refund for order in orders if order for refund in after_sales(order.draft)]

    def _window(self, params: Params) -> Window:
        by = str(params.get("order_by") or "create_time")
        if by not in _COLUMNS:
            raise parameter(20002, "排序条件错误")
        used = next((name for name in _COLUMNS if params.get(f"{name}_start")), "")
        if not used:
            raise parameter(20011, "订单查询开始时间不能为空")
        error = parameter(20002, "时间参数错误")
        start, end = (whole(params, f"{used}_{edge}", error) for edge in ("start", "end"))
        now = int(self._now().timestamp())
        if end <= start:
            raise error
        if used == "create_time" and start < now - HISTORY:
            raise parameter(20022, "订单查询只支持查询最近90天内的数据")
        return Window("douyin", _COLUMNS[used], start, end, now)

    @staticmethod
    def _statuses(combined: Any) -> tuple[str, ...]:
        if not combined:
            return ()
        if not isinstance(combined, list) or len(combined) != 1 or not isinstance(combined[0], dict):
            raise parameter(20012, "订单查询状态条件超过限制，只支持1个元素")
        words = str(combined[0].get("order_status", "")).split(",")
        return tuple({status for word in words for status in _STATUSES.get(word.strip(), ("none",))})

    def _mutate(self, window: Window, statuses: tuple[str, ...]) -> None:
        """Let orders of the window change their main state's time now: they leave their place."""
        fault = self._faults.take("order.searchList", "mutate_while_paging")
        if fault is None:
            return
        at = stamp(self._now().astimezone(SHANGHAI))
        for order in self._store.page(window, statuses, 0, fault.orders, oldest_first=True):
            order.draft["modified_at"] = at
            self._store.save(order)

    def _disturbed(self, rows: list[Answer]) -> list[Answer]:
        fault = self._faults.take("order.searchList", "duplicates", "out_of_order")
        if fault is None:
            return rows
        return rows[: fault.orders] + rows if fault.kind == "duplicates" else rows[::-1]
