import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orderhub.core.words import Lane
from tests.triage.judge import batch, candidate, draft, line
from triage.conditions import OPERATORS
from triage.decisions import FoundFinding
from triage.engine import Column, CompiledRules, Run, compile_condition, decide_lane
from triage.predicates.base import Batch, FactType, PriceBook, facts

LOW = {"fact": "amount.pieces", "op": "gt", "value": 2}
SHORT = {"fact": "stock.is_short", "op": "yes"}


def answer(condition, *orders, **context):
    """Return for each order True, False or None (unknown)."""
    run = Run(batch(*orders, **context))
    true, possible = run.answer(compile_condition(condition))
    return [bool(true >> i & 1) if (true >> i & 1) == (possible >> i & 1) else None for i in range(len(orders))]


class Values(Batch):
    """A batch whose columns are given."""

    def __init__(self, columns):
        super().__init__([None] * 0, [], None, None)
        self._columns = columns

    def __len__(self):
        return len(next(iter(self._columns.values())))


def over(condition, **columns):
    """Answer over columns given by fact key with a double underscore for the dot."""
    run = Run(Values({key.replace("__", "."): values for key, values in columns.items()}))
    true, possible = run.answer(compile_condition(condition))
    size = len(next(iter(columns.values())))
    return [bool(true >> i & 1) if (true >> i & 1) == (possible >> i & 1) else None for i in range(size)]


SAMPLES = {
    FactType.NUMBER: ("amount.pieces", [1, 2, 3, None, 2], 2, [1, 2]),
    FactType.MONEY: ("amount.total", [0, 100, 101, None, 99], 100, [99, 100]),
    FactType.PERCENT: ("price.off_percent", [29.9, 30.0, 30.1, None, 0.0], 30, [1, 30]),
    FactType.TEXT: ("order.shop", ["tmall", "tm", "jd", None, "atm"], "tm", ["tm", "jd"]),
    FactType.WORD: ("phone.state", ["ok", "fake", "short", None, "ok"], "ok", ["ok", "fake"]),
    FactType.WORDS: (
        "address.problems", [(), ("missing",), ("no_number", "missing"), None, ("direction",)], "missing",
        ["missing", "no_number"],
    ),
    FactType.TEXTS: ("stock.skus", [(), ("A",), ("A", "B"), None, ("C",)], "A", ["A", "B"]),
    FactType.FLAG: ("stock.is_short", [True, False, True, None, False], None, None),
}  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "op"), [(type_, op) for type_, operators in OPERATORS.items() for op in operators], ids=str
)
def test_every_operator_answers_as_its_definition(type_, op):
    key, values, one, many = SAMPLES[type_]
    operator = OPERATORS[type_][op]
    wanted = {"none": None, "one": one, "many": many, "two": many}[operator.takes]
    held = frozenset(wanted) if isinstance(wanted, list) and type_ in {FactType.WORDS, FactType.TEXTS} else wanted
    expected = [None if value is None else operator.test(value, held) for value in values]
    condition = {"fact": key, "op": op} | ({} if wanted is None else {"value": wanted})
    assert over(condition, **{key.replace(".", "__"): values}) == expected
    assert True in expected
    assert False in expected


truth = st.sampled_from([True, False, None])
KEYS = ("stock.is_short", "stock.has_unmatched", "buyer.is_denied")
leaf = st.builds(lambda key, op: {"fact": key, "op": op}, st.sampled_from(KEYS), st.sampled_from(["yes", "no"]))
tree = st.recursive(
    leaf,
    lambda part: st.builds(
        lambda group, parts: {group: parts},
        st.sampled_from(["all", "any", "none"]),
        st.lists(part, min_size=1, max_size=4),
    ),
    max_leaves=12,
)  # fmt: skip


def kleene(node, row):
    """Evaluate one condition for one order in the plainest way."""
    for group in ("all", "any", "none"):
        if group in node:
            parts = [kleene(part, row) for part in node[group]]
            if group == "all":
                return False if False in parts else (None if None in parts else True)
            any_of = True if True in parts else (None if None in parts else False)
            return any_of if group == "any" or any_of is None else not any_of
    value = row[node["fact"]]
    return None if value is None else value == (node["op"] == "yes")


@given(tree, st.lists(st.tuples(truth, truth, truth), min_size=1, max_size=70))
def test_groups_are_kleene_logic(condition, rows):
    orders = [dict(zip(KEYS, row, strict=True)) for row in rows]
    columns = {key.replace(".", "__"): [order[key] for order in orders] for key in KEYS}
    assert over(condition, **columns) == [kleene(condition, order) for order in orders]


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=80), st.integers(-6, 6), st.booleans())
def test_a_column_compares_as_each_value_would(values, limit, inclusive):
    column = Column(values, (1 << len(values)) - 1)
    true, possible = column.above(limit, inclusive=inclusive)
    for i, value in enumerate(values):
        right = value is not None and (value >= limit if inclusive else value > limit)
        assert bool(true >> i & 1) == right
        assert bool(possible >> i & 1) == (right or value is None)


def test_an_unknown_fact_never_fires_even_negated():
    condition = {"fact": "price.off_percent", "op": "gt", "value": 30}
    orders = (candidate(), candidate(lines=(line(sku="NEW"),)))
    prices = PriceBook(list_prices={"SERUM-30": 12_900})
    assert answer(condition, *orders, prices=prices) == [False, None]
    assert answer({"none": [condition]}, *orders, prices=prices) == [True, None]


def rules(*specs, words=None):
    """Compile rules given as (code, outcome, condition, state, severity)."""
    listed = [
        {
            "code": code,
            "outcome": outcome,
            "condition": condition,
            "state": state,
            "severity": severity,
            "priority": 100,
        }
        for code, outcome, condition, state, severity in specs
    ]
    return CompiledRules(7, {"rules": listed, "words": words or {}})


def judge(compiled, *orders, accepted=None):
    made = batch(*orders)
    return compiled.judge(Batch(made.candidates, made.everyone, made.context, compiled.words), accepted or {})


MANY = {"fact": "amount.pieces", "op": "ge", "value": 3}
BIG = {"fact": "amount.total", "op": "gt", "value": 100}


def test_the_lane_is_the_worst_and_urgent_lies_over_it():
    compiled = rules(
        ("many", "to_confirm", MANY, "on", 2), ("big", "abnormal", BIG, "on", 2), ("now", "urgent", MANY, "on", 3)
    )
    both, one, none = judge(
        compiled,
        candidate(lines=(line(quantity=3),), total_fen=101),
        candidate(lines=(line(quantity=3),), total_fen=100),
        candidate(total_fen=100),
    )
    assert (both.lane, both.is_urgent, both.urgency) == ("abnormal", True, 3)
    assert [found.code for found in both.findings] == ["big", "many", "now"]
    assert (one.lane, one.is_urgent, [found.code for found in one.findings]) == ("to_confirm", True, ["many", "now"])
    assert (none.lane, none.is_urgent, none.urgency, none.findings) == (Lane.REGULAR, False, 0, ())
    assert both.rule_set_id == 7


@pytest.mark.parametrize(("severity", "urgent"), [(1, False), (2, True), (3, True)])
def test_weight_one_is_a_hint_only(severity, urgent):
    (decision,) = judge(rules(("hurry", "urgent", BIG, "on", severity)), candidate())
    assert (decision.lane, decision.is_urgent, decision.urgency) == ("regular", urgent, severity)


def test_shadow_rules_are_recorded_and_change_nothing_and_rules_that_are_off_do_not_run():
    compiled = rules(("shade", "abnormal", BIG, "shadow", 2), ("off", "abnormal", BIG, "off", 2))
    (decision,) = judge(compiled, candidate())
    assert decision.lane == "regular"
    assert [(found.code, found.is_shadow) for found in decision.findings] == [("shade", True)]
    (shadow,) = judge(rules(("hurry", "urgent", BIG, "shadow", 3)), candidate())
    assert (shadow.is_urgent, shadow.urgency) == (False, 0)


def test_tags_leave_the_lane_alone():
    (decision,) = judge(rules(("tag", "tag", BIG, "on", 1)), candidate())
    assert (decision.lane, [found.lane for found in decision.findings]) == ("regular", [""])


def test_a_hit_keeps_the_values_that_made_it_fire():
    (decision,) = judge(
        rules(("many", "abnormal", {"all": [MANY, BIG]}, "on", 2)), candidate(lines=(line(quantity=4),))
    )
    assert decision.findings[0].values == {"amount.pieces": 4, "amount.total": 12_900}


def test_free_text_is_not_kept():
    condition = {"fact": "remark.buyer_text", "op": "contains", "value": "公司"}
    (decision,) = judge(rules(("text", "tag", condition, "on", 1)), candidate(buyer_remark="寄到张三的公司"))
    assert decision.findings[0].values == {}


def test_an_accepted_finding_fires_again_only_on_changed_facts():
    compiled = rules(("many", "abnormal", MANY, "on", 2))
    three, four = (candidate(order_id=5, lines=(line(quantity=n),)) for n in (3, 4))
    key = judge(compiled, three)[0].findings[0].facts_key
    assert judge(compiled, three, accepted={(5, "many"): key})[0].lane == "regular"
    assert judge(compiled, four, accepted={(5, "many"): key})[0].lane == "abnormal"
    assert judge(compiled, three, accepted={(5, "other"): key})[0].lane == "abnormal"


def test_another_wrong_phone_is_other_facts():
    phone = {"fact": "phone.state", "op": "is", "value": "short"}
    compiled = rules(("phone", "to_confirm", phone, "on", 2), words={"mobile_prefixes": [["13", "starts", 1]]})
    keys = {
        judge(compiled, candidate(receiver={"phone": number}))[0].findings[0].facts_key for number in ("12345", "12346")
    }
    assert len(keys) == 2


def test_a_rule_on_a_fact_that_is_gone_is_left_out():
    gone = {"fact": "gone.fact", "op": "yes"}
    (decision,) = judge(rules(("gone", "abnormal", gone, "on", 2), ("big", "to_confirm", BIG, "on", 2)), candidate())
    assert [found.code for found in decision.findings] == ["big"]


def test_only_facts_of_active_rules_are_computed():
    made = batch(candidate())
    compiled = rules(("big", "abnormal", BIG, "on", 2), ("short", "abnormal", SHORT, "off", 2))
    compiled.judge(made, {})
    assert set(made._columns) == {"amount.total"}
    assert compiled.needs == frozenset()


@pytest.mark.parametrize("key", sorted(key for key, fact in facts.items() if fact.explain))
def test_every_fact_explains_an_order_without_lines_that_are_sold(key):
    fact = facts.get(key)
    emptied = batch(candidate(lines=(line(refund="done"),)), candidate(replace(draft(), lines=())))
    assert len(emptied.column(key)) == 2
    details = {detail.key for detail in fact.details}
    assert [set(fact.explain(emptied, i)) - details for i in range(2)] == [set(), set()]


def test_shared_conditions_are_answered_once():
    run = Run(batch(candidate()))
    seen = {}
    first = compile_condition({"all": [LOW, SHORT]}, seen)
    second = compile_condition({"any": [SHORT, LOW]}, seen)
    run.answer(first)
    run.answer(second)
    assert len(run._answers) == 4


def test_the_trace_tells_every_rule():
    compiled = rules(
        ("big", "abnormal", BIG, "on", 2), ("phone", "tag", {"fact": "buyer.is_denied", "op": "yes"}, "on", 1)
    )
    ((big, denied),) = compiled.trace(batch(candidate(total_fen=100)))
    assert (big.code, big.answer, big.values) == ("big", False, {"amount.total": 100})
    assert (denied.code, denied.answer) == ("phone", None)


def test_an_empty_batch_has_no_decisions():
    assert judge(rules(("big", "abnormal", BIG, "on", 2))) == []


def test_decide_lane_ignores_the_sequence():
    found = [FoundFinding(lane or "tag", lane, 1, {}, 1) for lane in ("", "abnormal", "to_confirm")]
    assert decide_lane(found, 1).lane == decide_lane(found[::-1], 1).lane == "abnormal"


def test_every_fact_says_what_it_is():
    for key, fact in facts.items():
        topic, _dot, name = key.partition(".")
        assert topic and name
        assert str(fact.label) and str(fact.about)
        assert fact.example is not None
        assert (fact.explain is not None) == bool(fact.details)
