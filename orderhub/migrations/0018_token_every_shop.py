"""Whether a token is for every shop, apart from the list of its shops, which may become empty."""

from django.db import migrations, models


FOR_EVERY_SHOP = """
    UPDATE orderhub_apitoken t SET every_shop = true
    WHERE NOT EXISTS (SELECT FROM orderhub_apitoken_shops s WHERE s.apitoken_id = t.id)
"""
"""Tokens that name no shop; of them nobody can tell any more whether they once did."""


class Migration(migrations.Migration):

    dependencies = [
        ('orderhub', '0017_shop_off_help'),
    ]

    operations = [
        migrations.AddField(
            model_name='apitoken',
            name='every_shop',
            field=models.BooleanField(db_default=False, editable=False, verbose_name='every shop'),
        ),
        migrations.RunSQL(FOR_EVERY_SHOP, migrations.RunSQL.noop, elidable=True),
    ]
