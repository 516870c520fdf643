"""Orders that look different once their siblings are known: the first ones from an address before the fifth came."""

from django.db import connection

from triage.predicates.ip import WINDOW

CODE = "ip_cluster"
"""The starter rule that counts orders of one address."""
STILL_HERE = ("ready", "short", "in_triage_hold")
"""Statuses in which a hold still helps; what the warehouse has is beyond it."""


def unmarked_siblings(*, minutes: int = 15, limit: int = 500) -> list[int]:
    """Return orders within an hour of a recently found cluster order of their address that lack the finding.

    They were judged before the cluster was complete. Two index look-ups for each recent finding.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT o.id FROM triage_finding f
            JOIN orderhub_order s ON s.id = f.order_id
            JOIN orderhub_order o ON o.ip_index = s.ip_index
                AND o.created_at > s.created_at - make_interval(secs => %s)
                AND o.created_at < s.created_at + make_interval(secs => %s)
            WHERE f.code = %s AND f.found_at > now() - make_interval(mins => %s) AND f.cleared_at IS NULL
                AND o.status = ANY(%s) AND o.triaged_at < f.found_at
                AND NOT EXISTS (
                    SELECT FROM triage_finding other
                    WHERE other.shop_id = o.shop_id AND other.order_id = o.id AND other.code = f.code)
            LIMIT %s
            """,
            [WINDOW.total_seconds(), WINDOW.total_seconds(), CODE, minutes, list(STILL_HERE), limit],
        )
        return [order_id for (order_id,) in cursor.fetchall()]
