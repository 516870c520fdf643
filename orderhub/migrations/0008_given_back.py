"""How many delivery orders of an order the warehouse gave back."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orderhub', '0007_under_refund'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='given_back',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, verbose_name='given back by the warehouse'),
        ),
    ]
