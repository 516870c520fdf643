"""Words of installations that began with the older lists."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from triage.models import RuleSet, Term
from triage.services import load_defaults, publish_rules

amend = import_module("triage.migrations.0004_starter_words").amend
NEW = ["as_gift", "别着急", "不用太急", "勿加急", "无须加急"]


def terms():
    return set(Term.objects.values_list("vocabulary__key", "term", "match", "weight", "note", "is_active"))


@pytest.fixture
def started(rules):
    """The lists as they were before; returns what a new installation has."""
    new = terms()
    Term.objects.filter(term="as_gift").update(term="送人", match="contains", note="")
    Term.objects.filter(term__in=["桥头", "红绿灯"]).update(match="contains")
    Term.objects.filter(term__in=NEW).delete()
    publish_rules(actor="li")
    return new


def test_an_older_installation_gets_the_words_of_a_new_one(started):
    amend(apps, connection.schema_editor())
    assert terms() == started
    assert load_defaults().number == 3
    assert ["as_gift", "pattern", 1] in RuleSet.objects.get(number=3).snapshot["words"]["changes"]


def test_words_that_people_edited_stay(started):
    Term.objects.filter(term="送人").update(is_active=False)
    Term.objects.filter(term="桥头").update(note="镇上的桥")
    Term.objects.filter(term="红绿灯").delete()
    before = terms()
    amend(apps, connection.schema_editor())
    assert {row[1] for row in terms() - before} == set(NEW) - {"as_gift"}
    assert before <= terms()


def test_an_empty_database_has_no_words_to_amend(db):
    amend(apps, connection.schema_editor())
    assert not terms()
