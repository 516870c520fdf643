"""Orders from one internet address within an hour. Platforms return no address; then nothing is known."""

import ipaddress
from bisect import bisect_right
from collections import defaultdict, deque
from datetime import datetime, timedelta
from functools import lru_cache

from django.utils.translation import gettext_lazy as _

from orderhub.core.draft import OrderDraft
from triage.predicates.base import Batch, FactType, Need, fact

WINDOW = timedelta(minutes=60)


def ip_windows(batch: Batch) -> list[tuple[int, int] | None]:
    """Return for each order the orders (itself included) and distinct buyers from its address in the hour up to it.

    Siblings of the same delivery count as if they had been stored one after the other by time.
    """
    return batch.once(_windows)


def _windows(batch: Batch) -> list[tuple[int, int] | None]:
    by_ip: dict[str, list[tuple[datetime, int, int, int | None]]] = defaultdict(list)
    for place, candidate in enumerate(batch.everyone):
        ip = candidate.draft.buyer.ip
        if ip:
            by_ip[ip].append((candidate.draft.created_at, place, candidate.order_id, candidate.buyer_id))
    counted: dict[int, tuple[int, int]] = {}
    before = batch.context.ip_before
    for rows in by_ip.values():
        if len(rows) == 1:
            _at, _place, order_id, buyer_id = rows[0]
            known, buyers = before.get(order_id, (0, frozenset()))
            counted[order_id] = (known + 1, len(buyers | {buyer_id}) if buyer_id is not None else len(buyers))
            continue
        rows.sort(key=lambda row: row[:2])
        window: deque[tuple[datetime, int | None]] = deque()
        for at, _place, order_id, buyer_id in rows:
            while window and window[0][0] <= at - WINDOW:
                window.popleft()
            window.append((at, buyer_id))
            known, buyers = before.get(order_id, (0, frozenset()))
            distinct = buyers | {buyer for _at, buyer in window if buyer is not None}
            counted[order_id] = (known + len(window), len(distinct))
    return [counted.get(candidate.order_id) if candidate.draft.buyer.ip else None for candidate in batch.candidates]


def _basis(draft: OrderDraft) -> str:
    return draft.buyer.ip


@fact(
    "ip.orders_60m",
    _("Orders from the same IP in 60 minutes"),
    FactType.NUMBER,
    unit=_("orders"),
    about=_("This order and those of the hour before it. Unknown where the channel gives no IP."),
    example=5,
    needs=[Need.IP_ORDERS],
    basis=_basis,
)
def orders_60m(batch: Batch) -> list[int | None]:
    """Return how many orders came from each order's address in the hour up to it."""
    return [None if window is None else window[0] for window in ip_windows(batch)]


@fact(
    "ip.buyers_60m",
    _("Buyers from the same IP in 60 minutes"),
    FactType.NUMBER,
    unit=_("buyers"),
    about=_("Distinct buyers of those orders; orders without a buyer id add none."),
    example=3,
    needs=[Need.IP_ORDERS],
    basis=_basis,
)
def buyers_60m(batch: Batch) -> list[int | None]:
    """Return how many buyers ordered from each order's address in the hour up to it."""
    return [None if window is None else window[1] for window in ip_windows(batch)]


@lru_cache(maxsize=65536)
def _number(ip: str) -> tuple[int, int] | None:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return None
    return address.version, int(address)


def is_listed(ip: str, networks: tuple[tuple[int, int, int], ...]) -> bool | None:
    """Whether an address lies in one of the ranges (sorted, not overlapping); None for what is no address."""
    parsed = _number(ip)
    if parsed is None:
        return None
    place = bisect_right(networks, (*parsed, 1 << 128))
    return place > 0 and networks[place - 1][0] == parsed[0] and parsed[1] <= networks[place - 1][2]


@fact(
    "ip.is_shared",
    _("IP belongs to an office or campus"),
    FactType.FLAG,
    about=_("The list of shared networks: many people behind one address are normal there."),
    example=True,
    needs=[Need.NETWORKS],
    basis=_basis,
)
def is_shared(batch: Batch) -> list[bool | None]:
    """Tell whether each order came from a network on the list."""
    networks = batch.context.networks
    if not networks:
        return [False if draft.buyer.ip else None for draft in batch.drafts]
    return [is_listed(draft.buyer.ip, networks) if draft.buyer.ip else None for draft in batch.drafts]
