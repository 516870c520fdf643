"""Findings on disk: new ones by COPY, a second judgement supersedes the first, people accept."""

from collections.abc import Collection, Sequence

import orjson
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from django.utils.translation import gettext as _

from orderhub.core.errors import HubError
from orderhub.core.words import Source
from orderhub.models import Order
from orderhub.services import timeline
from orderhub.services.bulk import Table, records
from triage.decisions import GATE_KEY, Candidate, Decision
from triage.gates import AFTER_PUSH
from triage.models import Finding
from triage.selectors.findings import code_of, marks_of

COLUMNS = ("shop_id", "order_id", "code", "rule_set_id", "severity", "lane", "is_shadow", "values", "facts_key")

_CLEAR = """
UPDATE triage_finding f SET cleared_at = now()
WHERE f.cleared_at IS NULL AND f.accepted_at IS NULL
  AND (f.order_id = ANY(%s) OR (f.order_id = ANY(%s) AND f.facts_key = %s)) AND f.code <> %s
  AND NOT EXISTS (
    SELECT FROM json_to_recordset(%s::json) AS n (order_id bigint, code text)
    WHERE n.order_id = f.order_id AND n.code = f.code)
"""
_REPLACE = """
INSERT INTO triage_finding AS f
    (shop_id, order_id, code, rule_set_id, severity, lane, is_shadow, values, facts_key)
SELECT shop_id, order_id, code, rule_set_id, severity, lane, is_shadow, values::jsonb, facts_key
FROM json_to_recordset(%s::json) AS n (shop_id bigint, order_id bigint, code text, rule_set_id bigint,
    severity smallint, lane text, is_shadow boolean, values text, facts_key bigint)
ORDER BY order_id, code
ON CONFLICT (order_id, code, shop_id) DO UPDATE SET
    rule_set_id = excluded.rule_set_id, severity = excluded.severity, lane = excluded.lane,
    is_shadow = excluded.is_shadow, values = excluded.values, facts_key = excluded.facts_key,
    found_at = CASE WHEN f.cleared_at IS NULL AND f.accepted_at IS NULL AND f.facts_key = excluded.facts_key
        THEN f.found_at ELSE now() END,
    cleared_at = NULL, accepted_at = NULL, accepted_by = '', accepted_reason = ''
WHERE (f.rule_set_id, f.severity, f.lane, f.is_shadow, f.values, f.facts_key)
    IS DISTINCT FROM (excluded.rule_set_id, excluded.severity, excluded.lane, excluded.is_shadow,
        excluded.values, excluded.facts_key)
    OR f.cleared_at IS NOT NULL OR f.accepted_at IS NOT NULL
"""


def new_findings(candidates: Sequence[Candidate], decisions: Sequence[Decision]) -> Table:
    """Return what `decide` found on orders new to the pool as rows to be copied."""
    pairs = zip(candidates, decisions, strict=True)
    rows = (row for candidate, decision in pairs if not candidate.is_known for row in _rows(candidate, decision))
    return Table("triage_finding", COLUMNS, rows)


def replace_findings(cursor: CursorWrapper, candidates: Sequence[Candidate], decisions: Sequence[Decision]) -> None:
    """Write what `decide` found on known orders, in the transaction that takes the batch in.

    The findings replace those of the last judgement: a reason that is gone gets its `cleared_at`, one that fires on
    changed facts is open again, an accepted one stays as it is. An order that was not judged this time (already
    shipped, cancelled) keeps its reasons; only a system gate is lifted. What changed after the push is no judgement
    and stays.
    """
    rows: list[tuple[object, ...]] = []
    judged: list[int] = []
    passed: list[int] = []
    for candidate, decision in zip(candidates, decisions, strict=True):
        if candidate.is_known:
            (judged if decision.lane or decision.findings else passed).append(candidate.order_id)
            rows += _rows(candidate, decision)
    if judged or passed:
        document = records([dict(zip(COLUMNS, row, strict=True)) for row in rows])
        cursor.execute(_CLEAR, [judged, passed, GATE_KEY, AFTER_PUSH, document])
        if rows:
            cursor.execute(_REPLACE, [document])


def _rows(candidate: Candidate, decision: Decision) -> list[tuple[object, ...]]:
    return [
        (candidate.shop_id, candidate.order_id, found.code, decision.rule_set_id, found.severity, found.lane,
         found.is_shadow, orjson.dumps(found.values).decode(), found.facts_key)
        for found in decision.findings
    ]  # fmt: skip


@transaction.atomic
def accept_findings(*, order_id: int, actor: str, reason: str, seen: Collection[str]) -> list[str]:
    """Accept the open findings of one order that the person has seen (`seen`, their marks) and return their codes.

    They do not fire again on the same facts and no longer count for the lane; the caller judges the order again.
    Others stay open. Raises HubError where one that was seen has changed since, ValidationError without a reason.
    Nothing open is nothing done.
    """
    if not reason.strip():
        raise ValidationError(_("Say why these reasons are accepted."))
    order = Order.objects.select_for_update(of=("self",)).only("id", "shop_id").get(pk=order_id)
    found, shown = set(marks_of([order_id]).get(order_id, ())), set(seen)
    if {code_of(mark) for mark in found - shown} & {code_of(mark) for mark in shown}:
        raise HubError(_("A reason has changed since it was shown. Look at the order again."))
    codes = sorted(code_of(mark) for mark in found & shown)
    if not codes:
        return []
    now = timezone.now()
    Finding.objects.filter(order_id=order_id, code__in=codes).update(
        accepted_at=now, accepted_by=actor[:150], accepted_reason=reason.strip()[:300]
    )
    entry = timeline.Entry(
        shop_id=order.shop_id,
        order_id=order_id,
        at=now,
        kind="findings_accepted",
        source=Source.PERSON,
        actor=actor,
        data={"codes": codes, "reason": reason.strip()[:300]},
    )
    with connection.cursor() as cursor:
        timeline.record(cursor, [entry])
    return codes
