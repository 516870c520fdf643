"""The worst lane that an order was ever in: the shares of the dashboard count it after the order was let go."""

from django.db import migrations, models


REMEMBER = """
    UPDATE orderhub_order o SET worst_lane = w.lane FROM (
        SELECT t.order_id, CASE WHEN bool_or(t.data ->> 'lane' = 'abnormal') THEN 'abnormal' ELSE 'to_confirm' END AS lane
        FROM orderhub_order r JOIN orderhub_timelineentry t ON t.order_id = r.id
        WHERE r.created_at > now() - interval '2 days' AND t.data ->> 'lane' IN ('to_confirm', 'abnormal')
        GROUP BY 1) w
    WHERE o.id = w.order_id
"""
"""Only what the dashboard looks back on, so that a large pool is not rewritten. Where it stays empty, the lane counts."""


class Migration(migrations.Migration):

    dependencies = [
        ('orderhub', '0018_token_every_shop'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='worst_lane',
            field=models.CharField(blank=True, choices=[('regular', 'Regular'), ('to_confirm', 'To confirm'), ('abnormal', 'Abnormal')], db_default='', default='', max_length=12, verbose_name='worst lane so far'),
        ),
        migrations.RunSQL(REMEMBER, migrations.RunSQL.noop, elidable=True),
    ]
