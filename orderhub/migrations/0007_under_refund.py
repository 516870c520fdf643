"""What lies under an open refund, when it was asked, and when an order left the warehouse."""

from django.db import migrations, models


COVER = """
    UPDATE orderhub_order SET under_refund = CASE WHEN warehouse_claim = '' THEN 'paid' ELSE warehouse_claim END
    WHERE status = 'refunding' AND under_refund = ''
"""
"""Orders in the middle of a refund stand where the warehouse said last; before it, they are judged again."""


class Migration(migrations.Migration):

    dependencies = [
        ('orderhub', '0006_shipments'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='left_at',
            field=models.DateTimeField(null=True, verbose_name='left the warehouse'),
        ),
        migrations.AddField(
            model_name='order',
            name='refund_at',
            field=models.DateTimeField(null=True, verbose_name='refund asked'),
        ),
        migrations.AddField(
            model_name='order',
            name='under_refund',
            field=models.CharField(blank=True, choices=[('unpaid', 'Awaiting payment'), ('presale_deposit', 'Deposit paid'), ('paid', 'Awaiting triage'), ('in_triage_hold', 'Held by triage'), ('ready', 'Ready for the warehouse'), ('wms_queued', 'Being sent to the warehouse'), ('wms_accepted', 'Accepted by the warehouse'), ('picking', 'Picking'), ('packed', 'Packed'), ('awaiting_pickup', 'Awaiting courier pick-up'), ('in_transit', 'In transit'), ('out_for_delivery', 'Out for delivery'), ('delivered', 'Delivered'), ('completed', 'Completed'), ('cancelled', 'Cancelled'), ('refunding', 'Refund in progress'), ('refunded', 'Refunded'), ('intercepting', 'Being intercepted'), ('wms_failed', 'Warehouse push failed'), ('short', 'Short of stock'), ('returning', 'Returning')], db_default='', default='', max_length=20, verbose_name='status under the refund'),
        ),
        migrations.RunSQL(COVER, migrations.RunSQL.noop, elidable=True),
    ]
