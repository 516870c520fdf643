"""Runs a rule-set version over a whole batch.

Each condition is compiled once per version into a closure. A closure answers for all orders at once with two numbers
whose bits are the orders: those for which it is surely true and those for which it is at least possible. An unknown
fact is possible but not sure, so the groups are plain Kleene logic: all = and, any = or, none swaps and negates.
Conditions that rules share are answered once per batch, and a fact's values are indexed once for all rules on it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson
import structlog

from orderhub.core.crypto import keyring
from orderhub.core.errors import FieldError
from orderhub.core.words import LANE_RANK, Lane
from triage.conditions import OPERATORS, check, used_facts
from triage.decisions import RED, Decision, FoundFinding, Step
from triage.matchers import Term, Words
from triage.predicates.base import Batch, Fact, FactType, Need, facts

log = structlog.get_logger(__name__)

Answer = tuple[int, int]
"""Orders for which a condition is true, and those for which it is not surely false; one bit per order."""
URGENT, TAG = "urgent", "tag"
ON, OFF, SHADOW = "on", "off", "shadow"


class Column:
    """One fact over a batch, indexed by value: each distinct value knows its orders as bits."""

    __slots__ = ("_above", "_ordered", "full", "groups", "known")

    def __init__(self, values: Sequence[Any], full: int) -> None:
        self.full = full
        usual = values[len(values) // 2] if values else None
        groups: dict[Any, int] = {}
        odd = 0
        for i, value in enumerate(values):
            if value != usual or value is None:
                bit = 1 << i
                odd |= bit
                groups[value] = groups.get(value, 0) | bit
        if full & ~odd:
            groups[usual] = full & ~odd
        self.known = full & ~groups.pop(None, 0)
        self.groups = groups
        self._ordered: list[Any] | None = None
        self._above: list[int] = []

    def where(self, test: Callable[[Any], bool]) -> Answer:
        """Answer by a test of each distinct value."""
        true = 0
        for value, bits in self.groups.items():
            if test(value):
                true |= bits
        return true, true | (self.full & ~self.known)

    def same(self, values: Sequence[Any]) -> Answer:
        """Answer by equality with one of `values`."""
        true = 0
        get = self.groups.get
        for value in values:
            true |= get(value, 0)
        return true, true | (self.full & ~self.known)

    def above(self, limit: Any, *, inclusive: bool) -> Answer:
        """Answer by order: values above `limit`, or at it."""
        if self._ordered is None:
            self._ordered = sorted(self.groups)
            bits, above = 0, [0]
            for value in reversed(self._ordered):
                bits |= self.groups[value]
                above.append(bits)
            self._above = above[::-1]
        find = bisect_left if inclusive else bisect_right
        true = self._above[find(self._ordered, limit)]
        return true, true | (self.full & ~self.known)


class Run:
    """One batch on its way through the rules."""

    __slots__ = ("_answers", "_columns", "batch", "full")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.full = (1 << len(batch)) - 1
        self._columns: dict[str, Column] = {}
        self._answers: dict[str, Answer] = {}

    def column(self, key: str) -> Column:
        """Return the indexed column of a fact."""
        column = self._columns.get(key)
        if column is None:
            column = self._columns[key] = Column(self.batch.column(key), self.full)
        return column

    def answer(self, node: "Node") -> Answer:
        """Return a node's answer, computed once however many rules share it."""
        found = self._answers.get(node.key)
        if found is None:
            found = self._answers[node.key] = node.run(self)
        return found


@dataclass(slots=True, frozen=True)
class Node:
    """A compiled condition; equal conditions have equal keys."""

    key: str
    run: Callable[[Run], Answer]


def compile_condition(condition: Mapping[str, Any], seen: dict[str, Node] | None = None) -> Node:
    """Compile a checked condition; nodes met before (`seen`) are shared."""
    seen = {} if seen is None else seen
    key = orjson.dumps(condition, option=orjson.OPT_SORT_KEYS).decode()
    node = seen.get(key)
    if node is None:
        node = seen[key] = Node(key, _compile(condition, seen))
    return node


def _compile(condition: Mapping[str, Any], seen: dict[str, Node]) -> Callable[[Run], Answer]:
    for group, combine in (("all", _all_of), ("any", _any_of), ("none", _none_of)):
        if group in condition:
            return combine(tuple(compile_condition(part, seen) for part in condition[group]))
    return _leaf(facts.get(condition["fact"]), condition["op"], condition.get("value"))


def _all_of(parts: tuple[Node, ...]) -> Callable[[Run], Answer]:
    def run(batch: Run) -> Answer:
        true = possible = batch.full
        for part in parts:
            part_true, part_possible = batch.answer(part)
            true &= part_true
            possible &= part_possible
            if not possible:
                break
        return true, possible

    return run


def _any_of(parts: tuple[Node, ...]) -> Callable[[Run], Answer]:
    def run(batch: Run) -> Answer:
        true = possible = 0
        for part in parts:
            part_true, part_possible = batch.answer(part)
            true |= part_true
            possible |= part_possible
        return true, possible

    return run


def _none_of(parts: tuple[Node, ...]) -> Callable[[Run], Answer]:
    any_of = _any_of(parts)

    def run(batch: Run) -> Answer:
        true, possible = any_of(batch)
        return batch.full & ~possible, batch.full & ~true

    return run


def _leaf(fact: Fact, op: str, value: Any) -> Callable[[Run], Answer]:
    key = fact.key
    if op in {"gt", "ge"}:
        return lambda run: run.column(key).above(value, inclusive=op == "ge")
    if op in {"lt", "le"}:
        return lambda run: _swap(run.column(key), run.column(key).above(value, inclusive=op == "lt"))
    if op in {"eq", "is"}:
        return lambda run: run.column(key).same((value,))
    if op in {"ne", "is_not"}:
        return lambda run: _swap(run.column(key), run.column(key).same((value,)))
    if op in {"yes", "no"}:
        return lambda run: run.column(key).same((op == "yes",))
    if op == "in":
        wanted = tuple(dict.fromkeys(value))
        return lambda run: run.column(key).same(wanted)
    if op == "not_in":
        unwanted = tuple(dict.fromkeys(value))
        return lambda run: _swap(run.column(key), run.column(key).same(unwanted))
    test = OPERATORS[fact.type][op].test
    held = frozenset(value) if fact.type in {FactType.WORDS, FactType.TEXTS} and isinstance(value, list) else value
    return lambda run: run.column(key).where(lambda found: test(found, held))


def _swap(column: Column, answer: Answer) -> Answer:
    """Negate a leaf: false where it was true, still unknown where the fact is."""
    true = column.known & ~answer[0]
    return true, true | (column.full & ~column.known)


@dataclass(slots=True, frozen=True)
class CompiledRule:
    """One rule of a version, ready to run."""

    code: str
    lane: str
    is_urgent: bool
    severity: int
    priority: int
    is_shadow: bool
    node: Node
    facts: tuple[Fact, ...]

    @property
    def rank(self) -> tuple[int, int, int, str]:
        """Order of the findings on one order: worst first."""
        return (-LANE_RANK[self.lane], -self.severity, self.priority, self.code)


class CompiledRules:
    """All rules and word lists of one rule-set version."""

    def __init__(self, rule_set_id: int, snapshot: Mapping[str, Any]) -> None:
        self.rule_set_id = rule_set_id
        self.words = Words({key: [Term(*term) for term in terms] for key, terms in snapshot["words"].items()})
        seen: dict[str, Node] = {}
        compiled = (self._rule(rule, seen) for rule in snapshot["rules"] if rule["state"] != OFF)
        self.rules = tuple(sorted((rule for rule in compiled if rule is not None), key=lambda rule: rule.rank))
        self.asked = frozenset(fact.key for rule in self.rules if not rule.is_shadow for fact in rule.facts)
        """Keys of the facts that rules with an effect ask for."""
        self.needs: frozenset[Need] = frozenset().union(*(f.needs for rule in self.rules for f in rule.facts))
        self._regular = Decision(Lane.REGULAR.value, False, 0, (), rule_set_id)

    def _rule(self, rule: Mapping[str, Any], seen: dict[str, Node]) -> CompiledRule | None:
        try:
            check(rule["condition"])
        except FieldError as error:
            # A predicate that is gone must not stop the intake; the console shows the rule as broken.
            log.error("rule left out", rule=rule["code"], reason=str(error), rule_set=self.rule_set_id)
            return None
        outcome = rule["outcome"]
        return CompiledRule(
            code=rule["code"],
            lane=outcome if outcome in Lane.values else "",
            is_urgent=outcome == URGENT,
            severity=rule["severity"],
            priority=rule["priority"],
            is_shadow=rule["state"] == SHADOW,
            node=compile_condition(rule["condition"], seen),
            facts=tuple(facts.get(key) for key in used_facts(rule["condition"])),
        )

    def judge(self, batch: Batch, accepted: Mapping[tuple[int, str], int]) -> list[Decision]:
        """Return one decision per order of the batch.

        `accepted` holds the facts key of findings that a person accepted, by (order id, code): the same facts do not
        fire again. A mark (urgent, a tag) holds nothing and fires whatever was accepted.
        """
        found: dict[int, list[FoundFinding]] = {}
        for rule, i in self.hits(Run(batch)):
            finding = explain(rule, batch, i)
            if rule.lane and accepted and accepted.get((batch.candidates[i].order_id, rule.code)) == finding.facts_key:
                continue
            found.setdefault(i, []).append(finding)
        decisions = [self._regular] * len(batch)
        for i, findings in found.items():
            decisions[i] = decide_lane(findings, self.rule_set_id)
        return decisions

    def hits(self, run: Run) -> Iterator[tuple[CompiledRule, int]]:
        """Yield each rule with each order it fires on, worst rules first."""
        for rule in self.rules:
            bits = run.answer(rule.node)[0]
            while bits:
                low = bits & -bits
                yield rule, low.bit_length() - 1
                bits ^= low

    def trace(self, batch: Batch) -> list[list[Step]]:
        """Return every rule's answer for every order, with the values it looked at: the dry run of the console."""
        run = Run(batch)
        steps: list[list[Step]] = [[] for _order in batch.candidates]
        for rule in self.rules:
            true, possible = run.answer(rule.node)
            for i in range(len(batch)):
                answer = bool(true >> i & 1) if (true >> i & 1) == (possible >> i & 1) else None
                steps[i].append(Step(rule.code, answer, _values(rule, batch, i)))
        return steps


def explain(rule: CompiledRule, batch: Batch, i: int) -> FoundFinding:
    """Return the finding of one hit with the values that made it fire."""
    return FoundFinding(
        code=rule.code,
        lane=rule.lane,
        severity=rule.severity,
        values=_values(rule, batch, i),
        facts_key=_facts_key(rule, batch, i),
        is_shadow=rule.is_shadow,
        is_urgent=rule.is_urgent,
    )


def decide_lane(findings: Sequence[FoundFinding], rule_set_id: int) -> Decision:
    """Return the decision that follows from findings: the worst lane, urgency beside it, shadows without effect."""
    lane, urgency = Lane.REGULAR.value, 0
    for finding in findings:
        if finding.is_shadow:
            continue
        if LANE_RANK[finding.lane] > LANE_RANK[lane]:
            lane = finding.lane
        if finding.is_urgent and finding.severity > urgency:
            urgency = finding.severity
    return Decision(lane, urgency >= RED, urgency, tuple(findings), rule_set_id)


def _values(rule: CompiledRule, batch: Batch, i: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for fact in rule.facts:
        if fact.is_kept:
            value = batch.column(fact.key)[i]
            values[fact.key] = list(value) if isinstance(value, tuple) else value
        if fact.explain is not None:
            values.update(fact.explain(batch, i))
    return values


def _facts_key(rule: CompiledRule, batch: Batch, i: int) -> int:
    """Return a keyed number that changes exactly when the order's own data behind the finding changes."""
    draft = batch.drafts[i]
    parts = (fact.basis(draft) if fact.basis is not None else repr(batch.column(fact.key)[i]) for fact in rule.facts)
    digest = batch.once(_hash).copy()
    digest.update("\x1f".join((rule.code, *parts)).encode())
    return int.from_bytes(digest.digest(), "big", signed=True)


def _hash(_batch: Batch) -> "blake2b":
    return blake2b(digest_size=8, key=keyring().index_key, person=b"finding")
