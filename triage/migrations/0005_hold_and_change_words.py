"""Everyday wordings of "do not ship yet" and "change it" that the starter lists did not find.

A word that somebody has in the list already stays as it is. `manage.py setup` publishes the lists afterwards.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NEW = (
    ("not_urgency", "contains", "不赶紧", "含“不赶”，但是在催"),
    ("not_urgency", "contains", "不赶快", "含“不赶”，但是在催"),
    ("changes", "pattern", "change_of", "改下地址、换个颜色、改成黑色、换成 L 码"),
    ("changes", "pattern", "wrong_field", "地址填错了、地址有误、收件人改成某某"),
    ("ship_later", "contains", "晚一点发", ""),
    ("ship_later", "contains", "迟几天发", ""),
    ("ship_hold", "pattern", "not_yet", "不要发货、暂时别发、先不要寄、推迟发货"),
    ("ship_hold", "pattern", "on_notice", "等我通知、等我确认再发"),
)
"""List, how it matches, term and note."""
AFTER_DATE = ("X 号以后发、X 号前别发", "X 号再发、下周一以后发、双 11 后发、晚两天发、X 号前别发")
"""What the note of that pattern said and says."""


def add(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Bring the words of an existing installation to what a new one starts with."""
    alias = editor.connection.alias
    terms = apps.get_model("triage", "Term").objects.using(alias)
    lists = dict(apps.get_model("triage", "Vocabulary").objects.using(alias).values_list("key", "pk"))
    rows = (
        terms.model(vocabulary_id=lists[key], term=term, match=match, note=note)
        for key, match, term, note in NEW
        if key in lists
    )
    terms.bulk_create(rows, ignore_conflicts=True)
    old, new = AFTER_DATE
    terms.filter(vocabulary__key="ship_hold", term="after_date", match="pattern", note=old).update(note=new)


class Migration(migrations.Migration):
    """Runs `add`; going back changes nothing."""

    dependencies = [("triage", "0004_starter_words")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop, elidable=True)]
