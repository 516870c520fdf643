import pytest
from django.core.exceptions import ValidationError

from triage.models import IpListing, Rule, Term, Vocabulary


def test_starter_rules_are_clean(rules):
    for rule in Rule.objects.all():
        rule.full_clean()
        assert rule.name_zh
        assert rule.name_en


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"condition": {"fact": "gone", "op": "yes"}}, "condition"),
        ({"reason_en": "Phone {price.unit}"}, "reason_en"),
        ({"clear_zh": "{nothing}"}, "clear_zh"),
        ({"severity": 6}, "severity"),
        ({"code": "no spaces"}, "code"),
    ],
)
def test_a_rule_says_what_is_wrong_with_it(rules, changes, field):
    rule = Rule.objects.get(code="phone_invalid")
    for name, value in changes.items():
        setattr(rule, name, value)
    with pytest.raises(ValidationError) as caught:
        rule.full_clean()
    assert set(caught.value.message_dict) == {field}


def test_terms_of_patterns_and_regions_are_checked(rules):
    urgency, remote = Vocabulary.objects.get(key="urgency"), Vocabulary.objects.get(key="remote_regions")
    with pytest.raises(ValidationError, match="before_date"):
        Term(vocabulary=urgency, term=".*", match="pattern").full_clean()
    with pytest.raises(ValidationError):
        Term(vocabulary=remote, term="火星", match="starts").full_clean()
    Term(vocabulary=remote, term=" 云南 ", match="starts").full_clean()


def test_a_network_is_written_in_its_canonical_form(db):
    listing = IpListing(network="203.0.113.9/24")
    listing.full_clean()
    assert listing.network == "203.0.113.0/24"
    with pytest.raises(ValidationError):
        IpListing(network="office").full_clean()
