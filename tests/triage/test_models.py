from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils.translation import override

from orderhub.models import Warehouse
from tests.triage.judge import NOW
from triage.models import CampaignPrice, IpListing, Rule, ShippingStop, Term, Vocabulary


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


def stop(**changes):
    values = {"region": "新疆", "starts_at": NOW, "ends_at": NOW + timedelta(days=1), "reason": "暴雪"}
    return ShippingStop(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"region": "火星"}, "region"),
        ({"courier": "某快递"}, "courier"),
        ({"ends_at": NOW}, "ends_at"),
        ({"reason": ""}, "reason"),
    ],
)
def test_a_stop_that_would_stop_nothing_is_refused(db, changes, field):
    with pytest.raises(ValidationError) as caught:
        stop(**changes).full_clean(validate_constraints=False)
    assert set(caught.value.message_dict) == {field}


@pytest.mark.parametrize(("typed", "code"), [("顺丰速运", "SF"), ("yto", "YTO"), (" own-1", "OWN-1"), ("", "")])
def test_the_courier_of_a_stop_is_kept_as_its_code(db, typed, code):
    Warehouse.objects.create(code="W1", name="W1", settings={"carrier": "OWN-1"})
    Warehouse.objects.create(code="W2", name="W2")
    made = stop(courier=typed)
    with override("zh-hans"):
        made.full_clean()
    assert made.courier == code


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({}, {}),
        ({"price_fen": 0}, {"price_fen": ["must be above ¥0"]}),
        ({"ends_at": NOW}, {"ends_at": ["must be later than the start"]}),
        (
            {"price_fen": -1, "ends_at": NOW - timedelta(days=1)},
            {"price_fen": ["must be above ¥0"], "ends_at": ["must be later than the start"]},
        ),
    ],
)
def test_a_campaign_price_says_at_the_field_what_is_wrong(db, changes, errors):
    row = CampaignPrice(**{"sku": "A", "price_fen": 100, "starts_at": NOW, "ends_at": NOW + timedelta(1), **changes})
    with override("en"):
        try:
            row.full_clean()
        except ValidationError as error:
            assert error.message_dict == errors
        else:
            assert errors == {}
