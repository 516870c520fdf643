"""Publishing: the rules and word lists as they stand become a version that never changes."""

from hashlib import sha256
from typing import Any

import orjson
from django.db import connection, transaction

from triage.models import Rule, RuleSet, Term, Vocabulary

_LOCK = 0x7472_6961_6765
"""Key of the transaction lock under which version numbers are given."""
_FIELDS = (
    "code", "name_zh", "name_en", "condition", "outcome", "severity", "priority", "state",
    "reason_zh", "reason_en", "clear_zh", "clear_en",
)  # fmt: skip


@transaction.atomic
def publish_rules(*, actor: str) -> RuleSet:
    """Publish what is edited as the next version and return it; when nothing changed, the current one.

    Workers judge with it from their next batch on.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    snapshot = _snapshot()
    digest = sha256(orjson.dumps(snapshot, option=orjson.OPT_SORT_KEYS)).hexdigest()
    newest = RuleSet.objects.order_by("-number").only("number", "digest").first()
    if newest is not None and newest.digest == digest:
        return newest
    number = newest.number + 1 if newest else 1
    return RuleSet.objects.create(number=number, snapshot=snapshot, digest=digest, published_by=actor[:150])


def _snapshot() -> dict[str, Any]:
    words: dict[str, list[list[Any]]] = {key: [] for key in Vocabulary.objects.values_list("key", flat=True)}
    terms = Term.objects.filter(is_active=True).order_by("vocabulary__key", "-weight", "term", "match")
    for key, term, match, weight in terms.values_list("vocabulary__key", "term", "match", "weight"):
        words[key].append([term, match, weight])
    rules = list(Rule.objects.order_by("priority", "code").values(*_FIELDS))
    return {"rules": rules, "words": words}
