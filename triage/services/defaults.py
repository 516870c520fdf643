"""The starter rules and word lists, loaded by `manage.py setup`."""

from django.db import transaction

from triage.defaults.rules import RULES
from triage.defaults.words import word_lists
from triage.models import Rule, RuleSet, Term, Vocabulary
from triage.services.publishing import publish_rules

ACTOR = "system"


@transaction.atomic
def load_defaults() -> RuleSet:
    """Add the starter rules and word lists that are missing and publish; returns the version in force.

    What people edited stays: a rule is added only while none has its code, the terms of a list only with the list
    itself, so a term that somebody deleted does not come back. A term that changes in a later release comes by a
    migration, which leaves edited ones alone.
    """
    known = set(Rule.objects.values_list("code", flat=True))
    Rule.objects.bulk_create(
        (
            Rule(**rule, priority=order * 10, is_builtin=True)
            for order, rule in enumerate(RULES, start=1)
            if rule["code"] not in known
        ),
        ignore_conflicts=True,
    )
    _add_words()
    return publish_rules(actor=ACTOR)


def _add_words() -> None:
    known = set(Vocabulary.objects.values_list("key", flat=True))
    missing = {words.key: words for words in word_lists() if words.key not in known}
    made = Vocabulary.objects.bulk_create(
        Vocabulary(key=words.key, name=words.name, help=words.help, holds_regions=words.holds_regions)
        for words in missing.values()
    )
    Term.objects.bulk_create(
        Term(vocabulary=row, term=term.text, match=term.match, weight=term.weight, note=note, is_active=active)
        for row in made
        for term, note, active in missing[row.key].terms
    )
