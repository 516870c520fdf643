from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0004_completeness")]

    operations = [
        migrations.AddField(
            model_name="shopsync",
            name="error_cause",
            field=models.CharField(blank=True, default="", max_length=20, verbose_name="cause"),
        ),
    ]
