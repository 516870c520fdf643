from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('triage', '0001_triage'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='finding',
            index=models.Index(condition=models.Q(('accepted_at__isnull', True), ('cleared_at__isnull', True), ('code', 'changed_after_push')), fields=['found_at', 'order'], name='finding_after_push'),
        ),
    ]
