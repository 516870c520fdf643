"""The fact catalogue as the rule editor needs it."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from triage.conditions import GROUPS, OPERATORS, show_value
from triage.predicates.base import Fact, facts

TOPICS: dict[str, str | Promise] = {
    "address": pgettext_lazy("topic", "Address"),
    "amount": pgettext_lazy("topic", "Amounts and quantities"),
    "buyer": pgettext_lazy("topic", "Buyer"),
    "duplicate": pgettext_lazy("topic", "Repeated purchases"),
    "ip": pgettext_lazy("topic", "Internet address"),
    "order": pgettext_lazy("topic", "Order"),
    "phone": pgettext_lazy("topic", "Phone"),
    "price": pgettext_lazy("topic", "Price"),
    "region": pgettext_lazy("topic", "Region"),
    "remark": pgettext_lazy("topic", "Remarks"),
    "stock": pgettext_lazy("topic", "Stock"),
}
_WORDS = {
    "all": _("all of"),
    "any": _("at least one of"),
    "none": _("none of"),
    "add_condition": _("Add condition"),
    "add_group": _("Add group"),
    "remove": _("Remove"),
    "and": _("and"),
    "broken": _("This condition cannot be shown as rows; correct it as text."),
    "as_text": _("Show as text"),
    "as_rows": _("Show as rows"),
    "comma": _("several, separated by commas"),
    "yuan": _("yuan"),
}


def catalogue() -> list[dict[str, Any]]:
    """Return all facts by topic, each with what the list beside the editor shows."""
    by_topic: dict[str, list[dict[str, Any]]] = {}
    for fact in facts.values():
        by_topic.setdefault(fact.topic, []).append(_shown(fact))
    return [
        {"key": topic, "label": str(TOPICS.get(topic, topic)), "facts": rows}
        for topic, rows in sorted(by_topic.items())
    ]


def editor_data() -> dict[str, Any]:
    """Return what the editor's script works with: facts, operators by type, and its words."""
    return {
        "topics": catalogue(),
        "operators": {
            type_.value: [
                {"key": operator.key, "label": str(operator.label), "takes": operator.takes}
                for operator in operators.values()
            ]
            for type_, operators in OPERATORS.items()
        },
        "groups": {key: str(label) for key, label in GROUPS.items()},
        "words": {key: str(text) for key, text in _WORDS.items()},
    }


def _shown(fact: Fact) -> dict[str, Any]:
    return {
        "key": fact.key,
        "label": str(fact.label),
        "type": fact.type.value,
        "unit": str(fact.unit),
        "help": str(fact.about),
        "example": show_value(fact, fact.example),
        "choices": [[key, str(label)] for key, label in fact.choices.items()],
        "details": [[detail.key, str(detail.label)] for detail in fact.details],
    }
