"""Hours to ship that campaigns promise, and where each order's deadline came from."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orderhub', '0012_merge_window_default'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='ship_by_source',
            field=models.CharField(blank=True, choices=[('channel', 'Channel'), ('agreed', 'Agreed with the buyer'), ('campaign', 'Campaign'), ('default', 'Hours of the shop')], db_default='', default='', max_length=8, verbose_name='deadline from'),
        ),
        migrations.CreateModel(
            name='ShipRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Campaign or reason, shown with each order.', max_length=100, verbose_name='name')),
                ('platform', models.CharField(blank=True, default='', help_text='Only without a shop. Empty means all.', max_length=50, verbose_name='platform')),
                ('ship_hours', models.PositiveSmallIntegerField(help_text='Counted from payment, of a presale from that of the balance: 24, 48, 72…', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(720)], verbose_name='hours to ship')),
                ('starts_at', models.DateTimeField(verbose_name='paid from')),
                ('ends_at', models.DateTimeField(verbose_name='paid before')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('set_by', models.CharField(blank=True, default='', editable=False, max_length=150, verbose_name='entered by')),
                ('shop', models.ForeignKey(blank=True, help_text='Empty means every shop.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='orderhub.shop', verbose_name='shop')),
            ],
            options={
                'verbose_name': 'campaign ship deadline',
                'verbose_name_plural': 'campaign ship deadlines',
                'ordering': ['-starts_at', '-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='ship_rule_ends_later', violation_error_message='The end must be later than the start.'), models.CheckConstraint(condition=models.Q(('shop__isnull', True), ('platform', ''), _connector='OR'), name='ship_rule_shop_or_platform', violation_error_message='Choose a shop or a platform, not both.'), models.CheckConstraint(condition=models.Q(('ship_hours__gte', 1), ('ship_hours__lte', 720)), name='ship_rule_hours')],
            },
        ),
    ]
