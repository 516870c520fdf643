from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.services import open_refunds
from orderhub.deliveries import drain_inbox
from orderhub.models import InboxItem, Order
from tests.channels_sync.world import hub_and_platforms
from tests.factories import make_order, make_shop

pytestmark = pytest.mark.usefixtures("rules")
OLD = timedelta(days=2)


def test_a_refund_that_is_paid_without_a_list_showing_it_is_fetched_a_day_later(settings, db):
    with hub_and_platforms(settings, "jd") as world:
        world.sandbox.live.backlog(20, 0.3)
        world.pull()
        number = next(iter(world.plain("jd", 1)))
        world.sandbox.live.change(number, "ask_refund")
        world.sandbox.now.forward(1)
        world.pull()
        assert Order.objects.get(external_no=number).status == "refunding"
        world.sandbox.live.change(number, "finish_refund")
        Order.objects.filter(external_no=number).update(refund_at=timezone.now() - timedelta(hours=1))
        asked = [open_refunds.ask_again()]
        Order.objects.filter(external_no=number).update(refund_at=timezone.now() - OLD)
        asked += [open_refunds.ask_again(), open_refunds.ask_again()]
        assert asked == [0, 1, 1]
        assert InboxItem.objects.filter(source="push").count() == 1
        drain_inbox()
        assert Order.objects.get(external_no=number).status in {"refunded", "ready", "in_triage_hold"}


def test_platforms_whose_lists_show_payments_are_not_asked(db, django_assert_num_queries):
    for count in (1, 3):
        for _ in range(count):
            make_order(make_shop(platform="douyin"), status="refunding", refund_at=timezone.now() - OLD)
        with django_assert_num_queries(1):
            assert open_refunds.ask_again() == 0
