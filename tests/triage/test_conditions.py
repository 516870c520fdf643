import pytest
from django.utils.translation import override

from orderhub.core.errors import FieldError
from triage.conditions import check, sentence, show_value, used_facts
from triage.defaults.rules import RULES
from triage.predicates.base import facts

TOTAL = {"fact": "amount.total", "op": "gt", "value": 500_000}
PHONE = {"fact": "phone.state", "op": "is_not", "value": "ok"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["code"])
def test_starter_rules_are_valid(rule):
    check(rule["condition"])


@pytest.mark.parametrize(
    ("condition", "path", "word"),
    [
        (None, "condition", "object"),
        ([], "condition", "object"),
        ({"all": []}, "condition.all", "at least one"),
        ({"all": TOTAL}, "condition.all", "at least one"),
        ({"all": [TOTAL], "any": [TOTAL]}, "condition", "exactly one"),
        ({"all": [TOTAL, {"any": ["x"]}]}, "condition.all[1].any[0]", "object"),
        ({"fact": "no.such", "op": "gt"}, "condition.fact", "unknown fact: no.such"),
        ({"fact": "amount.total", "op": "contains", "value": 1}, "condition.op", "does not fit"),
        ({"fact": "amount.total", "op": "gt"}, "condition.value", "whole fen"),
        ({"fact": "amount.total", "op": "gt", "value": 1.5}, "condition.value", "whole fen"),
        ({"fact": "amount.total", "op": "gt", "value": True}, "condition.value", "whole fen"),
        ({"fact": "amount.pieces", "op": "gt", "value": "3"}, "condition.value", "number"),
        ({"fact": "amount.pieces", "op": "between", "value": [3, 1]}, "condition.value", "smaller"),
        ({"fact": "amount.pieces", "op": "between", "value": [1, 2, 3]}, "condition.value", "smaller"),
        ({"fact": "phone.state", "op": "is", "value": "bad"}, "condition.value", "not one of"),
        ({"fact": "phone.state", "op": "in", "value": ["ok", "bad"]}, "condition.value[1]", "not one of"),
        ({"fact": "phone.state", "op": "in", "value": "ok"}, "condition.value", "list"),
        ({"fact": "stock.is_short", "op": "yes", "value": True}, "condition.value", "no value"),
        ({"fact": "order.shop", "op": "contains", "value": ""}, "condition.value", "text"),
        ({**TOTAL, "extra": 1}, "condition", "unknown key: extra"),
    ],
)
def test_mistakes_are_named_with_their_place(condition, path, word):
    with override("en"), pytest.raises(FieldError) as caught:
        check(condition)
    assert caught.value.path == path
    assert word in caught.value.reason


def test_lists_in_mistakes_have_chinese_marks():
    with override("zh-hans"), pytest.raises(FieldError) as caught:
        check({**TOTAL, "extra": 1, "more": 2})
    assert caught.value.reason.endswith("：extra、more")


def test_depth_and_size_are_limited():
    deep = TOTAL
    for _level in range(6):
        deep = {"all": [deep]}
    with override("en"), pytest.raises(FieldError, match="nested too deeply"):
        check(deep)
    with override("en"), pytest.raises(FieldError, match="at most 100"):
        check({"all": [TOTAL] * 101})


def test_used_facts_without_repeats():
    assert used_facts({"all": [TOTAL, {"none": [PHONE, TOTAL]}]}) == ("amount.total", "phone.state")


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (TOTAL, "Order total is more than ¥5,000.00"),
        ({"fact": "amount.pieces", "op": "between", "value": [1, 3]}, "Pieces in the order is between 1 and 3"),
        ({"fact": "stock.is_short", "op": "yes"}, "Short of stock"),
        (
            {"all": [{"fact": "phone.state", "op": "in", "value": ["short", "fake"]}, {"any": [TOTAL, PHONE]}]},
            (
                "Phone number is one of Too few digits, Obviously made up and "
                "(Order total is more than ¥5,000.00 or Phone number is not Valid)"
            ),
        ),
        ({"none": [TOTAL]}, "not (Order total is more than ¥5,000.00)"),
        ({"fact": "gone.fact", "op": "is", "value": 1}, "unknown fact gone.fact"),
    ],
)
def test_the_sentence(condition, text):
    with override("en"):
        assert sentence(condition) == text


def test_values_as_people_read_them():
    change = facts.get("price.off_percent").details[0]
    with override("en"):
        assert show_value(facts.get("price.off_percent"), 45.2) == "45.2%"
        assert show_value(change, -45.0) == "-45%"
        assert show_value(facts.get("stock.is_short"), True) == "yes"
        assert show_value(facts.get("address.problems"), ["no_number"]) == "No house number"
        assert show_value(facts.get("phone.state"), None) == "unknown"
        assert show_value(facts.get("phone.state"), "gone") == "gone"
