"""What people edit takes effect through here: saved and published in one transaction."""

from collections.abc import Sequence

from django.db import transaction

from triage.models import Rule, RuleSet, RuleState
from triage.services.publishing import publish_rules


@transaction.atomic
def save_rule(*, rule: Rule, actor: str) -> RuleSet:
    """Check and save one rule and publish. Raises ValidationError by field; then nothing is written."""
    rule.full_clean()
    rule.save()
    return publish_rules(actor=actor)


@transaction.atomic
def set_rule_state(*, rule_ids: Sequence[int], state: str, actor: str) -> int:
    """Switch rules on, off or to shadow, publish, and return how many changed."""
    if state not in RuleState.values:
        raise ValueError(f"no such state: {state}")
    changed = Rule.objects.filter(pk__in=rule_ids).exclude(state=state).update(state=state)
    if changed:
        publish_rules(actor=actor)
    return changed


@transaction.atomic
def delete_rules(*, rule_ids: Sequence[int], actor: str) -> int:
    """Delete rules that people made, publish, and return how many; rules of the product can only be switched off."""
    deleted, _by_model = Rule.objects.filter(pk__in=rule_ids, is_builtin=False).delete()
    if deleted:
        publish_rules(actor=actor)
    return deleted
