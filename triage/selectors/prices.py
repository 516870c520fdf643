"""What the articles of a batch should cost: stored baselines, campaigns, list and floor prices, and recent sales."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from orderhub.core.told import ARTICLE, TOLD, sold_lines
from orderhub.services.bulk import records
from triage.decisions import Candidate
from triage.predicates.base import Campaign, PriceBook
from triage.predicates.duplicate import NOT_BOUGHT
from triage.predicates.price import MIN_SAMPLE, hour_of, settled_price

HOURS = 24
WINDOW = timedelta(hours=HOURS)
STALE = timedelta(minutes=25)
"""Age at which a stored baseline is no longer believed: the job that renews it every ten minutes has stopped."""
SALES = 200
"""Newest sales of one article that are looked at where no baseline is stored."""
NEWEST = 100
"""Orders of a shop that tell which keys its orders had by the end of a day."""
KEPT_SECONDS, KEPT_PERIODS = 60.0, 50_000
BUNDLES = f"$.{TOLD}[*] ? (exists (@.{ARTICLE}))"
"""Path, in `Order.extra`, to the notes of lines that became several."""

Pair = tuple[int, str]
Period = tuple[int, str, int]
"""Shop, SKU and hour of the order: what is settled for these are the sales of the day that this hour ends."""


@dataclass(slots=True)
class Sales:
    """Unit prices of the sales of one article in one shop and day."""

    good: list[int] = field(default_factory=list)
    every: list[int] = field(default_factory=list)


_kept: dict[Period, tuple[float, int]] = {}
"""What plenty of sales have settled on, and how long that may be used. Threads share it: an entry is never changed."""


def price_book(candidates: Sequence[Candidate], now: datetime) -> PriceBook:
    """Return all prices known for the articles of a batch, bundles included; four queries at most.

    Each order is held against what is known for its own moment: one that was placed days ago and paid now must not
    decide what the others cost.
    """
    pairs = {(c.shop_id, line.sku) for c in candidates for line in sold_lines(c.draft) if line.sku}
    if not pairs:
        return PriceBook()
    # The floor of a bundle is that of its parts.
    skus = list({sku for _shop, sku in pairs} | {line.sku for c in candidates for line in c.draft.lines if line.sku})
    times = [candidate.draft.created_at for candidate in candidates]
    articles = _articles(skus)
    since = now - WINDOW
    book = PriceBook(
        samples=_stored(pairs, now) if max(times) > since else {},
        since=since,
        campaigns=_campaigns(skus, min(times) - WINDOW, _day_of(hour_of(max(times)))[1]),
        list_prices={code: price for code, price, _floor in articles if price},
        floors={code: floor for code, _price, floor in articles if floor},
    )
    book.settled = _settled(_open_periods(candidates, book), candidates, book)
    return book


def _open_periods(candidates: Sequence[Candidate], book: PriceBook) -> list[Period]:
    """Return the periods of which no mean is stored. A campaign sets the price itself; sales of before it say nothing,
    nor do its own once it is over."""
    stored, since = book.samples, book.since
    periods = {
        (candidate.shop_id, line.sku, hour_of(candidate.draft.created_at))
        for candidate in candidates
        for line in sold_lines(candidate.draft)
        if line.sku and ((candidate.shop_id, line.sku) not in stored or candidate.draft.created_at <= since)
    }
    return [period for period in periods if not _had_campaign(book, period)]


def _had_campaign(book: PriceBook, period: Period) -> bool:
    shop_id, sku, hour = period
    campaigns = book.campaigns.get(sku)
    if not campaigns:
        return False
    first, last = _day_of(hour)
    return any(
        campaign.shop_id in {None, shop_id} and campaign.starts_at < last and campaign.ends_at > first
        for campaign in campaigns
    )


def _day_of(hour: int) -> tuple[datetime, datetime]:
    """Return begin and end of the day that ends with an hour."""
    end = datetime.fromtimestamp((hour + 1) * 3600, UTC)
    return end - WINDOW, end


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
    """Return the campaigns of a time, the one that began last first."""
    found: dict[str, list[Campaign]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sku, id, shop_id, price_fen, starts_at, ends_at, max_quantity FROM triage_campaignprice"
            " WHERE sku = ANY(%s) AND starts_at <= %s AND ends_at > %s ORDER BY starts_at DESC, sku",
            [skus, last, first],
        )
        for sku, *campaign in cursor.fetchall():
            found[sku].append(Campaign(*campaign))
    return dict(found)


def _settled(periods: Sequence[Period], candidates: Sequence[Candidate], book: PriceBook) -> dict[Period, int]:
    """Return the prices that recent sales and the batch itself have settled on, where they have; plenty of sales are
    not asked again for a minute."""
    clock = time.monotonic()
    found: dict[Period, int] = {}
    missing = []
    for period in periods:
        until, price = _kept.get(period, (0.0, 0))
        if until > clock:
            found[period] = price
        else:
            missing.append(period)
    if not missing:
        return found
    sales = _read_sales(missing)
    own = _own_sales({period[:2] for period in missing if len(sales[period].every) < MIN_SAMPLE}, candidates)
    if len(_kept) > KEPT_PERIODS:
        _kept.clear()
    for period in missing:
        known, hour = sales[period], period[2]
        mine = [price for sold, price in own.get(period[:2], ()) if hour - HOURS < sold <= hour]
        price = settled_price(known.good, known.every + mine, book.list_prices.get(period[1], 0))
        if price:
            found[period] = price
        if len(known.good) >= MIN_SAMPLE:
            _kept[period] = (clock + KEPT_SECONDS, price)
    return found


def _own_sales(thin: set[Pair], candidates: Sequence[Candidate]) -> dict[Pair, list[tuple[int, int]]]:
    """Return at which hour and for how much the batch itself sells articles that were sold too seldom before."""
    own: dict[Pair, list[tuple[int, int]]] = defaultdict(list)
    if thin:
        for candidate in candidates:
            for line in sold_lines(candidate.draft):
                pair = (candidate.shop_id, line.sku)
                if line.unit_price_fen and pair in thin and not candidate.is_known:
                    own[pair].append((hour_of(candidate.draft.created_at), line.unit_price_fen))
    return own


def _read_sales(periods: Sequence[Period]) -> dict[Period, Sales]:
    """Read the newest sales of articles, of the day of each period. A part of a bundle was not sold at the price that
    its line has; the numbers of such lines hold a point, which spares the look at the notes of nearly all orders.

    An article may have sold any number before that day and since: its lines are found by the keys of its orders, which
    rise as orders come. None of that day came before it; the newest of it tell how far the keys had risen by its end.
    """
    days = [(*period, *_day_of(period[2])) for period in periods]
    wanted = [dict(zip(("shop", "sku", "hour", "first", "last"), day, strict=True)) for day in days]
    found = {period: Sales() for period in periods}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.shop, p.sku, p.hour, s.unit_price_fen, s.is_good
            FROM json_to_recordset(%s::json)
                AS p (shop bigint, sku text, hour bigint, first timestamptz, last timestamptz)
            CROSS JOIN LATERAL (
                SELECT l.unit_price_fen, o.lane <> 'abnormal' AS is_good
                FROM orderhub_orderline l JOIN orderhub_order o ON o.id = l.order_id
                WHERE l.sku = p.sku AND l.shop_id = p.shop AND l.unit_price_fen > 0
                  AND l.order_id >= (
                    SELECT id FROM orderhub_order WHERE received_at >= p.first - interval '1 hour'
                    ORDER BY received_at LIMIT 1)
                  AND l.order_id <= (
                    SELECT max(id) FROM (
                        SELECT id FROM orderhub_order WHERE shop_id = p.shop AND created_at < p.last
                        ORDER BY created_at DESC, id DESC LIMIT %s) newest)
                  AND o.created_at >= p.first AND o.created_at < p.last AND o.status <> ALL(%s)
                  AND NOT (strpos(l.line_no, '.') > 0 AND EXISTS (
                    SELECT FROM jsonb_path_query(o.extra, %s) n WHERE n -> 'as' ? l.line_no))
                ORDER BY l.order_id DESC LIMIT %s) s
            """,
            [records(wanted), NEWEST, [*NOT_BOUGHT, "refunding"], BUNDLES, SALES],
        )
        rows = cursor.fetchall()
    for shop, sku, hour, price, is_good in rows:
        sales = found[shop, sku, hour]
        sales.every.append(price)
        if is_good:
            sales.good.append(price)
    return found
