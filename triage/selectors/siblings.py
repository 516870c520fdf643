"""Orders that look different once their siblings are known: the first ones from an address before the fifth came, one
of a pair that was judged before the other was there."""

from django.db import connection

from orderhub.core.told import IGNORED, TOLD
from triage.predicates import duplicate
from triage.predicates.base import Need
from triage.predicates.ip import BUYERS, ORDERS, WINDOW
from triage.selectors.rules import current_rules

CODE, REPEAT = "ip_cluster", "duplicate_order"
"""The starter rules that count orders of one address, and that look for the same purchase."""
PUT_ASIDE = f"$.{TOLD}[*] ? (@.line_no == $number && @.{IGNORED} == true)"
"""Path, in `Order.extra`, to the note of the line `number` where somebody put it aside."""
STILL_HERE = ("ready", "short", "in_triage_hold")
"""Statuses in which a hold still helps; what the warehouse has is beyond it."""


def unmarked_siblings(*, minutes: int = 15, limit: int = 500) -> list[int]:
    """Return orders within an hour of a recently found cluster order of their address that lack the finding.

    They were judged before the cluster was complete, or beside it: a batch that began half a minute earlier may still
    have been at work. Two index look-ups for each recent finding.
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
                AND o.status = ANY(%s) AND o.triaged_at < f.found_at + interval '30 seconds'
                AND NOT EXISTS (
                    SELECT FROM triage_finding other
                    WHERE other.shop_id = o.shop_id AND other.order_id = o.id AND other.code = f.code)
            LIMIT %s
            """,
            [WINDOW.total_seconds(), WINDOW.total_seconds(), CODE, minutes, list(STILL_HERE), limit],
        )
        return [order_id for (order_id,) in cursor.fetchall()]


def unseen_clusters(*, minutes: int = 15, limit: int = 500) -> list[int]:
    """Return orders that came lately from one address, as many as a cluster has, in batches at once: neither saw what
    the other held, so that none of them has the finding.

    Whom an order saw for sure are those of its own batch and those that came half a minute before it was judged; when
    they were judged last says nothing, as that moves with each look here. Addresses of very many are left out: there
    somebody saw the others.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH recent AS MATERIALIZED (
                SELECT id, shop_id, status, ip_index, buyer_id, created_at, received_at, triaged_at FROM orderhub_order
                WHERE received_at > now() - make_interval(mins => %(minutes)s) AND ip_index IS NOT NULL
                    AND triaged_at IS NOT NULL),
            many AS (
                SELECT ip_index FROM recent GROUP BY ip_index
                HAVING count(*) BETWEEN %(orders)s AND %(most)s AND count(DISTINCT buyer_id) >= %(buyers)s
                    AND count(DISTINCT triaged_at) > 1)
            SELECT o.id FROM recent o JOIN many USING (ip_index) JOIN recent s ON s.ip_index = o.ip_index
                AND s.created_at > o.created_at - make_interval(secs => %(window)s)
                AND s.created_at < o.created_at + make_interval(secs => %(window)s)
            WHERE o.status = ANY(%(here)s) AND NOT EXISTS (
                SELECT FROM triage_finding f WHERE f.shop_id = o.shop_id AND f.order_id = o.id AND f.code = %(code)s)
            GROUP BY o.id
            HAVING count(*) >= %(orders)s AND count(DISTINCT s.buyer_id) >= %(buyers)s AND count(*) FILTER (
                WHERE s.triaged_at = o.triaged_at OR s.received_at < o.triaged_at - interval '30 seconds') < %(orders)s
            LIMIT %(limit)s
            """,
            {
                "minutes": minutes, "orders": ORDERS, "most": 40 * ORDERS, "buyers": BUYERS, "here": list(STILL_HERE),
                "window": WINDOW.total_seconds(), "code": CODE, "limit": limit,
            },
        )  # fmt: skip
        found = [order_id for (order_id,) in cursor.fetchall()]
    return _where_asked(found, Need.IP_ORDERS)


def unmarked_repeats(*, minutes: int = 15, limit: int = 500) -> list[int]:
    """Return orders that repeat a purchase which was not there yet, or not yet paid, when they were judged.

    Two batches at once do not see each other, and what was paid first may come in second. Looked at are the orders
    that came or changed lately and those of the same buyers. A batch that began half a minute earlier may still have
    been at work when the order was judged.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH recent AS (
                SELECT buyer_id, created_at FROM orderhub_order WHERE buyer_id IS NOT NULL
                    AND (received_at > now() - make_interval(mins => %(minutes)s)
                        OR modified_at > now() - make_interval(mins => %(minutes)s)))
            SELECT DISTINCT o.id FROM recent r
            JOIN orderhub_order o ON o.buyer_id = r.buyer_id
                AND o.created_at > r.created_at - make_interval(secs => %(window)s)
                AND o.created_at < r.created_at + make_interval(secs => %(window)s)
            JOIN orderhub_order s ON s.buyer_id = o.buyer_id AND s.id <> o.id
                AND s.created_at > o.created_at - make_interval(secs => %(window)s)
                AND s.created_at < o.created_at + make_interval(secs => %(window)s)
            WHERE o.status = ANY(%(here)s) AND s.status <> ALL(%(not_bought)s)
                AND o.triaged_at < coalesce(s.triaged_at, s.received_at) + interval '30 seconds'
                AND (coalesce(s.paid_at, s.created_at), s.id) < (coalesce(o.paid_at, o.created_at), o.id)
                AND EXISTS (
                    SELECT FROM orderhub_orderline mine
                    JOIN orderhub_orderline theirs ON theirs.order_id = s.id AND theirs.sku = mine.sku
                        AND theirs.quantity = mine.quantity AND theirs.unit_price_fen > 0
                    WHERE mine.order_id = o.id AND mine.unit_price_fen > 0 AND mine.sku <> ''
                        AND jsonb_path_exists(o.extra, %(aside)s, jsonb_build_object('number', mine.line_no))
                            IS NOT TRUE
                        AND jsonb_path_exists(s.extra, %(aside)s, jsonb_build_object('number', theirs.line_no))
                            IS NOT TRUE)
                AND NOT EXISTS (
                    SELECT FROM triage_finding f
                    WHERE f.shop_id = o.shop_id AND f.order_id = o.id AND f.code = %(code)s AND f.cleared_at IS NULL)
            LIMIT %(limit)s
            """,
            {
                "minutes": minutes, "window": duplicate.WINDOW.total_seconds(), "here": list(STILL_HERE),
                "not_bought": sorted(duplicate.NOT_BOUGHT), "code": REPEAT, "limit": limit,
                "aside": PUT_ASIDE,
            },
        )  # fmt: skip
        found = [order_id for (order_id,) in cursor.fetchall()]
    return _where_asked(found, Need.BOUGHT)


def _where_asked(found: list[int], need: Need) -> list[int]:
    """Return the orders if a rule asks for it, else nobody has to be judged again; on a hub that has no rules yet,
    there is nobody."""
    return found if found and need in current_rules().needs else []
