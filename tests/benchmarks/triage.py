"""How fast triage judges, beside the fastest general rule libraries, in one run (no database needed).

Every figure is the median CPU time of alternating runs over the same 500 orders; the libraries get the facts
ready-made, so the comparison is rules against rules.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import rule_engine
from business_rules import engine as business_engine
from business_rules import variables as business_variables
from business_rules.actions import BaseActions, rule_action

from orderhub.core.draft import BuyerDraft, LineDraft, OrderDraft, ReceiverDraft
from triage.conditions import used_facts
from triage.decisions import Candidate
from triage.defaults.rules import RULES
from triage.defaults.words import word_lists
from triage.engine import CompiledRules
from triage.predicates.base import Batch, Context, FactType, PriceBook, facts

ORDERS = 500
PAIRS = 7
NOW = datetime(2026, 11, 11, 0, 30, tzinfo=UTC)
_DETAILS = (
    *("文三路 90 号 3 幢 501 室", "阳光花园 12 栋 2 单元 303 室") * 6,
    *("建设大道 77 号 6 楼 602 房", "西溪北苑 21-3-402") * 6,
    *("人民路 18 号", "滨江一路 8 号龙湖天街 3 座 1807", "科技园南区 5 栋菜鸟驿站", "大王镇李家村三组") * 2,
    "中心小区门口", "阳光花园",
)  # fmt: skip
_REMARKS = (
    *("",) * 32, *("谢谢老板", "包装好一点", "第二次购买了，很好用") * 2,
    "不急，慢慢发", "生日礼物，请 15 号前到", "送货上门", "麻烦快点发",
)  # fmt: skip
_PLACES = (
    ("浙江省", "杭州市", "西湖区"), ("江苏省", "南京市", "玄武区"), ("广东省", "深圳市", "南山区"),
    ("北京市", "北京市", "朝阳区"), ("四川省", "成都市", "武侯区"), ("上海市", "上海市", "浦东新区"),
    ("湖北省", "武汉市", "洪山区"), ("山东省", "青岛市", "市南区"),
)  # fmt: skip


def snapshot(rules: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return rules with the starter word lists as a published version would hold them."""
    words = {words.key: [list(term) for term, _note, active in words.terms if active] for words in word_lists()}
    return {"rules": [{"priority": 100, **rule} for rule in rules], "words": words}


def candidates(count: int = ORDERS, seed: int = 11) -> list[Candidate]:
    """Return believable orders: about one in eight has something to find."""
    rng = Random(seed)
    return [_candidate(i, rng) for i in range(count)]


def _candidate(i: int, rng: Random) -> Candidate:
    province, city, district = rng.choice(_PLACES)
    phone = f"1{rng.choice('35789')}{rng.choice('0256789')}{rng.randrange(10**8):08d}"
    if rng.random() < 0.03:
        phone = phone[:9]
    lines = tuple(
        LineDraft(
            line_no=str(n), sku=f"SKU-{rng.randrange(60)}", title="玻尿酸精华液 30ml",
            quantity=rng.choice((1, 1, 1, 2, 3)),
            unit_price_fen=12_900 if rng.random() > 0.03 else 4_500,
        )
        for n in range(rng.choice((1, 1, 2, 3)))
    )  # fmt: skip
    at = NOW + timedelta(milliseconds=300 * i)
    draft = OrderDraft(
        external_no=f"B{i}", status="paid", created_at=at, modified_at=at, lines=lines, total_fen=12_900,
        buyer=BuyerDraft(id=f"u{i}", ip=f"203.0.{rng.randrange(113)}.{rng.randrange(250)}"),
        receiver=ReceiverDraft(
            name="李雷", phone=phone, province=province, city=city, district=district, detail=rng.choice(_DETAILS)
        ),
        buyer_remark=rng.choice(_REMARKS),
    )  # fmt: skip
    return Candidate(i + 1, 1, draft, i + 1, (), False)


def batch(rules: CompiledRules, orders: Sequence[Candidate]) -> Batch:
    """Return the orders with the context that a database would have given."""
    prices = PriceBook(list_prices={f"SKU-{n}": 12_900 for n in range(60)}, floors={"SKU-1": 5_000})
    return Batch(orders, orders, Context(NOW, prices=prices), rules.words)


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def medians(*works: Callable[[], object]) -> list[float]:
    """Return the median seconds of each piece of work, run in turn."""
    for work in works:
        work()
    runs = [[_seconds(work) for work in works] for _pair in range(PAIRS)]
    return [statistics.median(times) for times in zip(*runs, strict=True)]


class _Prepared:
    """A batch whose facts are already known, so that only the rules are timed."""

    def __init__(self, rules: CompiledRules, orders: Sequence[Candidate]) -> None:
        self.rules = rules
        self.source = batch(rules, orders)
        self.keys = {fact.key for rule in rules.rules for fact in rule.facts}
        self.columns = {key: self.source.column(key) for key in self.keys}
        rules.judge(self.source, {})

    def judge(self) -> None:
        """Judge, from facts to findings with values and key."""
        self.rules.judge(self.source, {})


def library_rows(prepared: _Prepared) -> list[dict[str, Any]]:
    """Return the facts of each order as one dictionary with plain names."""
    names = {key: key.replace(".", "_") for key in prepared.keys}
    columns = {names[key]: column for key, column in prepared.columns.items()}
    return [
        {name: list(value) if isinstance(value := column[i], tuple) else value for name, column in columns.items()}
        for i in range(ORDERS)
    ]


_ENGINE_OPS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "is": "==", "ne": "!=", "is_not": "!="}


def engine_text(condition: Mapping[str, Any]) -> str:
    """Return a condition as an expression of rule-engine; unknown (null) never fires."""
    for group, joiner in (("all", " and "), ("any", " or "), ("none", " or ")):
        if group in condition:
            text = joiner.join(f"({engine_text(part)})" for part in condition[group])
            return f"not ({text})" if group == "none" else text
    name, op, value = condition["fact"].replace(".", "_"), condition["op"], condition.get("value")
    known = f"{name} != null and "
    if op in {"yes", "no"}:
        return f"{known}{name} == {'true' if op == 'yes' else 'false'}"
    if op in {"has", "has_any"}:
        wanted = value if isinstance(value, list) else [value]
        return known + "(" + " or ".join(f'"{word}" in {name}' for word in wanted) + ")"
    if op == "in":
        return known + "(" + " or ".join(f'{name} == "{word}"' for word in value) + ")"
    return f"{known}{name} {_ENGINE_OPS[op]} " + (f'"{value}"' if isinstance(value, str) else str(value))


def rule_engine_work(rules: Sequence[Mapping[str, Any]], rows: Sequence[dict[str, Any]]) -> Callable[[], int]:
    """Return the same rules in rule-engine."""
    compiled = [rule_engine.Rule(engine_text(rule["condition"])) for rule in rules]
    return lambda: sum(rule.matches(row) for row in rows for rule in compiled)


_BUSINESS_OPS = {
    "gt": "greater_than", "ge": "greater_than_or_equal_to", "lt": "less_than", "le": "less_than_or_equal_to",
    "eq": "equal_to", "is": "equal_to", "yes": "is_true", "no": "is_false",
}  # fmt: skip


def business_condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a condition in the JSON of business-rules; it has no unknown, so the caller's rows must not hold one."""
    for group in ("all", "any"):
        if group in condition:
            return {group: [business_condition(part) for part in condition[group]]}
    name, op, value = condition["fact"].replace(".", "_"), condition["op"], condition.get("value")
    if op in {"has", "has_any"}:
        wanted = value if isinstance(value, list) else [value]
        return {"name": name, "operator": "shares_at_least_one_element_with", "value": wanted}
    if op == "in":
        return {"any": [{"name": name, "operator": "equal_to", "value": word} for word in value]}
    if op == "is_not":
        rest = [choice for choice in facts.get(condition["fact"]).choices if choice != value]
        return {"any": [{"name": name, "operator": "equal_to", "value": word} for word in rest]}
    return {"name": name, "operator": _BUSINESS_OPS[op], "value": value}


def business_work(rules: Sequence[Mapping[str, Any]], rows: Sequence[dict[str, Any]]) -> Callable[[], int]:
    """Return the same rules in business-rules."""
    kinds = {
        FactType.FLAG: (business_variables.boolean_rule_variable, False),
        FactType.WORD: (business_variables.string_rule_variable, ""),
        FactType.TEXT: (business_variables.string_rule_variable, ""),
        FactType.WORDS: (business_variables.select_multiple_rule_variable, []),
        FactType.TEXTS: (business_variables.select_multiple_rule_variable, []),
    }
    members: dict[str, Any] = {"__init__": lambda self, row: setattr(self, "row", row)}
    for key in {key for rule in rules for key in used_facts(rule["condition"])}:
        decorate, empty = kinds.get(facts.get(key).type, (business_variables.numeric_rule_variable, 0))
        name = key.replace(".", "_")
        getter = lambda self, name=name, empty=empty: empty if self.row[name] is None else self.row[name]  # noqa: E731
        members[name] = decorate()(getter)
    variables = type("Variables", (business_variables.BaseVariables,), members)
    listed = [
        {"conditions": business_condition(rule["condition"]), "actions": [{"name": "note", "params": {}}]}
        for rule in rules
    ]

    class Actions(BaseActions):  # type: ignore[misc]
        count = 0

        @rule_action()  # type: ignore[misc]
        def note(self) -> None:
            self.count += 1

    def work() -> int:
        total = 0
        for row in rows:
            actions = Actions()
            business_engine.run_all(listed, variables(row), actions, stop_on_first_trigger=False)
            total += actions.count
        return total

    return work


def many_rules(count: int) -> list[dict[str, Any]]:
    """Return the starter rules and further ones as shops write them: thresholds and single articles."""
    rules = [dict(rule) for rule in RULES if rule["state"] != "off"]
    for n in range(count - len(rules)):
        price = {"fact": "price.off_percent", "op": "gt", "value": 31 + n % 500}
        article = {"fact": "stock.skus", "op": "has", "value": f"SKU-{n % 400}"}
        total = {"fact": "amount.total", "op": "gt", "value": 20_000 + 100 * n}
        rules.append({**rules[0], "code": f"extra-{n}", "condition": {"all": [(price, article, total)[n % 3], total]}})
    return rules[:count]


def bench_rules() -> Iterator[dict[str, Any]]:
    """Measure the starter rules alone and with their facts, beside the libraries."""
    active = [rule for rule in RULES if rule["state"] != "off"]
    compiled = CompiledRules(1, snapshot(active))
    orders = candidates()
    prepared = _Prepared(compiled, orders)
    rows = library_rows(prepared)
    ours, whole, business, typed = medians(
        prepared.judge,
        lambda: compiled.judge(batch(compiled, orders), {}),
        business_work(active, rows),
        rule_engine_work(active, rows),
    )
    each = 1e6 / ORDERS
    fastest = min(business, typed)
    name = "business-rules" if business < typed else "rule-engine"
    yield _row(
        "triage.rules",
        ours * each,
        "µs/order",
        f"{name} {fastest * each:.0f} µs/order",
        None,
        "<= 10",
        ours * each <= 10,
    )
    yield _row(
        "triage.rules_vs_library", fastest / ours, "x faster", f"{name}, {len(active)} rules", fastest / ours, ">= 10",
        fastest / ours >= 10,
    )  # fmt: skip
    yield _row(
        "triage.facts_and_rules",
        whole * each,
        "µs/order",
        "facts computed too",
        whole / ours,
        "<= 40 (own floor)",
        whole * each <= 40,
    )


def bench_growth() -> Iterator[dict[str, Any]]:
    """Measure how the cost grows with the number of rules."""
    orders = candidates()
    small, large = (_Prepared(CompiledRules(n, snapshot(many_rules(n))), orders) for n in (30, 1000))
    few, many = medians(small.judge, large.judge)
    each = 1e6 / ORDERS
    yield _row(
        "triage.1000_rules", many * each, "µs/order", f"30 rules: {few * each:.2f} µs/order", many / few, "<= 20",
        many / few <= 20,
    )  # fmt: skip


def _row(
    name: str, value: float, unit: str, reference: str, ratio: float | None, target: str, met: bool
) -> dict[str, Any]:
    return {
        "name": name, "value": round(value, 3), "unit": unit, "reference": reference,
        "ratio": None if ratio is None else round(ratio, 2), "target": target, "met": met,
    }  # fmt: skip


BENCHMARKS: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
    "triage.rules": bench_rules,
    "triage.growth": bench_growth,
}
