"""Since when an order is held in its lane: the clock of the lane "to confirm", whoever judges the order meanwhile."""

from django.conf import settings
from django.db import migrations, models


SINCE = f"""
    UPDATE orderhub_order o SET held_since = coalesce(
        (SELECT max((e.payload ->> 'confirm_by')::timestamptz) - interval '{settings.HUB_CONFIRM_MINUTES} minutes'
            FROM orderhub_effect e
            WHERE e.order_id = o.id AND e.kind = 'popup' AND e.state <> 'cancelled' AND o.lane = 'to_confirm'),
        (SELECT max(t.at) FROM orderhub_timelineentry t WHERE t.order_id = o.id AND t.status_to = 'in_triage_hold'),
        o.triaged_at)
    WHERE o.status = 'in_triage_hold'
"""
"""What the popup told the agent is the clock of an order that waits for its buyer."""


class Migration(migrations.Migration):

    dependencies = [
        ('orderhub', '0019_worst_lane'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='held_since',
            field=models.DateTimeField(null=True, verbose_name='held since'),
        ),
        migrations.RunSQL(SINCE, migrations.RunSQL.noop, elidable=True),
    ]
