"""Orders whose price was held against the list price before the shop's own mean was known."""

from django.db import connection

from triage.predicates.price import MIN_SAMPLE
from triage.selectors.prices import WINDOW

CODE = "price_off"
"""The starter rule on unit prices."""


def outdated_price_findings(*, hours: int = 24, limit: int = 2000) -> list[int]:
    """Return held orders to judge again: their price looked odd beside the list price, and a mean is known since.

    The list price is only the stand-in for the mean; judged again, each order is held against the mean and does not
    come back here. An order placed more than a day ago is left out, as no stored mean says anything about it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT f.order_id FROM triage_finding f
            JOIN orderhub_order o ON o.id = f.order_id AND o.status = 'in_triage_hold'
            JOIN triage_skubaseline b ON b.shop_id = f.shop_id AND b.sku = f.values ->> 'price.sku'
            WHERE f.code = %s AND f.found_at > now() - make_interval(hours => %s)
              AND f.cleared_at IS NULL AND f.accepted_at IS NULL AND f.values ->> 'price.source' = 'list'
              AND b.sample >= %s AND b.campaign_id IS NULL AND b.updated_at > o.triaged_at
              AND o.created_at > now() - make_interval(secs => %s)
            ORDER BY f.found_at LIMIT %s
            """,
            [CODE, hours, MIN_SAMPLE, WINDOW.total_seconds(), limit],
        )
        return [order_id for (order_id,) in cursor.fetchall()]
