"""Orders that the buyer changed after the warehouse had them: one open reason, until they left or one accepts it."""

from collections.abc import Mapping, Sequence

from django.db import connection
from django.db.backends.utils import CursorWrapper

from orderhub.services.bulk import records
from orderhub.services.paths import HANDED_TO_WAREHOUSE
from triage.gates import AFTER_PUSH

SEVERITY = 4
_NOTE = """
INSERT INTO triage_finding AS f
    (shop_id, order_id, code, rule_set_id, severity, lane, is_shadow, values, facts_key)
SELECT %s, order_id, %s, %s, %s, '', false, jsonb_build_object('changed', changed), 1
FROM json_to_recordset(%s::json) AS n (order_id bigint, changed jsonb) ORDER BY order_id
ON CONFLICT (order_id, code, shop_id) DO UPDATE SET
    rule_set_id = excluded.rule_set_id, facts_key = f.facts_key + 1,
    values = CASE WHEN f.cleared_at IS NULL AND f.accepted_at IS NULL THEN jsonb_build_object('changed', (
        SELECT jsonb_agg(DISTINCT name) FROM jsonb_array_elements(
            (f.values -> 'changed') || (excluded.values -> 'changed')) AS name)) ELSE excluded.values END,
    found_at = CASE WHEN f.cleared_at IS NULL AND f.accepted_at IS NULL THEN f.found_at ELSE now() END,
    cleared_at = NULL, accepted_at = NULL, accepted_by = '', accepted_reason = ''
"""
_CLEAR = """
UPDATE triage_finding f SET cleared_at = now() FROM orderhub_order o
WHERE o.id = f.order_id AND f.code = %s AND f.cleared_at IS NULL AND f.accepted_at IS NULL
    AND NOT coalesce(nullif(o.under_refund, ''), o.status) = ANY(%s)
"""


def note_after_push(
    cursor: CursorWrapper, *, shop_id: int, rule_set_id: int, changes: Mapping[int, Sequence[str]]
) -> None:
    """Note what changed (`changes`, by order) since the warehouse was told, in the transaction that takes it in. What
    is still open of an earlier change stays; the facts key counts the changes, so that nobody accepts one unseen."""
    if changes:
        rows = [{"order_id": order_id, "changed": list(names)} for order_id, names in changes.items()]
        cursor.execute(_NOTE, [shop_id, AFTER_PUSH, rule_set_id, SEVERITY, records(rows)])


def clear_after_push() -> int:
    """Close the reasons of orders that the warehouse has no more: they left, were cancelled or came back."""
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR, [AFTER_PUSH, [status.value for status in HANDED_TO_WAREHOUSE]])
        return int(cursor.rowcount)
