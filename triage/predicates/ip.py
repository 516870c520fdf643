"""Orders from one internet address within an hour. Platforms return no address; then nothing is known."""

import ipaddress
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orderhub.core.draft import OrderDraft
from triage.predicates.base import Batch, FactType, IpOrder, Need, fact

WINDOW = timedelta(minutes=60)
ORDERS, BUYERS = 5, 3
"""From how many orders of how many buyers an hour is a cluster (reference 4.10, rule 9)."""


def ip_windows(batch: Batch) -> list[tuple[int, int] | None]:
    """Return for each order the orders (itself included) and distinct buyers of the fullest hour that holds it.

    An hour that is a cluster goes before a fuller one of too few buyers: both figures are of the same hour.
    Siblings of the same delivery count, whatever their sequence; so the first orders of a cluster are seen as such
    when they are judged together with it, or again after it.
    """
    return batch.once(_windows)


def _windows(batch: Batch) -> list[tuple[int, int] | None]:
    by_ip: dict[str, list[IpOrder]] = defaultdict(list)
    for candidate in batch.everyone:
        ip = candidate.draft.buyer.ip
        if ip:
            by_ip[ip].append(IpOrder(candidate.draft.created_at, candidate.order_id, candidate.buyer_id))
    counted: dict[int, tuple[int, int]] = {}
    for ip, mine in by_ip.items():
        others = batch.context.ip_orders.get(ip, ())
        if len(mine) == 1 and not others:
            counted[mine[0].order_id] = (1, int(mine[0].buyer_id is not None))
        else:
            counted |= _fullest(sorted([*mine, *others], key=lambda order: order.at))
    return [counted.get(candidate.order_id) if candidate.draft.buyer.ip else None for candidate in batch.candidates]


def _fullest(orders: Sequence[IpOrder]) -> dict[int, tuple[int, int]]:
    """Return, by order, orders and buyers of the fullest window around it; each window ends at one of the orders."""
    best: dict[int, tuple[bool, int, int]] = {}
    first = 0
    for last, order in enumerate(orders):
        while orders[first].at <= order.at - WINDOW:
            first += 1
        window = orders[first : last + 1]
        buyers = len({other.buyer_id for other in window if other.buyer_id is not None})
        found = (len(window) >= ORDERS and buyers >= BUYERS, len(window), buyers)
        for other in window:
            best[other.order_id] = max(best.get(other.order_id, found), found)
    return {order_id: (orders, buyers) for order_id, (_is_cluster, orders, buyers) in best.items()}


def _basis(draft: OrderDraft) -> str:
    return draft.buyer.ip


@fact(
    "ip.orders_60m",
    _("Orders from the same IP in 60 minutes"),
    FactType.NUMBER,
    unit=pgettext_lazy("unit", "orders"),
    about=_(
        "The fullest hour that holds this order, first one with at least 5 orders of 3 buyers. Unknown where the "
        "channel gives no IP."
    ),
    example=5,
    needs=[Need.IP_ORDERS],
    basis=_basis,
)
def orders_60m(batch: Batch) -> list[int | None]:
    """Return how many orders came from each order's address in the fullest hour around it."""
    return [None if window is None else window[0] for window in ip_windows(batch)]


@fact(
    "ip.buyers_60m",
    _("Buyers from the same IP in 60 minutes"),
    FactType.NUMBER,
    unit=pgettext_lazy("unit", "buyers"),
    about=_("Distinct buyers of those orders; orders without a buyer id add none."),
    example=3,
    needs=[Need.IP_ORDERS],
    basis=_basis,
)
def buyers_60m(batch: Batch) -> list[int | None]:
    """Return how many buyers ordered from each order's address in that hour."""
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
