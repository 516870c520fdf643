"""The rule-set version in force, and the texts of older ones; both kept per process, as versions never change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import get_language

from orderhub.core.errors import TemporaryError
from triage.conditions import used_facts
from triage.engine import ON, CompiledRules
from triage.models import RuleSet

KEPT_VERSIONS, KEPT_TEXTS = 4, 50

_compiled: dict[tuple[int, str], CompiledRules] = {}
_texts: dict[int, "VersionTexts"] = {}


@dataclass(slots=True, frozen=True)
class RuleTexts:
    """How one rule of one version speaks."""

    names: tuple[str, str]
    reasons: tuple[str, str]
    clears: tuple[str, str]
    outcome: str

    @staticmethod
    def pick(texts: tuple[str, str]) -> str:
        """Return the text of the active language; `texts` is Chinese and English."""
        return texts[0] if (get_language() or "zh").startswith("zh") else texts[1]


@dataclass(slots=True, frozen=True)
class VersionTexts:
    """The number of a version, its rules' texts by code, and the facts that its rules with an effect ask for."""

    number: int
    rules: Mapping[str, RuleTexts]
    asked: frozenset[str]


def current_rules() -> CompiledRules:
    """Return the newest published version, compiled once per process.

    One query by the unique number per call, so that every worker follows a publication at its next batch. Raises
    TemporaryError while nothing is published: an order must not pass unjudged.
    """
    with connection.cursor() as cursor:
        # In plain SQL, as it is asked for every batch: to build it by the ORM takes longer than to answer it.
        cursor.execute("SELECT id, digest FROM triage_ruleset ORDER BY number DESC LIMIT 1")
        newest = cursor.fetchone()
    if newest is None:
        raise TemporaryError("no rule set is published; run `manage.py setup`")
    found = _compiled.get(newest)
    if found is None:
        while len(_compiled) >= KEPT_VERSIONS:
            _compiled.pop(next(iter(_compiled)))
        found = _compiled[newest] = CompiledRules(newest[0], RuleSet.objects.get(pk=newest[0]).snapshot)
    return found


def version_texts(rule_set_ids: Iterable[int]) -> dict[int, VersionTexts]:
    """Return the texts of these versions; one query for those not met before."""
    wanted = set(rule_set_ids)
    found = {key: texts for key in wanted if (texts := _texts.get(key))}
    missing = wanted - found.keys()
    if missing:
        rows = RuleSet.objects.filter(pk__in=missing).values_list("pk", "number", "snapshot")
        for key, number, snapshot in rows:
            rules = snapshot["rules"]
            found[key] = VersionTexts(number, {rule["code"]: _rule_texts(rule) for rule in rules}, _asked(rules))
        while len(_texts) > KEPT_TEXTS:
            _texts.pop(next(iter(_texts)))
        _texts.update({key: found[key] for key in missing if key in found})
    return found


def newest_version() -> VersionTexts | None:
    """Return the texts of the version in force."""
    newest = RuleSet.objects.order_by("-number").values_list("pk", flat=True).first()
    return version_texts([newest]).get(newest) if newest else None


def _asked(rules: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(key for rule in rules if rule["state"] == ON for key in used_facts(rule["condition"]))


def _rule_texts(rule: Mapping[str, Any]) -> RuleTexts:
    return RuleTexts(
        (rule["name_zh"], rule["name_en"]),
        (rule["reason_zh"], rule["reason_en"]),
        (rule["clear_zh"], rule["clear_en"]),
        rule["outcome"],
    )
