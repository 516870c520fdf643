"""JD's two lists of refunds: applications to cancel before shipping, service orders after it."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from channels_sync.sandbox.faults import Faults
from channels_sync.sandbox.jd_errors import WRONG_ARGUMENT, Args, ServiceError, number_of, refuse_on_demand, time_of
from channels_sync.sandbox.jd_view import sku_id
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.trades import top_time, yuan

Row = dict[str, Any]
Answer = dict[str, Any]

SHIPPED = frozenset({"in_transit", "delivered", "completed"})
APPLICATION_STATES = {"asked": 0, "agreed": 1, "refused": 2, "done": 3}
WITHDRAWN = 11
SERVICE_STATES = {"asked": 5, "agreed": 10, "done": 13, "refused": 14}
SPANS = (
    ("afsApplyTime", "applyTimeBegin", timedelta(days=7)),
    ("approveDate", "approveTimeBegin", timedelta(days=10)),
)
"""By which times service orders are listed, and the longest span of each."""
LARGEST_PAGE = 50
LAST_PAGE = 100


class RefundLists:
    """Answers both lists from the orders of the store."""

    def __init__(self, store: Store, faults: Faults, now: Callable[[], datetime]) -> None:
        self._store = store
        self._faults = faults
        self._now = now

    def applications(self, method: str, args: Args) -> Answer:
        """Answer `pop.afs.soa.refundapply.queryPageList`; amounts are in fen, written as JD's Java writes a double."""
        try:
            refuse_on_demand(self._faults, method, str(args.get("orderId") or ""))
            rows = [_application(draft) for draft in self._drafts(args) if draft["status"] not in SHIPPED]
            page = _page(_within(rows, args, ("apply", "check")), args, "pageIndex")
        except ServiceError as error:
            return {"queryResult": {"success": False, "errorCode": error.code, "errorMsg": error.chinese}}
        return {"queryResult": {"success": True, "errorCode": "", "totalCount": page[1], "result": page[0]}}

    def services(self, method: str, args: Args) -> Answer:
        """Answer `asc.serviceAndRefund.view`."""
        try:
            refuse_on_demand(self._faults, method, str(args.get("orderId") or ""))
            drafts = [draft for draft in self._drafts(args) if draft["status"] in SHIPPED]
            rows = [row for draft in drafts for row in _services(draft)]
            page = _page(_in_spans(rows, args), args, "pageNumber")
        except ServiceError as error:
            return {"pageResult": {"success": False, "code": error.code, "message": error.chinese}}
        return {"pageResult": {"success": True, "totalCount": page[1], "data": page[0]}}

    def _drafts(self, args: Args) -> list[Row]:
        """Return the drafts of all orders shown by now that have, or had, a refund."""
        rows = self._store.query(
            "SELECT draft FROM orders WHERE shop = 'jd' AND due <= ? AND ? IN ('', external_no)"
            " AND (marks LIKE '%\"refund\"%' OR draft LIKE '%\"refund_at\"%') ORDER BY modified",
            int(self._now().timestamp()),
            str(args.get("orderId") or ""),
        )
        drafts: list[Row] = [json.loads(row["draft"]) for row in rows]
        return [draft for draft in drafts if draft["paid_at"]]


def _application(draft: Row) -> Row:
    state = next((line["refund"] for line in draft["lines"] if line["refund"] != "none"), "")
    fen = sum(line["paid_fen"] for line in draft["lines"] if line["refund"] != "none")
    status = APPLICATION_STATES[state] if state else WITHDRAWN
    return {
        "id": int(draft["external_no"][::-1]),
        "orderId": draft["external_no"],
        "buyerId": draft["buyer"]["id"],
        "buyerName": "",
        "applyTime": _applied(draft),
        "checkTime": _decided(draft) if status else "",
        "applyRefundSum": float(fen or draft["paid_fen"]),
        "status": status,
        "checkUserName": "",
        "reason": "不想要了",
    }


def _services(draft: Row) -> list[Row]:
    return [
        {
            "sameOrderServiceBill": {
                "serviceId": int(f"{draft['external_no'][::-1]}{place}"),
                "orderId": int(draft["external_no"]),
                "wareId": int(sku_id(line["sku"])),
                "serviceCount": line["quantity"],
                "afsApplyTime": _applied(draft),
                "approveDate": _decided(draft) if line["refund"] != "asked" else "",
            },
            "status": SERVICE_STATES[line["refund"]],
            "refoundAmount": yuan(line["paid_fen"]),
            "completeTime": _decided(draft) if line["refund"] == "done" else None,
        }
        for place, line in enumerate(draft["lines"])
        if line["refund"] != "none"
    ]


def _applied(draft: Row) -> str:
    return top_time(draft["raw"].get("refund_at") or draft["paid_at"])


def _decided(draft: Row) -> str:
    return top_time(draft["raw"].get("decided_at") or draft["modified_at"])


def _in_spans(rows: list[Row], args: Args) -> list[Row]:
    """Return the service orders of the spans asked for; JD wants one, or the number of an order."""
    asked = [span for span in SPANS if args.get(span[1])]
    if not asked and not args.get("orderId"):
        raise ServiceError(WRONG_ARGUMENT, "申请时间、审核时间、订单号不能同时为空")
    for column, first, most in asked:
        rows = [row for row in rows if _is_within(row["sameOrderServiceBill"], args, column, first, most)]
    return rows


def _within(rows: list[Row], args: Args, kinds: tuple[str, ...]) -> list[Row]:
    for kind in kinds:
        if args.get(f"{kind}TimeStart"):
            rows = [row for row in rows if _is_within(row, args, f"{kind}Time", f"{kind}TimeStart")]
    return rows


def _is_within(row: Row, args: Args, column: str, first: str, most: timedelta | None = None) -> bool:
    start, end = time_of(args, first), time_of(args, first.replace("Start", "End").replace("Begin", "End"))
    if most is not None and end - start > most:
        raise ServiceError(WRONG_ARGUMENT, f"时间间隔不能超过 {most.days} 天")
    return bool(row[column]) and top_time(start.isoformat()) <= row[column] <= top_time(end.isoformat())


def _page(rows: list[Row], args: Args, name: str) -> tuple[list[Row], int]:
    number, size = number_of(args, name, LAST_PAGE), number_of(args, "pageSize", LARGEST_PAGE)
    return rows[(number - 1) * size : number * size], len(rows)
