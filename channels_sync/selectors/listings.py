"""Reading what channels sell, and of which own SKUs it is made."""

from collections.abc import Iterable, Sequence

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from channels_sync.models import Listing, ListingState
from orderhub.core.told import TOLD
from orderhub.core.words import Status
from orderhub.models import Shop, Sku

BEFORE_WAREHOUSE = (
    Status.UNPAID, Status.PRESALE_DEPOSIT, Status.PAID, Status.IN_TRIAGE_HOLD, Status.READY, Status.SHORT,
)  # fmt: skip
_BEFORE = ", ".join(f"'{status}'" for status in BEFORE_WAREHOUSE)
OPEN_ORDER = f"(o.status IN ({_BEFORE}) OR (o.status = '{Status.REFUNDING}' AND o.under_refund IN ({_BEFORE})))"
"""Orders (as `o`) that have not gone to the warehouse: a changed mapping still reaches them."""


def is_open(place: str) -> bool:
    """Tell what `OPEN_ORDER` tells of one order, by where it is with or without an open refund."""
    return place in BEFORE_WAREHOUSE


NEWER = """
    channels_sync_listing n WHERE n.shop_id = l.shop_id AND n.item_id = l.item_id AND n.sku_id = l.sku_id
        AND (n.last_seen_at, n.id) > (l.last_seen_at, l.id)
"""
"""The same channel item as that of `l`, which has ids, under merchant codes (`n`) that were seen later: the channel has
one stock for it, that of the code seen last."""


def current(rows: QuerySet[Listing]) -> QuerySet[Listing]:
    """Leave out what `NEWER` has a newer code for."""
    same = Listing.objects.filter(
        shop_id=OuterRef("shop_id"), item_id=OuterRef("item_id"), sku_id=OuterRef("sku_id")
    ).exclude(item_id="", sku_id="")  # fmt: skip
    later = Q(last_seen_at__gt=OuterRef("last_seen_at")) | Q(
        last_seen_at=OuterRef("last_seen_at"), pk__gt=OuterRef("pk")
    )
    return rows.exclude(Exists(same.filter(later)))


def sellable(shop: Shop) -> QuerySet[Listing]:
    """Return the matched items of a shop that the channel knows by an id of its own, each under the code seen last,
    with their parts. Two queries."""
    rows = Listing.objects.filter(shop=shop, state=ListingState.MATCHED).exclude(item_id="", sku_id="")
    return current(rows).prefetch_related("parts").order_by("id")


def open_orders(listing_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return the ids, by shop, of orders before the warehouse that hold one of these items. One query.

    An order is found by what was kept of its channel lines, or by a line with the code of a listing without ids.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_ORDERS, [list(listing_ids)])
        found: dict[int, list[int]] = {}
        for shop_id, order_id in cursor.fetchall():
            found.setdefault(shop_id, []).append(order_id)
    return found


_OPEN_ORDERS = f"""
    WITH wanted AS MATERIALIZED (
        SELECT shop_id, item_id, sku_id, outer_id FROM channels_sync_listing WHERE id = ANY(%s))
    SELECT o.shop_id, o.id FROM orderhub_order o
    WHERE o.shop_id IN (SELECT shop_id FROM wanted) AND {OPEN_ORDER}
      AND (EXISTS (
            SELECT FROM jsonb_path_query(o.extra, '$.{TOLD}[*]') n JOIN wanted w ON w.shop_id = o.shop_id
                AND w.item_id = coalesce(n ->> 'item_id', '') AND w.sku_id = coalesce(n ->> 'sku_id', '')
            WHERE w.item_id || w.sku_id <> '' OR w.outer_id = n ->> 'sku')
        OR EXISTS (
            SELECT FROM orderhub_orderline l JOIN wanted w ON w.shop_id = l.shop_id AND w.item_id = ''
                AND w.sku_id = '' AND w.outer_id = l.sku
            WHERE l.order_id = o.id))
    ORDER BY o.shop_id, o.id
"""  # noqa: S608  (constant texts)


def unknown_skus(codes: Iterable[str]) -> list[str]:
    """Return the codes that are no own SKU, in order. One query."""
    wanted = list(dict.fromkeys(codes))
    known = set(Sku.objects.filter(code__in=wanted).values_list("code", flat=True))
    return [code for code in wanted if code not in known]
