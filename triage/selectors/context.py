"""What the database knows about a batch, each part in one query."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection
from django.db.models import Q

from orderhub.core.crypto import blind
from orderhub.models import Shop
from orderhub.services.bulk import WANTED, listed
from triage.decisions import Candidate
from triage.models import BuyerListing, Finding, IpListing
from triage.networks import ranges
from triage.predicates import duplicate, ip
from triage.predicates.base import Bought, Context, IpOrder, Need, ShopFacts
from triage.selectors.prices import price_book
from triage.selectors.siblings import PUT_ASIDE
from triage.selectors.stops import couriers_of, running_stops

COUNT_CAP = 100
"""Orders of one address that are counted at most; an attack must not slow the batch down."""
RETURN_DAYS = 90


def batch_context(
    candidates: Sequence[Candidate], needs: frozenset[Need], now: datetime, everyone: Sequence[Candidate] = ()
) -> Context:
    """Return what the database knows about a batch; only what `needs` names is fetched.

    `everyone` are the candidates with their siblings that are not judged: whoever is in the batch is counted there,
    and left out of what the pool holds.
    """
    context = Context(now)
    known = _known_ids(everyone or candidates)
    if Need.SHOPS in needs:
        context.shops = {shop.pk: ShopFacts(shop.code, shop.platform) for shop in Shop.objects.all()}
    if Need.IP_ORDERS in needs:
        context.ip_orders = _ip_orders(candidates, known)
    if Need.BOUGHT in needs:
        context.bought = _bought(candidates, known)
    if Need.PRICES in needs:
        context.prices = price_book(candidates, now)
    if Need.LISTED_BUYERS in needs:
        context.denied, context.trusted = _listed(candidates, now)
    if Need.NETWORKS in needs and any(candidate.draft.buyer.ip for candidate in candidates):
        shared = IpListing.objects.filter(_live(now)).values_list("network", flat=True)
        context.networks = ranges(shared)
    if Need.RETURNS in needs:
        context.returns = _returns(candidates, now, known)
    if Need.STOPS in needs:
        context.stops = running_stops(now)
        if any(stop.courier for stop in context.stops):
            context.couriers = couriers_of(candidate.shop_id for candidate in candidates)
    return context


def accepted_findings(candidates: Sequence[Candidate]) -> dict[tuple[int, str], int]:
    """Return the facts key of accepted findings by (order id, code); orders new to the pool have none."""
    known = [candidate.order_id for candidate in candidates if candidate.is_known]
    if not known:
        return {}
    rows = Finding.objects.filter(order_id__in=known, accepted_at__isnull=False, cleared_at__isnull=True)
    return {(order_id, code): key for order_id, code, key in rows.values_list("order_id", "code", "facts_key")}


def _live(now: datetime) -> Q:
    return Q(expires_at__isnull=True) | Q(expires_at__gt=now)


def _known_ids(candidates: Iterable[Candidate]) -> list[int]:
    """Return the keys that are in the pool already: siblings are counted within the batch, not twice."""
    return [candidate.order_id for candidate in candidates if candidate.is_known]


def _ip_orders(candidates: Sequence[Candidate], known: list[int]) -> dict[str, list[IpOrder]]:
    """Return what the pool holds from the batch's addresses within an hour of its orders, at most COUNT_CAP each."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    for candidate in candidates:
        address, at = candidate.draft.buyer.ip, candidate.draft.created_at
        if address:
            first, last = spans.get(address, (at, at))
            spans[address] = (min(first, at), max(last, at))
    if not spans:
        return {}
    names = {blind(b"ip", address): address for address in spans}
    wanted = [{"ip": key, "first": spans[name][0], "last": spans[name][1]} for key, name in names.items()]
    found: dict[str, list[IpOrder]] = defaultdict(list)
    seconds = ip.WINDOW.total_seconds()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.ip, o.created_at, o.id, o.buyer_id
            FROM json_to_recordset(%s::json) AS c (ip bigint, first timestamptz, last timestamptz)
            CROSS JOIN LATERAL (
                SELECT created_at, id, buyer_id FROM orderhub_order
                WHERE ip_index = c.ip AND created_at > c.first - make_interval(secs => %s)
                    AND created_at < c.last + make_interval(secs => %s) AND NOT id = ANY(%s)
                ORDER BY created_at DESC LIMIT %s) AS o
            """,
            [orjson.dumps(wanted).decode(), seconds, seconds, known, COUNT_CAP],
        )
        for key, at, order_id, buyer_id in cursor.fetchall():
            found[names[key]].append(IpOrder(at, order_id, buyer_id))
    return found


def _bought(candidates: Sequence[Candidate], known: list[int]) -> dict[int, list[Bought]]:
    spans: dict[int, tuple[datetime, datetime]] = {}
    for candidate in candidates:
        if candidate.buyer_id is not None:
            at = candidate.draft.created_at
            first, last = spans.get(candidate.buyer_id, (at, at))
            spans[candidate.buyer_id] = (min(first, at), max(last, at))
    if not spans:
        return {}
    wanted = [{"id": buyer, "first": first, "last": last} for buyer, (first, last) in spans.items()]
    seconds = duplicate.WINDOW.total_seconds()
    found: dict[int, list[Bought]] = defaultdict(list)
    with connection.cursor() as cursor:
        # A repeat that a person let go is wanted beside what it repeats: gone, it makes no repeat of an earlier one.
        cursor.execute(
            """
            SELECT b.id, o.id, o.created_at, coalesce(o.paid_at, o.created_at), l.sku, l.quantity,
                o.status <> ALL(%s) AND NOT EXISTS (
                    SELECT FROM triage_finding f WHERE f.shop_id = o.shop_id AND f.order_id = o.id
                        AND f.accepted_at IS NOT NULL AND f.cleared_at IS NULL AND f.values ? 'duplicate.order')
            FROM json_to_recordset(%s::json) AS b (id bigint, first timestamptz, last timestamptz)
            JOIN orderhub_order o ON o.buyer_id = b.id AND o.created_at > b.first - make_interval(secs => %s)
                AND o.created_at < b.last + make_interval(secs => %s)
            JOIN orderhub_orderline l ON l.order_id = o.id
            WHERE l.unit_price_fen > 0 AND l.refund <> 'done' AND o.status <> ALL(%s) AND NOT o.id = ANY(%s)
                AND jsonb_path_exists(o.extra, %s, jsonb_build_object('number', l.line_no)) IS NOT TRUE
            """,
            [
                sorted(duplicate.NOT_GONE),
                orjson.dumps(wanted).decode(),
                seconds,
                seconds,
                sorted(duplicate.NOT_BOUGHT),
                known,
                PUT_ASIDE,
            ],
        )
        for buyer_id, *bought in cursor.fetchall():
            found[buyer_id].append(Bought(*bought))
    return found


def _listed(
    candidates: Sequence[Candidate], now: datetime
) -> tuple[frozenset[tuple[int, str]], frozenset[tuple[int, str]]]:
    buyers = {candidate.draft.buyer.id for candidate in candidates if candidate.draft.buyer.id}
    if not buyers:
        return frozenset(), frozenset()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT shop_id, buyer, kind FROM triage_buyerlisting "  # noqa: S608  (a constant)
            f"WHERE buyer IN (SELECT key FROM {WANTED}) AND (expires_at IS NULL OR expires_at > %s)",
            [listed(buyers), now],
        )
        rows: list[Any] = cursor.fetchall()
    by_kind: Mapping[str, set[tuple[int, str]]] = {kind: set() for kind in BuyerListing.Kind.values}
    for shop_id, buyer, kind in rows:
        by_kind[kind].add((shop_id, buyer))
    return frozenset(by_kind[BuyerListing.Kind.DENY]), frozenset(by_kind[BuyerListing.Kind.ALLOW])


def _returns(candidates: Sequence[Candidate], now: datetime, known: list[int]) -> dict[int, int]:
    buyers = {candidate.buyer_id for candidate in candidates if candidate.buyer_id is not None}
    if not buyers:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT buyer_id, count(*) FROM orderhub_order
            WHERE buyer_id = ANY(%s) AND created_at > %s
              AND (status IN ('returning', 'refunded') OR refund = 'done')
              AND NOT id = ANY(%s)
            GROUP BY buyer_id
            """,
            [list(buyers), now - timedelta(days=RETURN_DAYS), known],
        )
        rows: list[Any] = cursor.fetchall()
    return dict(rows)
