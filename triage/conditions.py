"""Conditions of rules as data: operators by type, checking with clear messages, and the sentence people read.

A condition is a tree. A group is `{"all": […]}`, `{"any": […]}` or `{"none": […]}`; a leaf is
`{"fact": "amount.total", "op": "gt", "value": 500000}`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from orderhub.core.errors import FieldError
from orderhub.core.money import show
from triage.predicates.base import Detail, Fact, FactType, Text, facts

GROUPS: Mapping[str, Text] = {
    "all": gettext_lazy("all of"),
    "any": gettext_lazy("at least one of"),
    "none": gettext_lazy("none of"),
}
DEEPEST, MOST_LEAVES = 5, 100
"""Limits of one condition, so that a slip in the console cannot slow the intake down."""


@dataclass(slots=True, frozen=True)
class Operator:
    """How a fact is held against a value. `takes` is one of none, one, two, many."""

    key: str
    label: Text
    takes: str
    test: Callable[[Any, Any], bool]


_NUMERIC = (
    Operator("gt", gettext_lazy("is more than"), "one", lambda value, limit: bool(value > limit)),
    Operator("ge", gettext_lazy("is at least"), "one", lambda value, limit: bool(value >= limit)),
    Operator("lt", gettext_lazy("is less than"), "one", lambda value, limit: bool(value < limit)),
    Operator("le", gettext_lazy("is at most"), "one", lambda value, limit: bool(value <= limit)),
    Operator("eq", gettext_lazy("is exactly"), "one", lambda value, limit: bool(value == limit)),
    Operator("ne", gettext_lazy("is not"), "one", lambda value, limit: bool(value != limit)),
    Operator("between", gettext_lazy("is between"), "two", lambda value, limits: bool(limits[0] <= value <= limits[1])),
)
_SINGLE = (
    Operator("is", pgettext_lazy("operator", "is"), "one", lambda value, wanted: bool(value == wanted)),
    Operator("is_not", gettext_lazy("is not"), "one", lambda value, wanted: bool(value != wanted)),
    Operator("in", gettext_lazy("is one of"), "many", lambda value, wanted: value in wanted),
    Operator("not_in", gettext_lazy("is none of"), "many", lambda value, wanted: value not in wanted),
)
_TEXTUAL = (
    *_SINGLE,
    Operator("contains", gettext_lazy("contains"), "one", lambda value, part: part in value),
    Operator("not_contains", gettext_lazy("does not contain"), "one", lambda value, part: part not in value),
    Operator("starts", gettext_lazy("starts with"), "one", lambda value, part: bool(value.startswith(part))),
    Operator("ends", gettext_lazy("ends with"), "one", lambda value, part: bool(value.endswith(part))),
)
_SEVERAL = (
    Operator("has", gettext_lazy("includes"), "one", lambda value, wanted: wanted in value),
    Operator("has_any", gettext_lazy("includes one of"), "many", lambda value, wanted: not wanted.isdisjoint(value)),
    Operator("has_all", gettext_lazy("includes all of"), "many", lambda value, wanted: wanted.issubset(value)),
    Operator("has_none", gettext_lazy("includes none of"), "many", lambda value, wanted: wanted.isdisjoint(value)),
)
_YES_NO = (
    Operator("yes", gettext_lazy("applies"), "none", lambda value, _nothing: bool(value)),
    Operator("no", gettext_lazy("does not apply"), "none", lambda value, _nothing: not value),
)
OPERATORS: Mapping[FactType, Mapping[str, Operator]] = {
    type_: {operator.key: operator for operator in operators}
    for type_, operators in {
        FactType.NUMBER: _NUMERIC,
        FactType.MONEY: _NUMERIC,
        FactType.PERCENT: _NUMERIC,
        FactType.TEXT: _TEXTUAL,
        FactType.WORD: _SINGLE,
        FactType.WORDS: _SEVERAL,
        FactType.TEXTS: _SEVERAL,
        FactType.FLAG: _YES_NO,
    }.items()
}


def check(condition: Any) -> None:
    """Raise FieldError with the path of the first part of a condition that cannot be used."""
    leaves = _check(condition, "condition", 0)
    if leaves > MOST_LEAVES:
        raise FieldError("condition", _("at most %(most)d conditions in one rule") % {"most": MOST_LEAVES})


def used_facts(condition: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of the facts a condition asks for, without repeats."""
    return tuple(dict.fromkeys(leaf["fact"] for leaf in leaves(condition)))


def leaves(condition: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the leaves of a condition in reading order."""
    for group in GROUPS:
        if group in condition:
            for part in condition[group]:
                yield from leaves(part)
            return
    yield condition


def sentence(condition: Mapping[str, Any]) -> str:
    """Return a condition in words of the active language."""
    for group in GROUPS:
        if group in condition:
            parts = [sentence(part) for part in condition[group]]
            if len(parts) == 1 and group != "none":
                return parts[0]
            if group == "none":
                return _("not (%(parts)s)") % {"parts": _(" or ").join(parts)}
            joined = (_(" and ") if group == "all" else _(" or ")).join(parts)
            return _("(%(parts)s)") % {"parts": joined} if group == "any" else joined
    return _leaf_sentence(condition)


def show_value(spec: Fact | Detail, value: Any) -> str:
    """Return one value as people read it: money with ¥, words translated, lists joined."""
    if value is None:
        return _("unknown")
    if isinstance(value, list | tuple | set | frozenset):
        return _(", ").join(show_value(spec, part) for part in value)
    if spec.type is FactType.MONEY:
        return show(int(value))
    if spec.type is FactType.PERCENT:
        return f"{value:+g}%" if isinstance(spec, Detail) else f"{value:g}%"
    if spec.type is FactType.FLAG:
        return _("yes") if value else _("no")
    if spec.choices:
        return str(spec.choices.get(value, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check(node: Any, path: str, depth: int) -> int:
    if not isinstance(node, dict):
        raise FieldError(path, _("must be an object"))
    groups = [group for group in GROUPS if group in node]
    if not groups:
        _check_leaf(node, path)
        return 1
    group = groups[0]
    if len(node) != 1:
        raise FieldError(path, _("a group has exactly one of: all, any, none"))
    if depth >= DEEPEST:
        raise FieldError(path, _("groups are nested too deeply"))
    parts = node[group]
    if not isinstance(parts, list) or not parts:
        raise FieldError(f"{path}.{group}", _("needs at least one condition"))
    return sum(_check(part, f"{path}.{group}[{i}]", depth + 1) for i, part in enumerate(parts))


def _check_leaf(node: Mapping[str, Any], path: str) -> None:
    extra = set(node) - {"fact", "op", "value"}
    if extra:
        raise FieldError(path, _("unknown key: %(key)s") % {"key": _(", ").join(sorted(extra))})
    key = node.get("fact")
    if not isinstance(key, str) or key not in facts:
        raise FieldError(f"{path}.fact", _("unknown fact: %(key)s") % {"key": key})
    fact = facts.get(key)
    operator = OPERATORS[fact.type].get(str(node.get("op")))
    if operator is None:
        known = _(", ").join(OPERATORS[fact.type])
        message = _("%(op)s does not fit %(fact)s; possible: %(known)s")
        raise FieldError(f"{path}.op", message % {"op": node.get("op"), "fact": fact.label, "known": known})
    _check_value(fact, operator, node.get("value"), f"{path}.value")


def _check_value(fact: Fact, operator: Operator, value: Any, path: str) -> None:
    if operator.takes == "none":
        if value is not None:
            raise FieldError(path, _("this comparison takes no value"))
        return
    if operator.takes == "one":
        _check_single(fact, value, path)
        return
    if not isinstance(value, list) or not value:
        raise FieldError(path, _("needs a list of values"))
    for i, part in enumerate(value):
        _check_single(fact, part, f"{path}[{i}]")
    if operator.takes == "two" and (len(value) != 2 or value[0] > value[1]):
        raise FieldError(path, _("needs two values, the smaller one first"))


def _check_single(fact: Fact, value: Any, path: str) -> None:
    if fact.type in {FactType.NUMBER, FactType.MONEY, FactType.PERCENT}:
        wrong = isinstance(value, bool) or not isinstance(value, int | float)
        if wrong or (fact.type is FactType.MONEY and not isinstance(value, int)):
            raise FieldError(path, _("must be a number") if fact.type is not FactType.MONEY else _("must be whole fen"))
        return
    if not isinstance(value, str) or not value:
        raise FieldError(path, _("must be a text"))
    if fact.choices and value not in fact.choices:
        message = _("%(value)s is not one of: %(known)s")
        raise FieldError(path, message % {"value": value, "known": _(", ").join(fact.choices)})


def _leaf_sentence(leaf: Mapping[str, Any]) -> str:
    key = leaf.get("fact", "")
    if key not in facts:
        return _("unknown fact %(key)s") % {"key": key}
    fact = facts.get(key)
    operator = OPERATORS[fact.type].get(leaf.get("op", ""))
    if operator is None:
        return _("%(fact)s: unknown comparison") % {"fact": fact.label}
    if operator.takes == "none":
        return str(fact.label) if operator.key == "yes" else _("not: %(fact)s") % {"fact": fact.label}
    value = leaf.get("value")
    if operator.takes == "two" and isinstance(value, list):
        shown = _("%(low)s and %(high)s") % {"low": show_value(fact, value[0]), "high": show_value(fact, value[1])}
    else:
        shown = show_value(fact, value)
    return _("%(fact)s %(op)s %(value)s") % {"fact": fact.label, "op": operator.label, "value": shown}
