"""Pulling a window: the orders that changed, then those whose refund changed, and single orders by number.

The modification time of an order follows its main state only: a new remark, flag, address or refund does not move it
(protocol reference 4.4). Refunds have a list of their own, which is read for every window; remarks come with push 113
and with a reread by creation time.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from channels_sync.connectors import options
from channels_sync.connectors.base import RawPage, Window, not_now
from channels_sync.connectors.douyin import contacts
from channels_sync.connectors.douyin.client import Gateway
from channels_sync.connectors.douyin.errors import RefusedError
from channels_sync.connectors.douyin.listing import Listing, Walk, oldest_allowed, seconds_of, unix
from channels_sync.connectors.douyin.mapping import REFUSED_KEY, number_of
from channels_sync.connectors.douyin.receiver import needs_mask, with_mask
from orderhub.core.errors import HubError

log = structlog.get_logger(__name__)

READER = "douyin"
LIST, DETAIL, AFTER_SALES = "order.searchList", "order.orderDetail", "afterSale.List"
LARGEST_PAGE = 100
HISTORY_DAYS = 90
"""The list knows orders created within that time, even when it is asked by modification time."""
AFTER_SALE_DAYS = 180


def _order_params(field: str, start: int, end: int) -> dict[str, Any]:
    return {f"{field}_start": start, f"{field}_end": end, "order_by": field, "order_asc": True}


def _order_list(field: str) -> Listing:
    return Listing(
        LIST, "shop_order_list", lambda start, end: _order_params(field, start, end),
        lambda row: seconds_of(row, field), number_of,
    )  # fmt: skip


CHANGED = _order_list("update_time")
CREATED = _order_list("create_time")
REFUNDED = Listing(
    AFTER_SALES,
    "items",
    lambda start, end: {"update_start_time": start, "update_end_time": end, "order_by": ["update_time asc"]},
    lambda row: seconds_of(_part(row, "aftersale_info"), "update_time"),
    lambda row: str(_part(row, "aftersale_info").get("aftersale_id") or ""),
)
"""Without its `order_by` a poll by modification time loses rows."""


class Pull:
    """Reads orders of one shop."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._settings = gateway.access.settings
        self._size = int(options.number(self._settings, "page_size", LARGEST_PAGE, 1, LARGEST_PAGE))
        self._delivered: set[str] = set()

    def changed(self, window: Window) -> Iterator[RawPage]:
        """Yield the orders that changed in `window`, leaving out what the pool has in this version, then those whose
        refunds changed."""
        start, end = oldest_allowed(window, HISTORY_DAYS), unix(window.end)
        for rows in Walk(self._gateway, CHANGED, start, end, self._size).rows():
            known = self._gateway.access.known(_versions(rows))
            yield from self._pages([row for row in rows if number_of(row) not in known])
        if self._settings.get("after_sales", True):
            yield from self._refunded(max(unix(window.start), start), end)

    def created(self, window: Window) -> Iterator[RawPage]:
        """Yield all orders created in `window` as they are now."""
        start = oldest_allowed(window, HISTORY_DAYS)
        for rows in Walk(self._gateway, CREATED, start, unix(window.end), self._size).rows():
            yield from self._pages(rows)

    def single(self, numbers: Sequence[str]) -> Iterator[RawPage]:
        """Yield single orders; one that the platform refuses is marked, so that its reader says so, one that it cannot
        show just now is named to be fetched later."""
        for place in range(0, len(numbers), LARGEST_PAGE):
            part = numbers[place : place + LARGEST_PAGE]
            answers = self._gateway.answers(DETAIL, [{"shop_order_id": number} for number in part])
            found = dict(zip(part, answers, strict=True))
            later = not_now(found, RefusedError)
            yield from self._pages([_detail(n, answer) for n, answer in found.items() if n not in later], later)

    def _refunded(self, start: int, end: int) -> Iterator[RawPage]:
        for rows in Walk(self._gateway, REFUNDED, start, end, self._size).rows():
            numbers = dict.fromkeys(str(_part(row, "order_info").get("shop_order_id") or "") for row in rows)
            yield from self.single([number for number in numbers if number and number not in self._delivered])

    def _pages(self, rows: Sequence[Any], later: Collection[str] = ()) -> Iterator[RawPage]:
        if not rows and not later:
            return
        rows = self._masked(rows)
        self._delivered |= {number_of(row) for row in rows}
        body = _body({"orders": rows})
        key = f"douyin:{hashlib.sha256(body).hexdigest()}"
        yield RawPage(key, body, "application/json", READER, len(rows), later=sorted(later))

    def _masked(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Fill in masked texts where the platform sent cipher texts only; the call is free. An order without them is
        still an order."""
        wanted = [sealed for row in rows if needs_mask(row) for sealed in contacts.sealed_values(row)]
        if not wanted:
            return rows
        try:
            opened = contacts.mask(self._gateway, wanted)
        except HubError as error:
            log.warning("no masked texts", shop=self._gateway.access.code, error=str(error))
            return rows
        texts: dict[str, dict[str, str]] = {}
        for found in opened:
            texts.setdefault(found.sealed.external_no, {})[found.sealed.part] = found.text
        return [with_mask(row, texts.get(number_of(row), {})) if needs_mask(row) else row for row in rows]


def _body(value: Any) -> bytes:
    """Return a page as JSON, also one that holds numbers that the fast writer refuses."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _versions(rows: Sequence[Any]) -> dict[str, datetime]:
    moments = {number_of(row): seconds_of(row, "update_time") for row in rows}
    return {number: datetime.fromtimestamp(moment, UTC) for number, moment in moments.items() if number and moment}


def _detail(number: str, answer: Mapping[str, Any] | HubError) -> dict[str, Any]:
    if isinstance(answer, HubError):
        return {"order_id": number, REFUSED_KEY: str(answer)}
    order = answer.get("shop_order_detail")
    return order if isinstance(order, dict) else {"order_id": number, REFUSED_KEY: "the platform returned no order"}


def _part(row: Any, name: str) -> Mapping[str, Any]:
    part = row.get(name) if isinstance(row, dict) else None
    return part if isinstance(part, dict) else {}
