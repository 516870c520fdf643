from datetime import timedelta

import pytest
from django.utils import timezone

from orderhub.core.status_graph import Verdict
from orderhub.models import Order, StockLevel, TimelineEntry
from orderhub.services.status import Claim, apply_claims, change_status
from tests.factories import make_order

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def says(order, status, minutes=0, source="warehouse"):
    return Claim(order.pk, source, status, NOW + timedelta(minutes=minutes))


def test_a_claim_moves_the_status_and_leaves_one_entry():
    order = make_order(status="wms_accepted")
    assert apply_claims(claims=[says(order, "picking")], actor="qimen") == {order.pk: Verdict.APPLY}
    order.refresh_from_db()
    assert (order.status, order.warehouse_claim, order.warehouse_claim_at) == ("picking", "picking", NOW)
    assert list(TimelineEntry.objects.values_list("source", "actor", "status_from", "status_to")) == [
        ("warehouse", "qimen", "wms_accepted", "picking")
    ]


def test_the_same_claim_twice_leaves_one_entry():
    order = make_order(status="wms_accepted")
    for _ in range(2):
        apply_claims(claims=[says(order, "picking")], actor="qimen")
    assert TimelineEntry.objects.count() == 1


def test_events_out_of_order_end_at_the_latest():
    order = make_order(status="wms_accepted")
    apply_claims(claims=[says(order, "packed", 5), says(order, "picking", 1)], actor="qimen")
    apply_claims(claims=[says(order, "picking", 1)], actor="qimen")
    order.refresh_from_db()
    assert (order.status, order.warehouse_claim) == ("packed", "packed")


def test_shipped_on_the_channel_only_is_kept_as_claim_and_marked_as_drift():
    order = make_order(status="wms_accepted", warehouse_claim="wms_accepted", channel_claim="paid")
    apply_claims(claims=[says(order, "in_transit", source="channel")], actor="taobao")
    order.refresh_from_db()
    assert (order.status, order.channel_claim, order.has_drift) == ("wms_accepted", "in_transit", True)
    apply_claims(claims=[says(order, "in_transit", 9)], actor="qimen")
    order.refresh_from_db()
    assert (order.status, order.has_drift) == ("in_transit", False)


def test_what_the_graph_forbids_changes_nothing_but_the_claim():
    order = make_order(status="refunded")
    assert change_status(order_ids=[order.pk], to="ready", actor="hub") == {order.pk: Verdict.REFUSED}
    assert Order.objects.get().status == "refunded"
    assert TimelineEntry.objects.count() == 0


def test_shipping_uses_stock_up_and_cancelling_releases_it():
    StockLevel.objects.create(sku="SKU-1", warehouse="HZ", on_hand=10, reserved=2)
    shipped, cancelled = make_order(status="packed"), make_order(status="ready")
    for order in (shipped, cancelled):
        order.lines.update(reserved=1, warehouse="HZ")
    apply_claims(claims=[says(shipped, "in_transit"), says(cancelled, "cancelled", source="channel")], actor="x")
    assert StockLevel.objects.values_list("on_hand", "reserved").get() == (9, 0)


def test_the_number_of_queries_does_not_grow_with_the_claims(django_assert_num_queries):
    orders = [make_order(status="wms_accepted") for _ in range(3)]
    with django_assert_num_queries(4):
        apply_claims(claims=[says(orders[0], "picking")], actor="qimen")
    with django_assert_num_queries(4):
        apply_claims(claims=[says(order, "packed", 1) for order in orders], actor="qimen")


def test_a_department_behind_the_clock_still_gets_its_further_place_noted():
    order = make_order(status="wms_accepted", warehouse_claim="wms_accepted", warehouse_claim_at=NOW)
    apply_claims(claims=[says(order, "in_transit", -5)], actor="qimen")
    order.refresh_from_db()
    assert (order.status, order.warehouse_claim, order.warehouse_claim_at) == ("in_transit", "in_transit", NOW)
    assert not order.has_drift


def test_two_steps_of_one_second_leave_the_later_place_as_the_claim():
    order = make_order(status="wms_accepted")
    for status in ("packed", "picking"):
        apply_claims(claims=[says(order, status)], actor="qimen")
    order.refresh_from_db()
    assert (order.status, order.warehouse_claim) == ("packed", "packed")


def test_off_the_main_road_the_departments_own_newer_word_stands():
    order = make_order(status="picking")
    apply_claims(claims=[says(order, "wms_failed", 5)], actor="qimen")
    assert apply_claims(claims=[says(order, "packed", 1)], actor="qimen") == {order.pk: Verdict.LATE}
    order.refresh_from_db()
    assert (order.status, order.warehouse_claim) == ("wms_failed", "wms_failed")
    apply_claims(claims=[says(order, "picking", 9)], actor="qimen")
    order.refresh_from_db()
    assert order.status == "picking"


def test_what_is_said_of_a_part_stands_beside_the_status_and_is_no_drift():
    order = make_order(status="packed", channel_claim="in_transit")
    apply_claims(claims=[Claim(order.pk, "warehouse", "in_transit", NOW, is_partial=True)], actor="qimen")
    order.refresh_from_db()
    assert (order.status, order.warehouse_claim, order.has_drift) == ("packed", "in_transit", False)


def test_a_cancelled_order_that_leaves_all_the_same_is_drift():
    order = make_order(status="cancelled", channel_claim="cancelled")
    assert apply_claims(claims=[says(order, "in_transit")], actor="qimen") == {order.pk: Verdict.REFUSED}
    order.refresh_from_db()
    assert (order.status, order.has_drift) == ("cancelled", True)


@pytest.mark.parametrize("step", ["picking", "packed", "in_transit", "wms_failed"])
def test_a_step_during_a_refund_leaves_the_refund_visible_and_stands_beside_it(step):
    order = make_order(status="refunding", under_refund="wms_accepted", channel_claim="refunding")
    assert apply_claims(claims=[says(order, step)], actor="qimen") == {order.pk: Verdict.COVERED}
    order.refresh_from_db()
    assert (order.status, order.under_refund, order.warehouse_claim) == ("refunding", step, step)
    assert list(TimelineEntry.objects.values_list("status_from", "status_to", "data")) == [("", "", {"says": step})]


def test_a_push_that_fails_during_a_refund_says_why_and_shows_once_it_is_withdrawn():
    order = make_order(status="refunding", under_refund="wms_queued", channel_claim="refunding")
    claim = Claim(order.pk, "hub", "wms_failed", NOW, "wms_push", {"reason": "no such article"})
    apply_claims(claims=[claim], actor="outbox")
    apply_claims(claims=[says(order, "paid", source="channel")], actor="taobao")
    order.refresh_from_db()
    assert (order.status, order.under_refund) == ("wms_failed", "")
    assert TimelineEntry.objects.order_by("id").first().data == {"reason": "no such article", "says": "wms_failed"}


def test_goods_that_leave_during_a_refund_are_off_the_stock_once():
    StockLevel.objects.create(sku="SKU-1", warehouse="HZ", on_hand=10, reserved=1)
    order = make_order(status="refunding", under_refund="packed", channel_claim="refunding")
    order.lines.update(reserved=1, warehouse="HZ")
    apply_claims(claims=[says(order, "in_transit")], actor="qimen")
    apply_claims(claims=[says(order, "refunded", 9, source="channel")], actor="taobao")
    assert StockLevel.objects.values_list("on_hand", "reserved").get() == (9, 0)


def test_the_first_moment_at_which_pieces_left_is_kept_whatever_is_told_first():
    order = make_order(status="packed")
    for status, minutes in (("delivered", 9), ("in_transit", 1), ("out_for_delivery", 5)):
        apply_claims(claims=[says(order, status, minutes, source="carrier")], actor="sf")
    apply_claims(claims=[says(order, "in_transit", -9, source="channel")], actor="taobao")
    order.refresh_from_db()
    assert order.left_at == NOW + timedelta(minutes=1)


def test_a_give_back_counts_although_the_warehouses_clock_is_behind_ours():
    order = make_order(status="wms_accepted", warehouse_claim="wms_accepted", warehouse_claim_at=NOW)
    assert apply_claims(claims=[says(order, "wms_failed", -5)], actor="qimen") == {order.pk: Verdict.APPLY}
    order.refresh_from_db()
    assert (order.status, order.warehouse_claim) == ("wms_failed", "wms_failed")
    assert order.warehouse_claim_at == NOW - timedelta(minutes=5)


def test_a_push_after_a_give_back_begins_a_delivery_order_of_which_nothing_was_said():
    back = make_order(status="wms_failed", warehouse_claim="wms_failed", warehouse_claim_at=NOW)
    refused = make_order(status="wms_failed")
    for _ in range(2):
        change_status(order_ids=[back.pk, refused.pk], to="wms_queued", actor="outbox")
    assert list(Order.objects.order_by("pk").values_list("given_back", "warehouse_claim", "warehouse_claim_at")) == [
        (1, "", None), (0, "", None),
    ]  # fmt: skip
