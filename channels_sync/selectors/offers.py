"""What each listing should show: figured out in SQL from stock, the shop's terms and the listing's parts.

    quantity = the smallest over the parts of  floor((available - waiting - buffer) * share% / pieces of the part)

`available` is what the shop's warehouses can still promise; nothing is shown for a SKU that no warehouse counts.
`waiting` is what orders before the intake gate ask for: all of it where a warehouse that will serve them (`POOL`) is
among those of this shop, otherwise what those warehouses do not have, which has to come from somewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from channels_sync.connectors.base import abilities_of
from channels_sync.models import Listing, ListingState
from channels_sync.selectors.listings import NEWER, current
from orderhub.core.words import EffectKind
from orderhub.models import Effect, Shop
from orderhub.selectors.pools import HOUSES, POOL
from orderhub.services.bulk import records

BUFFER_LIMIT = 1_000_000
SPACING_SECONDS = 1
"""Default time between two writes to one shop: changes within it go out together, each is out within five seconds."""
SPACING_LIMIT = 3600

FIGURES = f"""
    terms AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(terms)s::json)
            AS t(shop_id bigint, share int, buffer bigint, houses text[], spacing int)),
    {HOUSES},
    waiting AS MATERIALIZED (
        SELECT t.shop_id, p.sku, sum(CASE WHEN t.houses IS NULL OR t.houses && p.houses THEN p.pieces
                                          ELSE greatest(p.pieces - p.free, 0) END)::bigint AS pieces
        FROM terms t CROSS JOIN (
            SELECT w.sku, pool.houses, pool.free, sum(w.pieces) AS pieces
            FROM (SELECT shop_id, sku, sum(quantity) AS pieces FROM orderhub_parkedline GROUP BY shop_id, sku) w {POOL}
            GROUP BY w.sku, pool.houses, pool.free) p
        GROUP BY t.shop_id, p.sku),
    figures AS MATERIALIZED (
        SELECT l.id, l.shop_id,
            CASE WHEN bool_and(s.is_counted) THEN least(min(
                greatest(s.available - coalesce(w.pieces, 0) - t.buffer, 0)
                    * coalesce(l.share_percent, t.share) / (100 * p.quantity)
            ), 2147483647)::int END AS quantity
        FROM channels_sync_listing l
        JOIN terms t USING (shop_id)
        JOIN channels_sync_listingpart p ON p.listing_id = l.id
        LEFT JOIN waiting w ON w.shop_id = l.shop_id AND w.sku = p.sku
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(greatest(on_hand - reserved, 0))
                       FILTER (WHERE t.houses IS NULL OR warehouse = ANY(t.houses)), 0)::bigint AS available,
                   count(*) > 0 AS is_counted
            FROM orderhub_stocklevel WHERE sku = p.sku) s
        WHERE l.state = 'matched' AND (l.item_id <> '' OR l.sku_id <> '') AND {{narrow}}
            AND NOT EXISTS (SELECT FROM {NEWER})
        GROUP BY l.id, l.shop_id)
"""  # noqa: S608  (constant texts)
"""Common table expressions, of which others read `terms` of the shops and `figures` (id, shop_id, quantity) of their
listings."""

DIFFERS = "f.quantity IS NOT NULL AND (l.shown IS DISTINCT FROM f.quantity OR l.asked IS NOT NULL)"
"""A listing that shows something else than it should, as far as is known."""
DUE = """
    f.quantity IS NOT NULL
    AND (l.shown IS DISTINCT FROM f.quantity OR l.asked IS NOT NULL OR l.stock_error <> '')
    AND (l.stock_retry_at IS NULL OR l.stock_retry_at <= now())
"""
"""A listing to write: it shows something else, nobody knows what it shows, or its last write failed."""


@dataclass(slots=True, frozen=True)
class Terms:
    """How much of the stock one shop shows: `share` in percent, `buffer` in pieces per SKU kept back, `houses` the
    warehouse codes that count (None: all), `spacing` the seconds between two writes."""

    shop_id: int
    share: int
    buffer: int
    houses: list[str] | None
    spacing: int


@dataclass(slots=True, frozen=True)
class Offer:
    """What one listing shows and should show; `should_show` is None where no warehouse counts one of its SKUs."""

    listing_id: int
    shown: int | None
    shown_at: datetime | None
    should_show: int | None
    error: str
    retry_at: datetime | None
    is_unanswered: bool
    """The outcome of the last write is not known."""
    is_superseded: bool = False
    """The channel has another merchant code for the item by now, whose stock it is told."""

    @property
    def differs(self) -> bool:
        """Whether the channel shows something else than it should, as far as is known."""
        return self.should_show is not None and (self.shown != self.should_show or self.is_unanswered)


@dataclass(slots=True, frozen=True)
class ShopOffers:
    """How the stock of one shop's listings does."""

    listings: int
    differing: int
    failing: int
    state: str
    """State of the shop's write in the outbox; empty when there never was one."""
    error: str
    """What the platform said last, when the whole write failed."""
    due_at: datetime | None
    written_at: datetime | None


def writes_stock(shop: Shop) -> bool:
    """Tell whether the hub tells this shop its stock: it is active, its platform takes it, nobody switched it off."""
    if not shop.is_active or not abilities_of(shop.platform).writes_stock:
        return False
    return shop.settings.get("stock_writes") not in (0, False)


def terms_of(shop: Shop) -> Terms:
    """Return the terms of a shop; a setting that makes no sense counts as not set."""
    given = shop.settings
    return Terms(
        shop_id=shop.pk,
        share=_whole(given, "stock_share", 100, 100),
        buffer=_whole(given, "stock_buffer", 0, BUFFER_LIMIT),
        houses=shop.stock_warehouses or None,
        spacing=_whole(given, "stock_seconds", SPACING_SECONDS, SPACING_LIMIT),
    )


def writing_terms(shop_ids: Sequence[int] | None = None) -> list[Terms]:
    """Return the terms of the shops that are told their stock. One query."""
    shops = Shop.objects.filter(is_active=True).select_related("warehouse").defer("sealed_credentials")
    if shop_ids is not None:
        shops = shops.filter(pk__in=shop_ids)
    return [terms_of(shop) for shop in shops if writes_stock(shop)]


def as_json(terms: Sequence[Terms]) -> str:
    """Return terms as the parameter `terms` of FIGURES."""
    return records([asdict(one) for one in terms])


def offers(listing_ids: Sequence[int]) -> dict[int, Offer]:
    """Return what these listings show and should show, by id; listings of shops that are not told their stock should
    show nothing. Two queries, whatever the number."""
    if not listing_ids:
        return {}
    rows = _rows(
        f"""
        WITH {FIGURES.format(narrow="l.id = ANY(%(ids)s)")}
        SELECT l.id, l.shown, l.shown_at, f.quantity, l.stock_error, l.stock_retry_at, l.asked IS NOT NULL,
               (l.item_id <> '' OR l.sku_id <> '') AND EXISTS (SELECT FROM {NEWER})
        FROM channels_sync_listing l LEFT JOIN figures f USING (id) WHERE l.id = ANY(%(ids)s)
        """,  # noqa: S608  (constant texts)
        {"terms": as_json(writing_terms()), "ids": list(listing_ids)},
    )
    return {row[0]: Offer(*row) for row in rows}


def left_on_sale(listing_ids: Sequence[int]) -> list[tuple[Listing, int]]:
    """Return those of the items that are not matched although the hub told the channel pieces of them, with how many:
    nobody tells it otherwise now. One query."""
    rows = Listing.objects.filter(pk__in=listing_ids).exclude(state=ListingState.MATCHED).exclude(item_id="", sku_id="")
    rows = current(rows).select_related("shop").defer("shop__sealed_credentials").order_by("pk")
    told = [(row, max(row.shown or 0, row.asked or 0)) for row in rows if writes_stock(row.shop)]
    return [(row, pieces) for row, pieces in told if pieces]


def differing() -> list[int]:
    """Return the listings that show something else than they should. Two queries."""
    rows = _rows(
        f"""
        WITH {FIGURES.format(narrow="true")}
        SELECT f.id FROM channels_sync_listing l JOIN figures f USING (id) WHERE {DIFFERS}
        """,  # noqa: S608  (constant texts)
        {"terms": as_json(writing_terms())},
    )
    return [row[0] for row in rows]


def shop_offers(shop_ids: Sequence[int]) -> dict[int, ShopOffers]:
    """Return how the stock of shops does, by shop id; shops that are not told their stock are left out.

    Three queries, whatever the number.
    """
    terms = writing_terms(shop_ids)
    counts = _rows(
        f"""
        WITH {FIGURES.format(narrow="true")}
        SELECT l.shop_id, count(*), count(*) FILTER (WHERE {DIFFERS}), count(*) FILTER (WHERE l.stock_error <> '')
        FROM channels_sync_listing l JOIN figures f USING (id) GROUP BY l.shop_id
        """,  # noqa: S608
        {"terms": as_json(terms)},
    )
    by_shop = {shop_id: (listings, differing, failing) for shop_id, listings, differing, failing in counts}
    effects = {
        effect.shop_id: effect
        for effect in Effect.objects.filter(
            shop_id__in=[one.shop_id for one in terms], kind=EffectKind.STOCK, key=EffectKind.STOCK.value
        )
    }
    return {one.shop_id: _shop(by_shop.get(one.shop_id, (0, 0, 0)), effects.get(one.shop_id)) for one in terms}


def _shop(counts: tuple[int, int, int], effect: Effect | None) -> ShopOffers:
    if effect is None:
        return ShopOffers(*counts, "", "", None, None)
    return ShopOffers(*counts, effect.state, effect.last_error, effect.due_at, effect.finished_at)


def _rows(statement: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _whole(given: Mapping[str, Any], name: str, default: int, most: int) -> int:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        return default
    return value
