"""Starter words that found what they did not mean (送人民医院, 桥头路), and calm words that were missing.

Only rows that nobody edited are changed. `manage.py setup` publishes the lists afterwards.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CALM = ("别着急", "不用太急", "勿加急", "无须加急")
CHANGED = (
    ("changes", "送人", {"term": "as_gift", "match": "pattern", "note": "送人，不含“送人民医院”"}),
    ("directions", "桥头", {"term": "桥头", "match": "ends", "note": ""}),
    ("directions", "红绿灯", {"term": "红绿灯", "match": "ends", "note": ""}),
)
"""List, term, and what it becomes; such a term is found anywhere in a text."""


def amend(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Bring the words of an existing installation to what a new one starts with."""
    alias = editor.connection.alias
    terms = apps.get_model("triage", "Term").objects.using(alias)
    for key, term, becomes in CHANGED:
        listed = terms.filter(vocabulary__key=key)
        if not listed.filter(term=becomes["term"], match=becomes["match"]).exists():
            listed.filter(term=term, match="contains", weight=1, note="", is_active=True).update(**becomes)
    calm = apps.get_model("triage", "Vocabulary").objects.using(alias).filter(key="calm").first()
    if calm is not None:
        rows = (terms.model(vocabulary=calm, term=term, match="contains") for term in CALM)
        terms.bulk_create(rows, ignore_conflicts=True)


class Migration(migrations.Migration):
    """Runs `amend`; going back changes nothing."""

    dependencies = [("triage", "0003_shipping_stop")]

    operations = [migrations.RunPython(amend, migrations.RunPython.noop, elidable=True)]
