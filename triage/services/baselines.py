"""Price baselines: what articles have lately cost, and what campaigns promise."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from orderhub.core.errors import FieldError
from orderhub.core.money import MAX_FEN
from orderhub.models import Shop
from orderhub.services.bulk import records
from triage.models import CampaignPrice
from triage.predicates.base import Campaign
from triage.predicates.price import SPREAD, running_campaign
from triage.selectors.prices import BUNDLES

WINDOW = timedelta(hours=24)
_REFRESH = """
    WITH latest AS MATERIALIZED (
        SELECT shop_id, least(max(created_at), %(now)s) AS at
        FROM orderhub_order WHERE received_at > %(now)s - make_interval(secs => %(window)s) GROUP BY shop_id),
    bought AS MATERIALIZED (
        SELECT o.id, o.shop_id, o.created_at,
            nullif(jsonb_path_query_array(o.extra, %(bundles)s), '[]') AS bundles
        FROM latest
        JOIN orderhub_order o ON o.shop_id = latest.shop_id
            AND o.created_at > latest.at - make_interval(secs => %(window)s)
            AND o.created_at <= %(now)s AND o.received_at > %(now)s - make_interval(secs => %(window)s)
        WHERE o.lane <> 'abnormal'
          AND o.status NOT IN ('unpaid', 'presale_deposit', 'cancelled', 'refunded', 'refunding')),
    sold AS (
        SELECT b.shop_id, b.created_at, l.sku, l.unit_price_fen AS price
        FROM bought b JOIN orderhub_orderline l ON l.order_id = b.id
        WHERE b.bundles IS NULL OR NOT EXISTS (
            SELECT FROM jsonb_array_elements(b.bundles) n WHERE n -> 'as' ? l.line_no)
        UNION ALL
        SELECT b.shop_id, b.created_at, n ->> 'article', (n ->> 'unit_price_fen')::bigint
        FROM bought b CROSS JOIN LATERAL jsonb_array_elements(b.bundles) n),
    sales AS MATERIALIZED (
        SELECT s.shop_id, s.sku, s.price, r.campaign_id
        FROM sold s
        LEFT JOIN json_to_recordset(%(regimes)s::json)
            AS r (shop_id bigint, sku text, campaign_id bigint, since timestamptz)
            ON r.shop_id = s.shop_id AND r.sku = s.sku
        WHERE s.created_at >= coalesce(r.since, '-infinity') AND s.price > 0 AND s.sku <> ''),
    medians AS (
        SELECT shop_id, sku, percentile_disc(0.5) WITHIN GROUP (ORDER BY price) AS median
        FROM sales GROUP BY shop_id, sku)
    INSERT INTO triage_skubaseline (shop_id, sku, sample, mean_fen, median_fen, campaign_id, updated_at)
    SELECT s.shop_id, s.sku, count(*), round(avg(s.price)), min(m.median), min(s.campaign_id), %(now)s
    FROM sales s JOIN medians m USING (shop_id, sku)
    WHERE s.price BETWEEN m.median * (1 - %(spread)s) AND m.median * (1 + %(spread)s)
    GROUP BY s.shop_id, s.sku ORDER BY s.shop_id, s.sku
    ON CONFLICT (shop_id, sku) DO UPDATE SET sample = excluded.sample, mean_fen = excluded.mean_fen,
        median_fen = excluded.median_fen, campaign_id = excluded.campaign_id, updated_at = excluded.updated_at
"""


@transaction.atomic
def refresh_baselines() -> int:
    """Work the mean unit price of every shop and SKU out anew and return how many there are.

    Counted are lines of the shop's last 24 hours whose order was not found abnormal and was really bought, since the
    running campaign began or the last one ended; the day ends with the newest order, so that a file of older orders
    has its baselines too. Free lines are gifts and do not count. A bundle counts whole, under its own name; the prices
    that its parts were given say nothing about them.
    """
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            _REFRESH,
            {
                "regimes": records(_regimes(now)),
                "window": WINDOW.total_seconds(),
                "now": now,
                "spread": SPREAD,
                "bundles": BUNDLES,
            },
        )
        count: int = cursor.rowcount
        cursor.execute("DELETE FROM triage_skubaseline WHERE updated_at < %s", [now])
    return count


def _regimes(now: datetime) -> list[dict[str, Any]]:
    """Return since when each shop and SKU has its present price: the running campaign, or the end of the last."""
    by_sku: dict[str, list[Campaign]] = {}
    for row in CampaignPrice.objects.filter(starts_at__lte=now, ends_at__gt=now - WINDOW):
        campaign = Campaign(row.pk, row.shop_id, row.price_fen, row.starts_at, row.ends_at, row.max_quantity)
        by_sku.setdefault(row.sku, []).append(campaign)
    found = []
    for shop_id in Shop.objects.values_list("id", flat=True) if by_sku else ():
        for sku, campaigns in by_sku.items():
            mine = [campaign for campaign in campaigns if campaign.shop_id in {None, shop_id}]
            if not mine:
                continue
            running = running_campaign(mine, shop_id, now)
            since = running.starts_at if running else max(campaign.ends_at for campaign in mine)
            found.append(
                {"shop_id": shop_id, "sku": sku, "campaign_id": running.id if running else None, "since": since}
            )
    return found


@transaction.atomic
def set_campaign_prices(*, rows: Sequence[Mapping[str, Any]], actor: str) -> int:
    """Enter campaign prices and return how many rows were written.

    A row has sku, price_fen, starts_at, ends_at and may have shop (its code; none means every shop) and max_quantity.
    The same SKU, shop and start is replaced. Raises FieldError with the row and field of the first bad value; then
    nothing is written. `actor` is who answers for the prices.
    """
    shops = dict(Shop.objects.values_list("code", "id"))
    prices = [_campaign(row, i, shops) for i, row in enumerate(rows)]
    for price in prices:
        price.set_by = actor[:150]
    unique = {(price.sku, price.shop_id, price.starts_at): price for price in prices}
    CampaignPrice.objects.bulk_create(
        sorted(unique.values(), key=lambda price: (price.sku, price.shop_id or 0, price.starts_at)),
        update_conflicts=True,
        unique_fields=["sku", "shop", "starts_at"],
        update_fields=["price_fen", "ends_at", "max_quantity", "set_by"],
    )
    return len(unique)


def _campaign(row: Mapping[str, Any], place: int, shops: Mapping[str, int]) -> CampaignPrice:
    def bad(name: str, reason: str) -> FieldError:
        return FieldError(f"rows[{place}].{name}", reason)

    sku = row.get("sku")
    if not isinstance(sku, str) or not sku.strip():
        raise bad("sku", _("required"))
    price = row.get("price_fen")
    if isinstance(price, bool) or not isinstance(price, int) or not 0 < price <= MAX_FEN:
        raise bad("price_fen", _("must be a whole number of fen above 0"))
    starts_at, ends_at = row.get("starts_at"), row.get("ends_at")
    for name, moment in (("starts_at", starts_at), ("ends_at", ends_at)):
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise bad(name, _("must be a time with an offset"))
    assert isinstance(starts_at, datetime)
    assert isinstance(ends_at, datetime)
    if ends_at <= starts_at:
        raise bad("ends_at", _("must be later than the start"))
    shop = row.get("shop")
    if shop and shop not in shops:
        raise bad("shop", _("no such shop"))
    most = row.get("max_quantity")
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise bad("max_quantity", _("must be a whole number above 0"))
    return CampaignPrice(
        sku=sku.strip(), shop_id=shops[shop] if shop else None, price_fen=price, starts_at=starts_at, ends_at=ends_at,
        max_quantity=most,
    )  # fmt: skip
