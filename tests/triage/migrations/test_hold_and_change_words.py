"""Words of installations that began before these wordings were known."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from triage.models import RuleSet, Term
from triage.services import load_defaults, publish_rules

migration = import_module("triage.migrations.0005_hold_and_change_words")
OLD_NOTE = migration.AFTER_DATE[0]


def terms():
    return set(Term.objects.values_list("vocabulary__key", "term", "match", "weight", "note", "is_active"))


@pytest.fixture
def started(rules):
    """The lists as they were before; returns what a new installation has."""
    new = terms()
    for key, match, term, _note in migration.NEW:
        assert Term.objects.filter(vocabulary__key=key, match=match, term=term).delete()[0] == 1
    assert Term.objects.filter(term="after_date").update(note=OLD_NOTE) == 1
    publish_rules(actor="li")
    return new


def test_an_older_installation_gets_the_words_of_a_new_one(started):
    migration.add(apps, connection.schema_editor())
    assert terms() == started
    assert ["not_yet", "pattern", 1] in load_defaults().snapshot["words"]["ship_hold"]
    assert ["wrong_field", "pattern", 1] in RuleSet.objects.latest("number").snapshot["words"]["changes"]


def test_words_that_people_edited_stay(started):
    Term.objects.filter(term="after_date").update(note="节后", is_active=False)
    later = Term.objects.get(vocabulary__key="ship_later", term="晚点发").vocabulary
    Term.objects.create(vocabulary=later, term="晚一点发", note="自己加的", is_active=False)
    before = terms()
    migration.add(apps, connection.schema_editor())
    assert before <= terms()
    assert {row[1] for row in terms() - before} == {term for _key, _match, term, _note in migration.NEW} - {"晚一点发"}


def test_an_empty_database_gets_no_words(db):
    migration.add(apps, connection.schema_editor())
    assert not terms()
