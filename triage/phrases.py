"""Reason templates: `单价偏离 {price.change}` becomes a sentence with the values of one finding."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from orderhub.core.errors import FieldError
from triage.conditions import show_value, used_facts
from triage.predicates.base import Detail, Fact, facts

_PLACE = re.compile(r"\{([a-z0-9_.]+)\}")


def specs(fact_keys: Any = None) -> dict[str, Fact | Detail]:
    """Return what is known about each value by its key, for the given facts or for all."""
    found: dict[str, Fact | Detail] = {}
    for key in facts if fact_keys is None else fact_keys:
        if key in facts:
            fact = facts.get(key)
            found[key] = fact
            found.update({detail.key: detail for detail in fact.details})
    return found


def check_template(template: str, condition: Mapping[str, Any]) -> None:
    """Raise FieldError when a template names a value that the condition's facts do not give."""
    known = specs(used_facts(condition))
    for name in _PLACE.findall(template):
        if name not in known:
            message = _("{%(name)s} is not a value of this rule; possible: %(known)s")
            raise FieldError("template", message % {"name": name, "known": _(", ").join(known)})


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Return a template with the values of a finding; a value that is not there shows as a dash."""
    known = specs()

    def show(found: re.Match[str]) -> str:
        key = found.group(1)
        spec = known.get(key)
        value = values.get(key)
        if spec is None or value is None:
            return "—"
        return show_value(spec, value)

    return _PLACE.sub(show, template)


def shown_values(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a finding's values as pairs of label and text, in the order they were kept."""
    known = specs()
    return [
        (str(known[key].label), show_value(known[key], value))
        for key, value in values.items()
        if key in known and value is not None and value != "" and value != []
    ]
