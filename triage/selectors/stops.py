"""Shipping stops: those that run, whose courier is meant, and the orders that one held until it ended."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from orderhub.core import divisions
from orderhub.models import Shop
from triage.matchers import region_code
from triage.models import ShippingStop
from triage.predicates.base import Stop
from triage.predicates.order import SHANGHAI

CODE = "shipping_stopped"
"""The starter rule on shipping stops."""


def running_stops(now: datetime) -> list[Stop]:
    """Return the stops that run at that moment, the one that ends last first: one query, a handful of rows."""
    rows = ShippingStop.objects.filter(is_active=True, starts_at__lte=now, ends_at__gt=now).order_by("-ends_at", "pk")
    known = ((row, region_code(row.region)) for row in rows)
    return [
        Stop(row.pk, row.region, _place(row.region, code), code, row.courier, row.ends_at, row.reason)
        for row, code in known
        if code
    ]


def _place(region: str, code: str) -> str:
    """Return a region as people call it: a whole division code has a name."""
    place = divisions.load().by_code(code) if region.strip().isdigit() else None
    return "".join(dict.fromkeys((place.province, place.city, place.district))) if place else region


def couriers_of(shop_ids: Iterable[int]) -> dict[int, str]:
    """Return the courier that each shop's warehouse ships with, where one is set."""
    rows = Shop.objects.filter(pk__in=set(shop_ids)).values_list("pk", "warehouse__settings__carrier")
    return {shop_id: courier for shop_id, courier in rows if isinstance(courier, str) and courier.strip()}


def orders_past_their_stop(*, limit: int = 2000) -> list[int]:
    """Return held orders whose stop has ended, was switched off, changed or deleted, or whose shop ships with another
    courier by now; judged again, they do not come back."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT f.order_id FROM triage_finding f
            JOIN orderhub_order o ON o.id = f.order_id AND o.status = 'in_triage_hold'
            JOIN orderhub_shop shop ON shop.id = f.shop_id
            LEFT JOIN orderhub_warehouse w ON w.id = shop.warehouse_id
            WHERE f.code = %(code)s AND f.cleared_at IS NULL AND f.accepted_at IS NULL
                AND jsonb_exists(f.values, 'region.stop_id') AND NOT EXISTS (
                SELECT FROM triage_shippingstop s WHERE s.id = (f.values ->> 'region.stop_id')::bigint
                    AND s.is_active AND s.starts_at <= now() AND s.ends_at > now()
                    AND s.region = f.values ->> 'region.stop_region' AND s.courier = f.values ->> 'region.stop_courier'
                    AND s.reason = f.values ->> 'region.stop_reason'
                    AND to_char(s.ends_at AT TIME ZONE %(zone)s, 'YYYY-MM-DD HH24:MI')
                        = f.values ->> 'region.stop_until'
                    AND (s.courier = ''
                        OR coalesce(w.settings ->> 'carrier', '') = f.values ->> 'region.stop_ships_with'))
            ORDER BY f.found_at LIMIT %(limit)s
            """,
            {"code": CODE, "zone": str(SHANGHAI), "limit": limit},
        )
        return [order_id for (order_id,) in cursor.fetchall()]
