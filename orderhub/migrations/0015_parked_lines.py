"""Pieces that orders before the gate will reserve. Orders that wait already have none until a newer version comes."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

OPTIONS = {
    # As the queue itself: rows come and go in bulk, and the stock lane walks over them twice a second.
    'autovacuum_vacuum_scale_factor': '0.01',
    'autovacuum_analyze_scale_factor': '0.02',
    'vacuum_index_cleanup': 'on',
}
SET = ', '.join(f'{name} = {value}' for name, value in OPTIONS.items())


class Migration(migrations.Migration):

    dependencies = [
        ('orderhub', '0014_reveal_shown'),
    ]

    operations = [
        migrations.CreateModel(
            name='ParkedLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sku', models.CharField(max_length=100, verbose_name='SKU')),
                ('quantity', models.PositiveIntegerField(verbose_name='pieces')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('parked', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='orderhub.parkedorder')),
                ('shop', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orderhub.shop', verbose_name='shop')),
            ],
            options={
                'verbose_name': 'line of a parked order',
                'verbose_name_plural': 'lines of parked orders',
                'default_permissions': (),
                'indexes': [models.Index(fields=['at'], name='parkedline_at')],
                'constraints': [models.UniqueConstraint(fields=('parked', 'sku', 'shop'), name='parkedline_order_sku')],
            },
        ),
        migrations.RunSQL(f'ALTER TABLE orderhub_parkedline SET ({SET})', migrations.RunSQL.noop),
    ]
