"""Orders that a warehouse may have without having said so: nobody else gets them by itself."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.services.delivery_codes import find_orders
from orderhub.core.effects import Job, effect_handlers
from orderhub.core.errors import TemporaryError
from orderhub.core.words import Status
from orderhub.models import Effect, Order, OrderLine, TimelineEntry, Warehouse
from orderhub.services import outbox
from tests.channels_sync.pushes import deliveries, due_again, now_of, other_house, queue
from tests.drafts import RECEIVER, deliver, draft, later
from tests.factories import make_order, make_shop


@pytest.fixture
def shop(taobao_shop):
    return make_shop("mini", platform="wechat", warehouse=taobao_shop.warehouse)


@pytest.fixture
def taken_in(platform, shop, rules):
    """An order that came through the intake and waits for its push."""
    deliver(shop, draft())
    return Order.objects.get()


def test_an_order_whose_answer_was_lost_goes_to_the_same_warehouse_again_and_is_known_there(platform, shop):
    other = other_house(shop)
    order = make_order(shop, status="ready")
    order.lines.update(warehouse="GZ", reserved=1)
    queue(order)
    platform.faults.add({"kind": "truncated", "times": 1})
    assert outbox.drain(kinds=["wms_push"]).retried == 1
    code = f"mini-{order.external_no}"
    assert find_orders([(other, code)])[other.pk, code].order_id == order.pk
    order.lines.update(warehouse="WH01")
    platform.faults.clear()
    due_again()
    assert outbox.drain(kinds=["wms_push"]).done == 1
    assert TimelineEntry.objects.filter(kind="wms_push").last().data["warehouse"] == "GZ"


def test_an_order_that_a_warehouse_now_switched_off_may_have_is_left_to_a_person(platform, shop):
    other = other_house(shop)
    order = make_order(shop, status="ready")
    order.lines.update(warehouse="GZ", reserved=1)
    queue(order)
    platform.faults.add({"kind": "disconnect", "times": 1})
    assert outbox.drain(kinds=["wms_push"]).retried == 1
    type(other).objects.filter(pk=other.pk).update(is_active=False)
    due_again()
    assert outbox.drain(kinds=["wms_push"]).dead == 1
    effect = Effect.objects.get(order=order)
    assert "GZ" in effect.last_error and deliveries(platform) == {}
    assert now_of(order) == [Status.WMS_QUEUED]
    outbox.retry_dead(effect_ids=[effect.pk], actor="boss")
    assert outbox.drain(kinds=["wms_push"]).done == 1
    assert pushes_of(order) == [
        ("status", "wms_queued", "GZ"), ("push_unanswered", "", None), ("retried", "", None), ("status", "ready", None),
        ("status", "wms_queued", "WH01"), ("wms_push", "wms_accepted", "WH01"),
    ]  # fmt: skip


def pushes_of(order):
    entries = TimelineEntry.objects.filter(order=order).order_by("pk").values_list("kind", "status_to", "data")
    return [(kind, to, (data or {}).get("warehouse")) for kind, to, data in entries]


def last_try(order):
    """Let the next try of the order's push be its last."""
    Effect.objects.filter(order=order).update(attempts=19, due_at=timezone.now() - timedelta(hours=1))


def test_an_order_that_never_got_an_answer_stays_with_its_warehouse_whatever_the_channel_says(platform, shop, taken_in):
    other = other_house(shop)
    OrderLine.objects.update(warehouse="GZ", reserved=1)
    last_try(taken_in)
    platform.faults.add({"kind": "truncated", "times": 1})
    assert outbox.drain(kinds=["wms_push"]).dead == 1
    OrderLine.objects.update(warehouse="WH01")
    deliver(shop, draft(receiver=RECEIVER | {"detail": "另一条路 9 号 3 幢"}, modified_at=later(5)))
    effect = Effect.objects.get(kind="wms_push")
    assert (effect.state, now_of(taken_in)) == ("dead", [Status.WMS_QUEUED])
    heads_up = Effect.objects.get(kind="warehouse_heads_up").payload
    assert (heads_up["reason"], heads_up["changed"]) == ("changed_after_push", ["receiver"])
    outbox.retry_dead(effect_ids=[effect.pk], actor="boss")
    assert outbox.drain(kinds=["wms_push"]).done == 1
    assert pushes_of(taken_in)[-1] == ("wms_push", "wms_accepted", other.code)


@pytest.mark.parametrize(("tries_before", "status"), [(0, Status.WMS_FAILED), (1, Status.WMS_QUEUED)])
def test_a_try_that_cannot_be_made_says_nothing_of_those_before_it(platform, shop, tries_before, status):
    order = make_order(shop, status="ready")
    queue(order)
    Effect.objects.update(attempts=tries_before)
    Warehouse.objects.update(adapter="gone")
    assert outbox.drain(kinds=["wms_push"]).dead == 1
    assert now_of(order) == [status]


def test_what_the_warehouse_itself_refuses_it_does_not_have(platform, shop):
    order = make_order(shop, status="ready")
    queue(order)
    last_try(order)
    platform.faults.add({"kind": "failure", "times": 1, "message": "货品不存在"})
    assert outbox.drain(kinds=["wms_push"]).dead == 1
    assert now_of(order) == [Status.WMS_FAILED]


def test_a_word_of_the_warehouse_stands_also_if_its_answer_never_came(platform, shop):
    order = make_order(shop, status="ready")
    queue(order)
    job = Job(Effect.objects.get().pk, "wms", shop.pk, order.pk, None, 20)
    Order.objects.update(status="picking", warehouse_claim="picking")
    effect_handlers.get("wms_push").give_up([(job, TemporaryError("no answer"))])
    assert (now_of(order), TimelineEntry.objects.count()) == ([Status.PICKING], 0)
