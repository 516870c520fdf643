import pytest
from django.utils.translation import override

from orderhub.core.errors import FieldError
from triage.defaults.rules import RULES
from triage.phrases import check_template, fill, shown_values

PRICE = {"fact": "price.off_percent", "op": "gt", "value": 30}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["code"])
def test_starter_rules_name_only_values_they_have(rule):
    for name in ("reason_zh", "reason_en", "clear_zh", "clear_en"):
        check_template(rule[name], rule["condition"])


def test_an_unknown_value_is_refused():
    with override("en"), pytest.raises(FieldError, match=r"\{phone.state\} is not a value of this rule"):
        check_template("电话 {phone.state}", PRICE)


def test_values_are_filled_in_and_a_missing_one_is_a_dash():
    values = {"price.sku": "SERUM-30", "price.unit": 18_700, "price.change": 45.0}
    assert fill("{price.sku} {price.unit} {price.change} {price.baseline}", values) == "SERUM-30 ¥187.00 +45% —"


def test_braces_of_a_value_are_not_filled_again():
    assert fill("{price.sku}", {"price.sku": "{price.unit}", "price.unit": 1}) == "{price.unit}"


def test_shown_values_leave_out_what_is_empty_or_unknown():
    with override("en"):
        shown = shown_values({"phone.state": "short", "address.ends_with": "", "gone": 1, "price.unit": None})
    assert shown == [("Phone number", "Too few digits")]
