"""The starter rules and word lists, loaded by `manage.py setup`."""

from django.db import transaction

from triage.defaults.rules import RULES
from triage.defaults.words import word_lists
from triage.models import Rule, RuleSet, Term, Vocabulary
from triage.services.publishing import publish_rules

ACTOR = "system"


@transaction.atomic
def load_defaults() -> RuleSet:
    """Add the starter rules and word lists that are missing and publish them; returns the version in force.

    What people edited stays: a rule is added only while none has its code, the terms of a list only with the list
    itself, so a term that somebody deleted does not come back.
    """
    for order, rule in enumerate(RULES, start=1):
        Rule.objects.get_or_create(code=rule["code"], defaults={**rule, "priority": order * 10, "is_builtin": True})
    for words in word_lists():
        vocabulary, created = Vocabulary.objects.get_or_create(
            key=words.key,
            defaults={"name": words.name, "help": words.help, "holds_regions": words.holds_regions},
        )
        if created:
            Term.objects.bulk_create(
                Term(
                    vocabulary=vocabulary, term=term.text, match=term.match, weight=term.weight, note=note,
                    is_active=active,
                )
                for term, note, active in words.terms
            )  # fmt: skip
    newest = RuleSet.objects.order_by("-number").first()
    has_new = newest is None or {r["code"] for r in newest.snapshot["rules"]} < {r["code"] for r in RULES}
    return publish_rules(actor=ACTOR) if newest is None or has_new else newest
