"""Judging a batch: system gates first, then the rules."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec.structs import replace

from orderhub.core.draft import OrderDraft
from orderhub.core.words import OPEN_REFUND
from triage.decisions import GATE_KEY, Candidate, Decision, FoundFinding
from triage.predicates.base import Batch
from triage.predicates.price import unpriced
from triage.selectors.context import accepted_findings, batch_context
from triage.selectors.rules import current_rules

GATE_SEVERITY = 5
PRICE = "price.off_percent"
"""The fact that holds prices against what is known of them."""


def decide(candidates: Sequence[Candidate], *, now: datetime) -> list[Decision]:
    """Return one decision per candidate, in the same order.

    The number of queries does not depend on the number of candidates. Orders that a system gate holds, and orders
    that are not paid, get an empty lane; they still count as siblings of the others.
    """
    return hear(candidates, now=now)()


def hear(candidates: Sequence[Candidate], *, now: datetime) -> Callable[[], list[Decision]]:
    """Ask the database all that judging needs, and return the judgement itself: `decide` in two steps.

    The second needs no database, so it can be made while the server is at work on something else.
    """
    rules = current_rules()
    gates = [_gate(candidate.draft, rules.rule_set_id) for candidate in candidates]
    judged = [candidate for candidate, gate in zip(candidates, gates, strict=True) if gate is None]
    if not judged:
        return lambda: [gate for gate in gates if gate is not None]
    batch = Batch(judged, candidates, batch_context(judged, rules.needs, now, candidates), rules.words)
    accepted = accepted_findings(judged)

    def judge() -> list[Decision]:
        decisions = rules.judge(batch, accepted)
        if PRICE in rules.asked:
            decisions = _with_unpriced(decisions, batch)
        answers = iter(decisions)
        return [gate or next(answers) for gate in gates]

    return judge


def _with_unpriced(decisions: list[Decision], batch: Batch) -> list[Decision]:
    return [
        replace(decision, unpriced=articles) if articles else decision
        for decision, articles in zip(decisions, unpriced(batch), strict=True)
    ]


def _gate(draft: OrderDraft, rule_set_id: int) -> Decision | None:
    """Return the decision on an order that no rule may judge, None for all others."""
    if draft.channel_hold:
        return _held("channel_hold", {"hold": draft.channel_hold}, rule_set_id)
    if draft.presale == "deposit" or draft.status == "presale_deposit":
        return _held("deposit_only", {}, rule_set_id)
    for line in draft.lines:
        if line.refund in OPEN_REFUND:
            return _held("refund_open", {"line": line.line_no, "refund": line.refund}, rule_set_id)
    if draft.status != "paid":
        return Decision("", False, 0, (), rule_set_id)
    return None


def _held(code: str, values: dict[str, str], rule_set_id: int) -> Decision:
    finding = FoundFinding(code, "", GATE_SEVERITY, values, GATE_KEY)
    return Decision("", False, 0, (finding,), rule_set_id)
