"""What the weights of urgency do: the list said that 2 only marks, but such orders go to the warehouse at once as well.

Only a text that nobody edited is changed.
"""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

BEFORE = "备注中的加急词；权重 3 标红并立即通知仓库，2 标红，1 只作提示。"
NOW = "备注中的加急词；权重 3（特急）、2（加急）标红并立即推仓，1 只作提示。"


def reword(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Say it of the list of an existing installation as of a new one's."""
    lists = apps.get_model("triage", "Vocabulary").objects.using(editor.connection.alias)
    lists.filter(key="urgency", help=BEFORE).update(help=NOW)


class Migration(migrations.Migration):
    """Runs `reword`; going back leaves the text."""

    dependencies = [("triage", "0005_hold_and_change_words")]

    operations = [
        migrations.AlterField(
            model_name="rule",
            name="severity",
            field=models.PositiveSmallIntegerField(
                default=2,
                help_text="1 to 5, orders the reasons. Urgent mark: 1 hint, from 2 on red and to the warehouse at once.",
                verbose_name="severity",
            ),
        ),
        migrations.RunPython(reword, migrations.RunPython.noop, elidable=True),
    ]
