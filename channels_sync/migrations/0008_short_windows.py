from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0007_own_platform"), ("orderhub", "0013_ship_rules")]

    operations = [
        migrations.AddField(
            model_name="backfill",
            name="counted",
            field=models.PositiveIntegerField(null=True, verbose_name="orders counted by the platform"),
        ),
        migrations.AddField(
            model_name="backfill",
            name="seen",
            field=models.PositiveIntegerField(null=True, verbose_name="orders seen"),
        ),
        migrations.AddField(
            model_name="backfill",
            name="short_tries",
            field=models.PositiveSmallIntegerField(default=0, editable=False),
        ),
        migrations.AddIndex(
            model_name="backfill",
            index=models.Index(
                condition=models.Q(("counted__isnull", False), ("state__in", ["waiting", "running", "failed"])),
                fields=["shop", "start"],
                name="backfill_short",
            ),
        ),
    ]
