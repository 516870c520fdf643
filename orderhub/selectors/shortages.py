"""Orders that lack pieces, and which of them the free pieces of now can help."""

from django.db import connection

from orderhub.core.status_graph import IN_WAREHOUSE
from orderhub.core.words import Status
from orderhub.selectors.pools import HOUSES, POOL

SENT = sorted(status.value for status in IN_WAREHOUSE)
LACKING = [Status.SHORT.value, Status.WMS_FAILED.value, *SENT]
"""Orders that hold stock without being judged. One on its way to the warehouse lacks pieces when its refund was agreed,
which gave them back, and then withdrawn; a held one is served when it is released."""


def orders_to_restock(*, limit: int = 1000) -> list[int]:
    """Return orders that lack pieces and get them when they are judged again, the one that would be late first.

    Every article that an order lacks must be there: a warehouse that serves its shop (`POOL`) has more of it than the
    line holds already; of an order that a warehouse has, only the one that the line is served from counts. At each
    article the orders of the same warehouses stand in one queue, and only those are named whose pieces are there once
    the ones before them are served; the first takes what there is. So an order that no judgement helps is not named
    minute after minute, in the place of those that could be served. Where two shops share only some of their
    warehouses, two orders may be named for one piece: the second is judged for nothing, once.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {HOUSES},
            gap AS (
                SELECT w.id, w.ship_by, w.sku, pool.houses, pool.free, sum(w.short) AS pieces, bool_and(EXISTS (
                    SELECT FROM orderhub_stocklevel s
                    WHERE s.sku = w.sku AND s.on_hand > s.reserved AND CASE
                        WHEN w.status = ANY(%s) AND w.warehouse <> '' THEN s.warehouse = w.warehouse
                        ELSE s.warehouse = ANY(pool.houses)
                            AND (s.warehouse = w.warehouse OR s.on_hand - s.reserved > w.reserved) END)) AS is_there
                FROM (SELECT o.id, o.status, o.ship_by, o.shop_id, l.sku, l.warehouse, l.short, l.reserved
                      FROM orderhub_order o JOIN orderhub_orderline l ON l.shop_id = o.shop_id AND l.order_id = o.id
                      WHERE o.status = ANY(%s) AND l.short > 0) w {POOL}
                GROUP BY w.id, w.ship_by, w.sku, pool.houses, pool.free),
            queue AS (
                SELECT *, sum(pieces) OVER (PARTITION BY sku, houses ORDER BY ship_by, id) AS up_to_here
                FROM (SELECT *, bool_and(is_there) OVER (PARTITION BY id) AS has_all FROM gap) g WHERE has_all)
            SELECT id FROM queue GROUP BY id, ship_by
            HAVING bool_and(up_to_here <= free OR up_to_here = pieces) ORDER BY ship_by, id LIMIT %s
            """,  # noqa: S608  (constant texts)
            [SENT, LACKING, limit],
        )
        return [order_id for (order_id,) in cursor.fetchall()]
