from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0008_short_windows")]

    operations = [
        migrations.AddField(
            model_name="shopsync",
            name="clock_ahead",
            field=models.PositiveIntegerField(default=0, verbose_name="clock ahead (s)"),
        ),
    ]
