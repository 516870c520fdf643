"""Channel items known under several merchant codes were told the stock of each in turn: nobody knows what they show."""

from django.db import migrations

FORGET = """
    UPDATE channels_sync_listing l SET shown = NULL
    WHERE l.shown IS NOT NULL AND (l.item_id <> '' OR l.sku_id <> '') AND EXISTS (
        SELECT FROM channels_sync_listing n WHERE n.shop_id = l.shop_id AND n.item_id = l.item_id
            AND n.sku_id = l.sku_id AND n.id <> l.id)
"""


class Migration(migrations.Migration):

    dependencies = [
        ('channels_sync', '0009_clock_ahead'),
    ]

    operations = [migrations.RunSQL(FORGET, migrations.RunSQL.noop, elidable=True)]
