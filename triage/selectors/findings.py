"""Findings as people read them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from orderhub.core.words import LANE_RANK
from triage.decisions import GATE_KEY, RED
from triage.gates import AFTER_PUSH, GATES, gate_texts
from triage.models import Finding
from triage.phrases import fill, shown_values
from triage.selectors.rules import RuleTexts, VersionTexts, version_texts

OPEN, ACCEPTED, CLEARED = "open", "accepted", "cleared"
# A gate is lifted by its cause, never by a person; and what is urgent stays so, whoever lets the order go.
_HOLDS = Q(code=AFTER_PUSH) | (~Q(lane="") & ~Q(facts_key=GATE_KEY) & Q(is_shadow=False))


@dataclass(slots=True, frozen=True)
class ShownFinding:
    """One finding in words of the active language."""

    code: str
    mark: str
    title: str
    reason: str
    clears: str
    lane: str
    is_urgent: bool
    is_shadow: bool
    values: tuple[tuple[str, str], ...]
    version: int | None
    found_at: datetime
    state: str
    accepted_by: str
    accepted_reason: str


def marks_of(order_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the marks of the open findings that a person may accept, by order: of those that hold it in its lane, and
    of what changed after its push.

    A mark goes with a page and comes back with the answer: it is another one once the facts behind the finding are.
    """
    rows = Finding.objects.filter(_HOLDS, order_id__in=order_ids, cleared_at__isnull=True, accepted_at__isnull=True)
    found: dict[int, list[str]] = defaultdict(list)
    for order_id, code, key in rows.order_by("code").values_list("order_id", "code", "facts_key"):
        found[order_id].append(_mark(code, key))
    return dict(found)


def code_of(mark: str) -> str:
    """Return the code of the finding that a mark stands for."""
    return mark.partition(":")[0]


def _mark(code: str, facts_key: int) -> str:
    return f"{code}:{facts_key}"


def findings_of(order_ids: Sequence[int], *, open_only: bool = False) -> dict[int, list[ShownFinding]]:
    """Return the findings of orders, worst first, open ones before accepted and cleared. At most two queries."""
    rows = Finding.objects.filter(order_id__in=order_ids)
    if open_only:
        rows = rows.filter(cleared_at__isnull=True, accepted_at__isnull=True, is_shadow=False)
    listed = list(rows)
    versions = version_texts(row.rule_set_id for row in listed)
    found: dict[int, list[ShownFinding]] = defaultdict(list)
    order = {OPEN: 0, ACCEPTED: 1, CLEARED: 2}
    listed.sort(key=lambda row: (row.is_shadow, order[_state(row)], -LANE_RANK[row.lane], -row.severity, row.code))
    for row in listed:
        found[row.order_id].append(_shown(row, versions.get(row.rule_set_id)))
    return dict(found)


def _state(row: Finding) -> str:
    if row.cleared_at is not None:
        return CLEARED
    return ACCEPTED if row.accepted_at is not None else OPEN


def _shown(row: Finding, version: VersionTexts | None) -> ShownFinding:
    texts = version.rules.get(row.code) if version else None
    if row.code in GATES:
        title, reason, clears = gate_texts(row.code, row.values)
    elif texts is not None:
        title = RuleTexts.pick(texts.names)
        reason, clears = (fill(RuleTexts.pick(pair), row.values) for pair in (texts.reasons, texts.clears))
    else:
        title, reason, clears = row.code, "", ""
    return ShownFinding(
        code=row.code, mark=_mark(row.code, row.facts_key), title=title, reason=reason, clears=clears, lane=row.lane,
        is_urgent=texts is not None and texts.outcome == "urgent" and row.severity >= RED, is_shadow=row.is_shadow,
        values=tuple(shown_values(row.values)), version=version.number if version else None, found_at=row.found_at,
        state=_state(row), accepted_by=row.accepted_by, accepted_reason=row.accepted_reason,
    )  # fmt: skip
