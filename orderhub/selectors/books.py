"""Do the pool's books agree? What is counted in one place is compared with the rows it stands for."""

from dataclasses import dataclass

from django.db import connection


@dataclass(slots=True, frozen=True)
class Difference:
    """Two figures that should be equal."""

    what: str
    key: str
    booked: int
    found: int


def differences(limit: int = 100) -> list[Difference]:
    """Return where the books disagree: reserved stock against the order lines, orders on their way to the
    warehouse against their push.

    Reads every open line; meant for operators and tests, not for a page.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT 'reserved stock', coalesce(s.sku, l.sku) || ' @ ' || coalesce(s.warehouse, l.warehouse),
                   coalesce(s.reserved, 0), coalesce(l.reserved, 0)
            FROM orderhub_stocklevel s
            FULL JOIN (SELECT sku, warehouse, sum(reserved)::int AS reserved FROM orderhub_orderline
                       WHERE reserved > 0 GROUP BY sku, warehouse) l USING (sku, warehouse)
            WHERE coalesce(s.reserved, 0) <> coalesce(l.reserved, 0)
            UNION ALL
            SELECT 'warehouse push of a ready order', o.external_no, 1, 0 FROM orderhub_order o
            WHERE o.status = 'ready' AND NOT EXISTS (
                SELECT FROM orderhub_effect e WHERE e.order_id = o.id AND e.kind = 'wms_push'
                    AND e.state IN ('pending', 'sending', 'dead'))
            UNION ALL
            SELECT CASE o.status WHEN 'wms_queued' THEN 'warehouse push of a queued order'
                       ELSE 'warehouse push of a failed order' END,
                   o.external_no, 1, 0 FROM orderhub_order o
            WHERE o.status IN ('wms_queued', 'wms_failed') AND o.channel_hold = '' AND NOT EXISTS (
                SELECT FROM orderhub_effect e WHERE e.order_id = o.id AND e.kind = 'wms_push'
                    AND e.state IN ('pending', 'sending', 'done', 'dead'))
            LIMIT %s
            """,
            [limit],
        )
        return [Difference(*row) for row in cursor.fetchall()]
