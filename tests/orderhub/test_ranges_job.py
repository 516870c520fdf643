from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from channels_sync.models import Backfill, Reconciliation
from orderhub import schedules
from orderhub.services import leases
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def span():
    now = timezone.now()
    return {"start": now - timedelta(hours=1), "end": now, "position": now - timedelta(hours=1), "actor": "meimei"}


def asked():
    return sorted(row.task["args"] for row in OrmQ.objects.all())


def test_every_shop_s_first_back_fill_and_comparison_gets_a_turn_of_its_own(span, settings):
    settings.HUB_WORKERS = 8
    shops = [make_shop(platform="taobao") for _ in range(2)]
    fills = [Backfill.objects.create(shop=shop, **span) for shop in (*shops, shops[0])]
    waits = Reconciliation.objects.create(shop=shops[0], next_attempt_at=timezone.now() + timedelta(minutes=5), **span)
    job = Reconciliation.objects.create(shop=shops[1], **span)
    schedules.work_ranges()
    assert asked() == [
        ("channels_sync.services.backfill.run", fills[0].pk),
        ("channels_sync.services.backfill.run", fills[1].pk),
        ("channels_sync.services.reconcile.run", job.pk),
    ]
    assert waits.pk not in {row_id for func, row_id in asked() if "reconcile" in func}


@pytest.mark.parametrize(
    ("number", "running", "begun"), [(4, 0, 2), (4, 1, 1), (4, 2, 0), (4, 3, 0), (1, 0, 1), (8, 0, 4)]
)
def test_half_of_the_workers_stay_free_for_orders(span, settings, number, running, begun):
    settings.HUB_WORKERS = number
    shops = [make_shop(platform="taobao") for _ in range(4)]
    for shop in shops:
        Backfill.objects.create(shop=shop, **span)
        Reconciliation.objects.create(shop=shop, **span)
    with ExitStack() as stack:
        for shop in shops[:running]:
            stack.enter_context(leases.hold(f"backfill:{shop.pk}", 60))
        schedules.work_ranges()
    assert len(asked()) == begun


def test_a_shop_that_has_its_turn_takes_no_other_s_place(span, settings):
    settings.HUB_WORKERS = 4
    first, second = (Backfill.objects.create(shop=make_shop(platform="taobao"), **span) for _ in range(2))
    with leases.hold(f"backfill:{first.shop_id}", 60):
        schedules.work_ranges()
    assert asked() == [("channels_sync.services.backfill.run", second.pk)]
