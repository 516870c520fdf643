"""Everything one person must see of the channels: a fixed number of set-wise reads, whatever the number of shops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Q
from django.utils.functional import Promise

from channels_sync.connectors.base import Connector, connectors
from channels_sync.models import Listing, ListingState, ShopSync
from channels_sync.selectors.offers import ShopOffers, shop_offers
from channels_sync.selectors.silence import Flow, flows
from orderhub.models import Shop
from orderhub.selectors.gate import OPEN, GateOverview, GateView, gate_overview


@dataclass(slots=True, frozen=True)
class Waiting:
    """Something that waits: how much, and since when."""

    count: int = 0
    oldest: datetime | None = None


@dataclass(slots=True)
class ChannelFacts:
    """What is known of one shop's channel. Counts of deliveries are those of the last 60 minutes."""

    shop: Shop
    connector: Connector | None
    sync: ShopSync | None
    orders_10: int = 0
    """Orders that came in during the last 10 minutes."""
    orders_60: int = 0
    flow: Flow | None = None
    """Orders seen against expected; None for a shop that neither is pulled from nor pushes."""
    pushes: int = 0
    polls: int = 0
    others: int = 0
    """Deliveries by file or by the hub's own interface."""
    set_aside: int = 0
    """Deliveries of the last hour that could not be taken in at all."""
    last_delivery_at: datetime | None = None
    inbox: Waiting = field(default_factory=Waiting)
    short: Waiting = field(default_factory=Waiting)
    """Orders that the platform counted and did not list; their time is read again."""
    given_up: Waiting = field(default_factory=Waiting)
    """The same after the last try."""
    rejects: Waiting = field(default_factory=Waiting)
    dead: Waiting = field(default_factory=Waiting)
    gate: GateView = OPEN
    """The gate that counts for this shop: its own or the gate of all."""
    parked: int = 0
    """Orders that wait before the gate."""
    parked_until: datetime | None = None
    """When the last of them will be in at the latest; None behind a paused gate."""
    deadline: datetime | None = None
    """The earliest ship deadline among them."""
    unmatched: int = 0
    """Channel items without an own SKU."""
    matched: int = 0
    told_at: datetime | None = None
    """When the channel was last told a stock figure."""
    stock: ShopOffers | None = None
    """None where the hub does not tell this shop its stock."""

    @property
    def platform(self) -> str | Promise:
        """What people call the platform."""
        return self.connector.label if self.connector else self.shop.platform

    @property
    def pulls(self) -> bool:
        """Whether orders are fetched from the platform."""
        return bool(self.connector and self.connector.pulls)


@dataclass(slots=True, frozen=True)
class Board:
    """All shops, the switched-off ones at the end, and all gates."""

    channels: list[ChannelFacts]
    gates: GateOverview


def board(shop_ids: Sequence[int] | None = None) -> Board:
    """Return the facts of every shop, or of the given ones."""
    shops = Shop.objects.select_related("sync", "warehouse").order_by("-is_active", "code")
    if shop_ids is not None:
        shops = shops.filter(pk__in=shop_ids)
    facts = {
        shop.pk: ChannelFacts(
            shop, connectors.get(shop.platform) if shop.platform in connectors else None, getattr(shop, "sync", None)
        )
        for shop in shops
    }
    if facts:
        _add_traffic(facts)
        _add_waiting(facts)
        _add_items(facts)
        for flow in flows(shop_ids=list(facts)):
            facts[flow.shop_id].flow = flow
    return Board(list(facts.values()), _add_gates(facts))


def _add_traffic(facts: Mapping[int, ChannelFacts]) -> None:
    for shop_id, ten, sixty in _rows(
        """
        SELECT shop_id, count(*) FILTER (WHERE received_at > now() - interval '10 min'), count(*)
        FROM orderhub_order WHERE received_at > now() - interval '60 min' AND shop_id = ANY(%s) GROUP BY shop_id
        """,
        facts,
    ):
        facts[shop_id].orders_10, facts[shop_id].orders_60 = ten, sixty
    for shop_id, pushes, polls, others, aside, last in _rows(
        """
        SELECT shop_id, count(*) FILTER (WHERE source = 'push'), count(*) FILTER (WHERE source = 'poll'),
            count(*) FILTER (WHERE source NOT IN ('push', 'poll')), count(*) FILTER (WHERE state = 'dead'),
            max(received_at)
        FROM orderhub_inboxitem WHERE received_at > now() - interval '60 min' AND shop_id = ANY(%s) GROUP BY shop_id
        """,
        facts,
    ):
        one = facts[shop_id]
        one.pushes, one.polls, one.others, one.set_aside, one.last_delivery_at = pushes, polls, others, aside, last


_MISSING = "sum(greatest(counted - seen, 1))"
_WAITING = {
    "inbox": ("orderhub_inboxitem", "count(*)", "received_at", "state IN ('new', 'working')"),
    "short": ("channels_sync_backfill", _MISSING, "start", "counted IS NOT NULL AND state IN ('waiting', 'running')"),
    "given_up": ("channels_sync_backfill", _MISSING, "start", "counted IS NOT NULL AND state = 'failed'"),
    "rejects": ("orderhub_reject", "count(*)", "created_at", "state = 'open'"),
    "dead": ("orderhub_effect", "count(*)", "created_at", "state = 'dead'"),
}
"""By attribute: table, how much a group of rows is, since when a row waits, condition (each has a partial index)."""


def _add_waiting(facts: Mapping[int, ChannelFacts]) -> None:
    parts = [
        f"SELECT '{name}', shop_id, {much}, min({since}) FROM {table} WHERE {condition} GROUP BY shop_id"  # noqa: S608
        for name, (table, much, since, condition) in _WAITING.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        for name, shop_id, count, oldest in cursor.fetchall():
            if shop_id in facts:
                setattr(facts[shop_id], name, Waiting(count, oldest))


def _add_items(facts: Mapping[int, ChannelFacts]) -> None:
    rows = (
        Listing.objects.filter(shop__in=facts)
        .values("shop_id")
        .annotate(
            matched=Count("pk", filter=Q(state=ListingState.MATCHED)),
            unmatched=Count("pk", filter=Q(state=ListingState.UNMATCHED)),
            told=Max("shown_at"),
        )
        .order_by()
    )
    for row in rows:
        one = facts[row["shop_id"]]
        one.matched, one.unmatched, one.told_at = row["matched"], row["unmatched"], row["told"]
    for shop_id, offers in shop_offers(list(facts)).items():
        facts[shop_id].stock = offers


def _add_gates(facts: Mapping[int, ChannelFacts]) -> GateOverview:
    """Note the gate that counts for each shop and the orders before it; return all gates."""
    gates = gate_overview()
    for one in facts.values():
        one.gate = gates.of_all
    for shop in gates.shops:
        if shop.shop_id in facts:
            one = facts[shop.shop_id]
            one.gate, one.parked, one.parked_until, one.deadline = shop.counts, shop.waiting, shop.ends_at, shop.oldest
    return gates


def _rows(statement: str, facts: Mapping[int, ChannelFacts]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(facts)])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
