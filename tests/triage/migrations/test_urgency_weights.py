"""What an installation that began with the older lists says of the weights of urgency."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from triage.models import Vocabulary

reword = import_module("triage.migrations.0006_urgency_weights").reword
BEFORE = "备注中的加急词；权重 3 标红并立即通知仓库，2 标红，1 只作提示。"


@pytest.fixture
def urgency(rules):
    """The list as a new installation has it."""
    return Vocabulary.objects.get(key="urgency")


def test_an_older_installation_says_the_same_as_a_new_one(urgency):
    Vocabulary.objects.filter(key="urgency").update(help=BEFORE)
    reword(apps, connection.schema_editor())
    assert Vocabulary.objects.get(key="urgency").help == urgency.help
    assert urgency.help == "备注中的加急词；权重 3（特急）、2（加急）标红并立即推仓，1 只作提示。"


def test_a_text_that_people_edited_stays(urgency):
    Vocabulary.objects.filter(key="urgency").update(help="急单用词")
    reword(apps, connection.schema_editor())
    assert Vocabulary.objects.get(key="urgency").help == "急单用词"
