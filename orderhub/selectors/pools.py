"""Where the pieces of a shop come from, for SQL that reckons with many shops at once.

The same rule as `Shelf.serve` and `Shop.stock_warehouses` have: figures that count other warehouses would promise
pieces that allocation never takes, or sell those that it will take.
"""

_NAMED = """jsonb_typeof(s.named) = 'array' AND s.named <> '[]'
            AND NOT jsonb_path_exists(s.named, 'strict $[*] ? (@.type() <> "string")')"""

HOUSES = f"""
    houses AS MATERIALIZED (
        SELECT o.id AS shop_id, CASE WHEN {_NAMED} THEN ARRAY(SELECT jsonb_array_elements_text(s.named))
                                     ELSE array_remove(ARRAY[h.code::text], NULL) END AS codes
        FROM orderhub_shop o LEFT JOIN orderhub_warehouse h ON h.id = o.warehouse_id
        CROSS JOIN LATERAL (SELECT o.settings -> 'stock_warehouses') AS s(named))
"""  # noqa: S608  (constant texts)
"""The common table expression that POOL reads."""

POOL = """
    JOIN houses h ON h.shop_id = w.shop_id CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(s.code ORDER BY s.code) FILTER (WHERE s.code = ANY(h.codes)),
                        array_agg(s.code ORDER BY s.code)) AS houses,
               coalesce(sum(s.free) FILTER (WHERE s.code = ANY(h.codes)), sum(s.free))::bigint AS free
        FROM (SELECT warehouse::text AS code, greatest(on_hand - reserved, 0) AS free
              FROM orderhub_stocklevel WHERE sku = w.sku) s) pool
"""
"""Joins to rows `w` (shop_id, sku) their `pool`: `houses`, the warehouses that serve the SKU to the shop, sorted by
code, and `free`, what they have together; both NULL where no warehouse counts it.

Looked up in the index row by row: were it a table of its own, a planner that expects few rows would go through all of
it for each of thousands.
"""
