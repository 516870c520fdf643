"""Tables that work passes through: their dead rows are cleared soon, and what was set aside has an index of its own."""

from django.db import migrations, models

QUEUES = ('orderhub_effect', 'orderhub_inboxitem', 'orderhub_parkedorder', 'orderhub_warehousereport')
OPTIONS = {
    # By default a fifth of the table has to be dead first, and a worker that looks for the next rows walks over them.
    'autovacuum_vacuum_scale_factor': '0.01',
    'autovacuum_analyze_scale_factor': '0.02',
    # A vacuum that finds dead rows on few pages only leaves them in the indexes; here they lie side by side.
    'vacuum_index_cleanup': 'on',
    'toast.autovacuum_vacuum_scale_factor': '0.01',
}
SET = ', '.join(f'{name} = {value}' for name, value in OPTIONS.items())


class Migration(migrations.Migration):

    dependencies = [
        ('orderhub', '0008_given_back'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='inboxitem',
            index=models.Index(condition=models.Q(('state', 'dead')), fields=['received_at', 'id'], name='inbox_dead'),
        ),
        migrations.AddIndex(
            model_name='warehousereport',
            index=models.Index(condition=models.Q(('state', 'dead')), fields=['received_at', 'id'], name='report_dead'),
        ),
        *(
            migrations.RunSQL(f'ALTER TABLE {table} SET ({SET})', f'ALTER TABLE {table} RESET ({", ".join(OPTIONS)})')
            for table in QUEUES
        ),
    ]
