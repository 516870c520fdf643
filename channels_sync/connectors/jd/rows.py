"""Orders as JD sends them, before they are read: number, version, family, and what the hub lays beside them."""

from datetime import datetime
from typing import Any

from channels_sync.connectors.fields import SHANGHAI
from channels_sync.connectors.jd.refunds import last_moment

Row = Any

SHIPPED = frozenset({"WAIT_GOODS_RECEIVE_CONFIRM", "FINISHED_L"})
CANCELLED = frozenset({"TRADE_CANCELED", "PARENT_TRADE_CANCELED"})

REFUSED_KEY = "hub_refused"
"""Put into an order whose details JD refuses; its reader makes a reject of it."""
REFUNDS_KEY = "hub_refunds"
NOTE_KEY = "hub_flag"


def number_of(row: Row) -> str:
    """Return the order number as text."""
    return str(row.get("orderId") or "") if isinstance(row, dict) else ""


def version_of(row: Row) -> datetime | None:
    """Return when the order or a refund of it changed last."""
    if not isinstance(row, dict):
        return None
    moments = (moment_of(row, "modified"), last_moment(refunds_of(row)))
    return max(filter(None, moments), default=None)


def refunds_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the refunds that lie beside an order, in the sequence in which they were applied for."""
    beside = row.get(REFUNDS_KEY)
    refunds = [refund for refund in beside if isinstance(refund, dict)] if isinstance(beside, list) else []
    return sorted(refunds, key=lambda refund: (str(refund.get("applied")), str(refund.get("id"))))


def family(row: Row) -> list[str]:
    """Return the numbers under which an order's refunds may be kept: JD splits orders, refunds may name the parent."""
    names = ("orderId", "directParentOrderId", "parentOrderId")
    numbers = (str(row.get(name) or "") for name in names) if isinstance(row, dict) else ()
    return [number for number in dict.fromkeys(numbers) if number not in {"", "0"}]


def moment_of(row: Row, name: str) -> datetime | None:
    """Return a time of an order, None where there is none that can be read."""
    try:
        moment = datetime.fromisoformat(str(row.get(name))) if isinstance(row, dict) else None
    except ValueError:
        return None
    if moment is None or moment.year < 2004:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
