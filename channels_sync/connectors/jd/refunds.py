"""Refunds of JD: not part of an order but lists of their own; an order's `modified` need not move with them.

Before shipping: applications to cancel (`pop.afs.soa.refundapply.queryPageList`, amounts in fen). After it: service
orders (`asc.serviceAndRefund.view`). Protocol reference 3.6; the states are those of JD's request documents.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.connectors.fields import SHANGHAI
from channels_sync.connectors.jd.client import JdClient, jd_time
from orderhub.core.errors import TemporaryError

APPLICATIONS = "jingdong.pop.afs.soa.refundapply.queryPageList"
SERVICES = "jingdong.asc.serviceAndRefund.view"
PAGE_SIZE = 50
LAST_PAGE = 100
LONGEST_SPAN = timedelta(days=7)
"""What the service list takes by time of application; by time of audit it takes ten days, the other list names no
limit."""
SHORTEST_SPAN = timedelta(seconds=1)
"""JD's times have no parts of a second."""

CANCELLATIONS = {
    "0": "asked",
    "1": "agreed",
    "2": "refused",
    "3": "done",
    "4": "refused",
    "5": "agreed",
    "6": "agreed",
    "7": "agreed",
    "8": "asked",
    "9": "agreed",
    "10": "asked",
    "11": "none",
}
"""State of an application: 0 new, 1/5 agreed by the shop, 2 refused, 3/4 finance paid/refused, 6 stop and refund, 7/8
parcel stopped/not stopped, 9 closed by force, 10 waits for the carrier, 11 withdrawn. Any other counts as asked."""
SERVICE_STATES = {"13": "done", "14": "asked"}
"""State of a service order: 13 refunded, 14 refund failed; every other number is one of the steps before."""

UNTOLD = "untold"
"""The time of an unknown refund: none that moves an order's version, and in sequence behind every time, so that no
refund of another number that was withdrawn lets the order go."""

Row = dict[str, Any]


def _at_once() -> None:
    """Wait for nothing: the caller already has its turn."""


class TooManyRefundsError(TemporaryError):
    """A span holds more refunds than JD's pages show."""


class Refunds:
    """Reads both lists and returns refunds in one small form, ready to be laid beside an order.

    `{"id", "order", "kind": "cancel" or "service", "state", "fen", "sku", "pieces", "applied", "checked"}`, times as JD
    writes them. `wait` is called before each call to the platform. `services` off: the list of service orders is left
    alone, for applications that may not read it.
    """

    def __init__(self, client: JdClient, *, services: bool = True) -> None:
        self._client = client
        self._reads_services = services

    def between(self, start: datetime, end: datetime, wait: Callable[[], None] = _at_once) -> dict[str, list[Row]]:
        """Return the refunds applied for or decided in a span, by order number."""
        found: dict[tuple[str, str], Row] = {}
        for begin, stop in _spans(start, end):
            for read, *names in (
                (self._applications, "applyTimeStart", "applyTimeEnd"),
                (self._applications, "checkTimeStart", "checkTimeEnd"),
                (self._services, "applyTimeBegin", "applyTimeEnd"),
                (self._services, "approveTimeBegin", "approveTimeEnd"),
            ):
                for row in _by_halves(partial(read, wait=wait), names, begin, stop):
                    found[row["kind"], row["id"]] = row
        return by_order(found.values())

    def cancellations(self, number: str) -> list[Row]:
        """Return every application to cancel one order."""
        return list(self._applications({"orderId": number}, _at_once))

    def services(self, number: str) -> list[Row]:
        """Return every service order of one order."""
        return list(self._services({"orderId": number}, _at_once))

    def _applications(self, asked: Mapping[str, Any], wait: Callable[[], None]) -> Iterator[Row]:
        for row in self._pages(APPLICATIONS, asked, ("queryResult", "result"), wait):
            yield {
                "id": _text(row, "id"), "order": _text(row, "orderId"), "kind": "cancel",
                "state": _text(row, "status"), "fen": _text(row, "applyRefundSum"), "sku": "", "pieces": "",
                "applied": _text(row, "applyTime"), "checked": _text(row, "checkTime"),
            }  # fmt: skip

    def _services(self, asked: Mapping[str, Any], wait: Callable[[], None]) -> Iterator[Row]:
        if not self._reads_services:
            return
        for row in self._pages(SERVICES, asked, ("pageResult", "data"), wait):
            bill = row.get("sameOrderServiceBill")
            bill = bill if isinstance(bill, dict) else {}
            yield {
                "id": _text(bill, "serviceId"), "order": _text(bill, "orderId"), "kind": "service",
                "state": _text(row, "status"), "fen": "", "sku": _text(bill, "wareId"),
                "pieces": _text(bill, "serviceCount"), "applied": _text(bill, "afsApplyTime"),
                "checked": _text(row, "completeTime") or _text(bill, "approveDate"),
            }  # fmt: skip

    def _pages(
        self, method: str, asked: Mapping[str, Any], place: tuple[str, str], wait: Callable[[], None]
    ) -> Iterator[Row]:
        outer, key = place
        number = "pageIndex" if method == APPLICATIONS else "pageNumber"
        for page in range(1, LAST_PAGE + 1):
            wait()
            content = self._client.result(method, {**asked, number: page, "pageSize": PAGE_SIZE}, outer)
            rows = content.get(key)
            rows = rows if isinstance(rows, list) else []
            total = _count(content.get("totalCount"), len(rows))
            if total > LAST_PAGE * PAGE_SIZE:
                break
            yield from (row for row in rows if isinstance(row, dict))
            if page * PAGE_SIZE >= total:
                return
        raise TooManyRefundsError(_("JD has more refunds in one span than it lets anybody read."))


def unknown(number: str, reason: str) -> Row:
    """Return what is laid beside an order whose refunds JD refuses to tell: its state counts as asked."""
    return {
        "id": "", "order": number, "kind": "unknown", "state": "unknown", "fen": "", "sku": "", "pieces": "",
        "applied": UNTOLD, "checked": "", "reason": reason[:300],
    }  # fmt: skip


def by_order(rows: Any) -> dict[str, list[Row]]:
    """Return refunds by order number, each order's in the sequence in which they were applied for."""
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["applied"], row["id"])):
        found.setdefault(row["order"], []).append(row)
    return found


def state_of(refund: Mapping[str, Any]) -> str:
    """Return the word for a refund; a state that is not known counts as asked, so that nothing is shipped on it."""
    states = CANCELLATIONS if refund.get("kind") == "cancel" else SERVICE_STATES
    return states.get(str(refund.get("state")), "asked")


def last_moment(refunds: Sequence[Mapping[str, Any]]) -> datetime | None:
    """Return when the refunds of an order changed last, as far as JD tells."""
    texts = (str(refund.get(name) or "") for refund in refunds for name in ("applied", "checked"))
    return max(filter(None, map(_moment, texts)), default=None)


def _moment(text: str) -> datetime | None:
    try:
        # The service list tells times also as milliseconds.
        moment = datetime.fromtimestamp(int(text) / 1000, UTC) if text.isdecimal() else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    return moment if moment.year >= 2004 else None


def _by_halves(
    read: Callable[[Mapping[str, str]], Iterator[Row]], names: Sequence[str], begin: datetime, stop: datetime
) -> list[Row]:
    """Return the rows of a span whose ends JD calls `names`; one with more rows than it shows is read in halves."""
    try:
        return list(read(dict(zip(names, (jd_time(begin), jd_time(stop)), strict=True))))
    except TooManyRefundsError:
        if stop - begin <= SHORTEST_SPAN:
            raise
    middle = begin + (stop - begin) / 2
    return _by_halves(read, names, begin, middle) + _by_halves(read, names, middle, stop)


def _spans(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        stop = min(start + LONGEST_SPAN, end)
        yield start, stop
        start = stop


def _count(value: Any, default: int) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else default


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)
