"""Query plans in tests: what the server would choose for tables too large to be read whole."""

from django.db import connection

_TABLES = (
    "orderhub_order, orderhub_parcel, orderhub_buyer, orderhub_receiver, orderhub_inboxitem, orderhub_warehousereport"
)


def plan_of(query, params=None):
    """Return the plan of a query on tables of which nothing is known.

    Autovacuum may have found them empty after some other test: then every index costs the same, and any is taken.
    Only emptying them forgets that.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"TRUNCATE {_TABLES} CASCADE")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}", params)
        return "\n".join(row[0] for row in cursor.fetchall())
