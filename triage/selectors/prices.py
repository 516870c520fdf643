"""What the articles of a batch should cost: stored baselines, campaigns, list and floor prices, and recent sales."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from orderhub.core.told import ARTICLE, TOLD, sold_lines
from orderhub.services.bulk import records
from triage.decisions import Candidate
from triage.predicates.base import Campaign, PriceBook
from triage.predicates.duplicate import NOT_BOUGHT
from triage.predicates.price import MIN_SAMPLE, settled_price

WINDOW = timedelta(hours=24)
STALE = timedelta(minutes=25)
"""Age at which a stored baseline is no longer believed: the job that renews it every ten minutes has stopped."""
SALES = 200
"""Newest sales of one article that are looked at where no baseline is stored."""
KEPT_SECONDS, KEPT_PAIRS = 60.0, 50_000
BUNDLES = f"$.{TOLD}[*] ? (exists (@.{ARTICLE}))"
"""Path, in `Order.extra`, to the notes of lines that became several."""

Pair = tuple[int, str]


@dataclass(slots=True)
class Sales:
    """Unit prices of recent sales of one article in one shop, and how long they may be used."""

    good: list[int] = field(default_factory=list)
    every: list[int] = field(default_factory=list)
    until: float = 0.0


_kept: dict[Pair, Sales] = {}


def price_book(candidates: Sequence[Candidate], now: datetime) -> PriceBook:
    """Return all prices known for the articles of a batch, bundles included; four queries at most."""
    pairs = {(c.shop_id, line.sku) for c in candidates for line in sold_lines(c.draft) if line.sku}
    if not pairs:
        return PriceBook()
    # The floor of a bundle is that of its parts.
    skus = list({sku for _shop, sku in pairs} | {line.sku for c in candidates for line in c.draft.lines if line.sku})
    times = [candidate.draft.created_at for candidate in candidates]
    campaigns = _campaigns(skus, min(times), max(times))
    articles = _articles(skus)
    book = PriceBook(
        campaigns=campaigns,
        list_prices={code: price for code, price, _floor in articles if price},
        floors={code: floor for code, _price, floor in articles if floor},
    )
    samples: dict[Pair, tuple[int, int | None]] = {}
    if min(times) > now - WINDOW:
        samples = _stored(pairs, now)
    # A campaign sets the price itself; sales of before it say nothing.
    open_pairs = [pair for pair in pairs if pair not in samples and pair[1] not in campaigns]
    samples |= _settled(open_pairs, candidates, book, (min(times), max(times)))
    book.samples = samples
    return book


# Asked for every batch, so in plain SQL: to build these by the ORM takes longer than to answer them.


def _articles(skus: list[str]) -> Iterable[tuple[str, int | None, int | None]]:
    """Return code, list price and floor price of own SKUs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT code, list_price_fen, floor_price_fen FROM orderhub_sku WHERE code = ANY(%s)", [skus])
        rows: list[Any] = cursor.fetchall()
    return rows


def _stored(pairs: Iterable[Pair], now: datetime) -> dict[Pair, tuple[int, int | None]]:
    wanted = set(pairs)
    shops, skus = {shop for shop, _sku in wanted}, {sku for _shop, sku in wanted}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT shop_id, sku, mean_fen, campaign_id FROM triage_skubaseline"
            " WHERE shop_id = ANY(%s) AND sku = ANY(%s) AND sample >= %s AND updated_at > %s",
            [list(shops), list(skus), MIN_SAMPLE, now - STALE],
        )
        found = cursor.fetchall()
    return {(shop, sku): (mean, campaign) for shop, sku, mean, campaign in found if (shop, sku) in wanted}


def _campaigns(skus: list[str], first: datetime, last: datetime) -> dict[str, list[Campaign]]:
    """Return campaigns that run while the batch was ordered, or ended so lately that their sales still count."""
    found: dict[str, list[Campaign]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sku, id, shop_id, price_fen, starts_at, ends_at, max_quantity FROM triage_campaignprice"
            " WHERE sku = ANY(%s) AND starts_at <= %s AND ends_at > %s ORDER BY starts_at DESC, sku",
            [skus, last, first - WINDOW],
        )
        for sku, *campaign in cursor.fetchall():
            found[sku].append(Campaign(*campaign))
    return dict(found)


def _settled(
    pairs: Sequence[Pair], candidates: Sequence[Candidate], book: PriceBook, span: tuple[datetime, datetime]
) -> dict[Pair, tuple[int, int | None]]:
    """Return the price that recent sales and the batch itself have settled on, where they have."""
    if not pairs:
        return {}
    sales = _recent_sales(pairs, span)
    thin = {pair for pair in pairs if len(sales[pair].every) < MIN_SAMPLE}
    own: dict[Pair, list[int]] = defaultdict(list)
    if thin:
        for candidate in candidates:
            for line in sold_lines(candidate.draft):
                if line.unit_price_fen and (candidate.shop_id, line.sku) in thin and not candidate.is_known:
                    own[candidate.shop_id, line.sku].append(line.unit_price_fen)
    found: dict[Pair, tuple[int, int | None]] = {}
    for pair in pairs:
        known = sales[pair]
        price = settled_price(known.good, known.every + own.get(pair, []), book.list_prices.get(pair[1], 0))
        if price:
            found[pair] = (price, None)
    return found


def _recent_sales(pairs: Sequence[Pair], span: tuple[datetime, datetime]) -> dict[Pair, Sales]:
    """Return recent sales by pair, from this process's memory while they are young and plenty."""
    clock = time.monotonic()
    missing = [pair for pair in pairs if pair not in _kept or _kept[pair].until < clock]
    if missing:
        if len(_kept) > KEPT_PAIRS:
            _kept.clear()
        for pair in missing:
            _kept[pair] = Sales()
        _read_sales(missing, span)
        for pair in missing:
            if len(_kept[pair].good) >= MIN_SAMPLE:
                _kept[pair].until = clock + KEPT_SECONDS
    return {pair: _kept[pair] for pair in pairs}


def _read_sales(pairs: Sequence[Pair], span: tuple[datetime, datetime]) -> None:
    """Read the newest sales of articles. A part of a bundle was not sold at the price that its line has; the numbers of
    such lines hold a point, which spares the look at the notes of nearly all orders."""
    wanted = [{"shop": shop, "sku": sku} for shop, sku in pairs]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.shop, p.sku, l.unit_price_fen, o.lane <> 'abnormal'
            FROM json_to_recordset(%s::json) AS p (shop bigint, sku text)
            CROSS JOIN LATERAL (
                SELECT order_id, line_no, unit_price_fen FROM orderhub_orderline
                WHERE sku = p.sku AND shop_id = p.shop AND unit_price_fen > 0
                ORDER BY order_id DESC LIMIT %s) l
            JOIN orderhub_order o ON o.id = l.order_id
            WHERE o.created_at > %s AND o.created_at <= %s AND o.status <> ALL(%s)
              AND NOT (strpos(l.line_no, '.') > 0 AND EXISTS (
                SELECT FROM jsonb_path_query(o.extra, %s) n WHERE n -> 'as' ? l.line_no))
            """,
            [records(wanted), SALES, span[0] - WINDOW, span[1], [*NOT_BOUGHT, "refunding"], BUNDLES],
        )
        for shop, sku, price, is_good in cursor.fetchall():
            sales = _kept[shop, sku]
            sales.every.append(price)
            if is_good:
                sales.good.append(price)
