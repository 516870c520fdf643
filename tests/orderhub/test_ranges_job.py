from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from channels_sync.models import Backfill, Reconciliation
from orderhub import schedules
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


def test_every_shop_s_first_back_fill_and_comparison_gets_a_turn_of_its_own():
    now = timezone.now()
    span = {"start": now - timedelta(hours=1), "end": now, "position": now - timedelta(hours=1), "actor": "meimei"}
    shops = [make_shop(platform="taobao") for _ in range(2)]
    fills = [Backfill.objects.create(shop=shop, **span) for shop in (*shops, shops[0])]
    waits = Reconciliation.objects.create(shop=shops[0], next_attempt_at=now + timedelta(minutes=5), **span)
    job = Reconciliation.objects.create(shop=shops[1], **span)
    schedules.work_ranges()
    asked = sorted(row.task["args"] for row in OrmQ.objects.all())
    assert asked == [
        ("channels_sync.services.backfill.run", fills[0].pk),
        ("channels_sync.services.backfill.run", fills[1].pk),
        ("channels_sync.services.reconcile.run", job.pk),
    ]
    assert waits.pk not in {row_id for func, row_id in asked if "reconcile" in func}
