"""Lists of orders and everything one order's page shows, for desk and API alike."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet

from orderhub.core.registry import Registry
from orderhub.core.status_graph import RANK
from orderhub.core.words import Source, Status
from orderhub.models import Order, OrderLine, Parcel, Receiver, TimelineEntry

ROW_FIELDS = (
    "id", "external_no", "status", "lane", "is_urgent", "has_drift", "created_at", "paid_at", "modified_at", "ship_by",
    "received_at", "total_fen", "paid_fen", "item_count",
)  # fmt: skip
JOINED_FIELDS = {
    "shop_code": F("shop__code"),
    "shop_name": F("shop__name"),
    "nickname": F("buyer__nickname"),
    "receiver_name": F("receiver__name_masked"),
    "receiver_phone": F("receiver__phone_masked"),
    "province": F("receiver__province"),
    "city": F("receiver__city"),
    "district": F("receiver__district"),
}
TIMELINE_LENGTH = 100
"""Newest entries that a page shows."""
BUYER_ORDERS_CAP = 100
"""A buyer's orders are counted up to here."""

Narrow = Callable[[QuerySet[Order], str], QuerySet[Order]]
extra_filters: Registry[Narrow] = Registry("order filter")
"""Filters that features add, by the name of their parameter; each narrows by a sub-select, never by a join that
repeats orders."""


@dataclass(slots=True, frozen=True)
class OrderFilter:
    """What a list of orders is narrowed to; empty means not narrowed. Ranges include their start, not their end."""

    shop_ids: Sequence[int] | None = None
    """The shops one may see; None: every shop."""
    shop_code: str = ""
    statuses: Sequence[str] = ()
    lane: str = ""
    urgent: bool | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    modified_from: datetime | None = None
    modified_to: datetime | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    """Values for `extra_filters`."""


def filtered(wanted: OrderFilter) -> QuerySet[Order]:
    """Return the orders that `wanted` describes, unordered."""
    conditions = {
        "shop__in": wanted.shop_ids,
        "shop__code": wanted.shop_code or None,
        "status__in": wanted.statuses or None,
        "lane": wanted.lane or None,
        "is_urgent": wanted.urgent,
        "created_at__gte": wanted.created_from,
        "created_at__lt": wanted.created_to,
        "modified_at__gte": wanted.modified_from,
        "modified_at__lt": wanted.modified_to,
    }
    orders = Order.objects.filter(**{name: value for name, value in conditions.items() if value is not None})
    for name, value in wanted.extra.items():
        orders = extra_filters.get(name)(orders, value)
    return orders


def list_values(orders: QuerySet[Order]) -> QuerySet[Order, dict[str, Any]]:
    """Return what a list shows of `orders` as dictionaries, masked, in one query."""
    values: QuerySet[Order, dict[str, Any]] = orders.values(*ROW_FIELDS, **JOINED_FIELDS)
    return values


def rows_by_id(order_ids: Sequence[int], shop_ids: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Return the list rows of `order_ids` in that order, in one query; unknown and foreign ones are left out.

    Written as SQL: this is the answer of every search, and the query builder costs more than the query.
    """
    if not order_ids:
        return []
    within = "" if shop_ids is None else " AND o.shop_id = ANY(%(shop_ids)s)"
    values: dict[str, Any] = {"ids": list(order_ids)} | ({} if shop_ids is None else {"shop_ids": list(shop_ids)})
    with connection.cursor() as cursor:
        cursor.execute(_ROWS + within, values)
        by_id = {row[0]: dict(zip(_ROW_NAMES, row, strict=True)) for row in cursor.fetchall()}
    return [by_id[order_id] for order_id in order_ids if order_id in by_id]


_JOINED = {
    "shop_code": "s.code", "shop_name": "s.name", "nickname": "b.nickname", "receiver_name": "r.name_masked",
    "receiver_phone": "r.phone_masked", "province": "r.province", "city": "r.city", "district": "r.district",
}  # fmt: skip
_ROW_NAMES = (*ROW_FIELDS, *_JOINED)
_ROWS = f"""
    SELECT {", ".join((*(f"o.{name}" for name in ROW_FIELDS), *_JOINED.values()))}
    FROM orderhub_order o JOIN orderhub_shop s ON s.id = o.shop_id
    LEFT JOIN orderhub_buyer b ON b.id = o.buyer_id LEFT JOIN orderhub_receiver r ON r.order_id = o.id
    WHERE o.id = ANY(%(ids)s)"""  # noqa: S608  (constants only)


@dataclass(slots=True, frozen=True)
class Claim:
    """What one department says of an order, and when it said so."""

    source: str
    status: str
    at: datetime | None
    own_word: str = ""


@dataclass(slots=True, frozen=True)
class PathStep:
    """One place on the order's road: walked (with time and source), now, or ahead."""

    status: str
    state: str
    at: datetime | None = None
    source: str = ""


@dataclass(slots=True, frozen=True)
class OrderPage:
    """Everything one order's page shows; personal data masked."""

    order: Order
    receiver: Receiver | None
    lines: list[OrderLine]
    parcels: list[Parcel]
    timeline: list[TimelineEntry]
    claims: list[Claim]
    path: list[PathStep]


def order_page(order_id: int, shop_ids: Sequence[int] | None = None) -> OrderPage | None:
    """Return an order's page in four queries, None when there is no such order within `shop_ids`."""
    orders = filtered(OrderFilter(shop_ids=shop_ids)).select_related("shop", "buyer", "receiver").defer("extra")
    order = orders.filter(pk=order_id).first()
    if order is None:
        return None
    timeline = list(TimelineEntry.objects.filter(order=order).order_by("-id")[:TIMELINE_LENGTH])
    return OrderPage(
        order=order,
        receiver=getattr(order, "receiver", None),
        lines=list(OrderLine.objects.filter(order=order).order_by("id")),
        parcels=list(Parcel.objects.filter(orders=order).order_by("-id")),
        timeline=timeline,
        claims=claims_of(order),
        path=path_of(order, reversed(timeline)),
    )


NO_NEWS = frozenset({"memo_told", "shipment"})
"""Entries that a channel knows now what people saw before: they change nothing to be looked at."""


def newest_news(timeline: Iterable[TimelineEntry], reader: str) -> int:
    """Return the id of the first entry of a timeline, newest first, that tells something new to the person of the user
    name `reader`; 0 where there is none. Whatever changes an order for people writes one, and one's own remark is known
    to who wrote it."""
    news = (entry for entry in timeline if entry.kind not in NO_NEWS and (entry.kind, entry.actor) != ("memo", reader))
    return next((entry.pk for entry in news), 0)


def newest_news_of(order_id: int, reader: str) -> int:
    """Return what `newest_news` does of the order's page, in one small query."""
    entries = TimelineEntry.objects.filter(order_id=order_id).order_by("-id").only("kind", "actor")
    return newest_news(entries[:TIMELINE_LENGTH], reader)


def claims_of(order: Order) -> list[Claim]:
    """Return the three departments' claims, those that have said nothing included."""
    return [
        Claim(Source.CHANNEL, order.channel_claim, order.channel_claim_at, order.channel_status),
        Claim(Source.WAREHOUSE, order.warehouse_claim, order.warehouse_claim_at),
        Claim(Source.CARRIER, order.carrier_claim, order.carrier_claim_at),
    ]


MILESTONES = (Status.PAID, Status.READY, Status.WMS_ACCEPTED, Status.PACKED, Status.IN_TRANSIT, Status.DELIVERED)
"""Places ahead that are worth showing; the ones between are shown only once walked."""


def path_of(order: Order, timeline: Iterable[TimelineEntry]) -> list[PathStep]:
    """Return the places that an order has passed, oldest first, where it is, and the milestones ahead of it."""
    walked: list[PathStep] = []
    for entry in timeline:
        if entry.status_to and (not walked or walked[-1].status != entry.status_to):
            walked.append(PathStep(entry.status_to, "done", entry.at, entry.source))
    here = order.status
    if not walked or walked[-1].status != here:
        walked.append(PathStep(here, "now", order.paid_at if here == Status.PAID else None))
    last = walked.pop()
    walked.append(PathStep(here, "now", last.at, last.source))
    return walked + [PathStep(status, "ahead") for status in _ahead(here)]


def _ahead(status: str) -> list[Status]:
    rank = RANK.get(Status(status)) if status in Status else None
    if rank is None:
        return []
    return [milestone for milestone in MILESTONES if RANK[milestone] > rank]


def buyer_order_count(order: Order) -> int:
    """Return how many orders this buyer has in this shop, counted up to `BUYER_ORDERS_CAP`."""
    if order.buyer_id is None:
        return 1
    return Order.objects.filter(buyer_id=order.buyer_id)[:BUYER_ORDERS_CAP].count()
