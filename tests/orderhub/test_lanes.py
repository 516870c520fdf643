"""What the lane of an order asks of people: questions and their clocks, risk cases, urgent ones at once."""

from datetime import datetime, timedelta

import pytest

from orderhub.models import Effect, Order, StockLevel
from orderhub.rejudging import retriage
from tests.drafts import RECEIVER, deliver, draft, later, line
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]


@pytest.fixture
def shop():
    return make_shop("flagship", merge_window_seconds=600)


def stock(on_hand=10, sku="SERUM-30"):
    return StockLevel.objects.create(sku=sku, warehouse="HZ", on_hand=on_hand)


def test_a_doubtful_order_is_held_with_sms_and_popup(shop):
    deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}))
    order = Order.objects.get()
    assert (order.status, order.lane) == ("in_triage_hold", "to_confirm")
    assert set(Effect.objects.values_list("kind", flat=True)) == {"sms", "popup"}


def test_a_doubtful_order_that_is_short_as_well_waits_for_the_answer(shop):
    stock(on_hand=0)
    deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}))
    order = Order.objects.get()
    assert (order.status, order.lane) == ("in_triage_hold", "to_confirm")
    assert set(Effect.objects.values_list("kind", flat=True)) == {"sms", "popup"}


def test_nobody_is_asked_about_an_order_that_only_lacks_pieces(shop):
    stock(on_hand=0)
    deliver(shop, draft())
    order = Order.objects.get()
    assert (order.status, order.lane, Effect.objects.count()) == ("short", "to_confirm", 0)
    deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}, modified_at=later(5)))
    assert Order.objects.get().status == "in_triage_hold"
    assert Effect.objects.count() == 2


def test_nobody_is_asked_about_an_order_whose_article_is_not_matched(shop):
    deliver(shop, draft(lines=[line(sku="")]))
    order = Order.objects.get()
    assert (order.status, order.lane, Effect.objects.count()) == ("in_triage_hold", "to_confirm", 0)


NO_PHONE, NO_PLACE = {"receiver": RECEIVER | {"phone": "12345"}}, {"receiver": RECEIVER | {"detail": "测试"}}


def asked(kind="sms"):
    """Return the effects of one kind in the order of their making: state and the reasons that they tell."""
    rows = Effect.objects.filter(kind=kind).order_by("id").values_list("state", "payload__findings")
    return [(state, *findings) for state, findings in rows]


def test_an_order_held_for_another_reason_is_asked_about_that_one(shop):
    deliver(shop, draft(**NO_PHONE))
    deliver(shop, draft(**NO_PLACE, modified_at=later(5)))
    assert asked() == asked("popup") == [("cancelled", "phone_invalid"), ("pending", "address_placeholder")]
    first, second = Effect.objects.filter(kind="popup").order_by("id").values_list("payload__confirm_by", flat=True)
    assert first < second
    deliver(shop, draft(**NO_PHONE, modified_at=later(6)))
    assert asked() == [("pending", "phone_invalid"), ("cancelled", "address_placeholder")]
    assert Effect.objects.filter(kind="popup").order_by("id").first().payload["confirm_by"] > second


def test_what_was_asked_is_asked_again_for_another_reason_only(shop):
    deliver(shop, draft(**NO_PHONE))
    Effect.objects.update(state="done")
    deliver(shop, draft(**NO_PHONE, seller_remark="called", modified_at=later(5)))
    assert asked() == [("done", "phone_invalid")]
    deliver(shop, draft(**NO_PLACE, modified_at=later(6)))
    assert asked() == [("done", "phone_invalid"), ("pending", "address_placeholder")]


def clock(number="T1"):
    """Return since when an order is held, and by when its last popup wants it confirmed less the time for that."""
    held = Order.objects.values_list("held_since", flat=True).get(external_no=number)
    popups = Effect.objects.filter(kind="popup", order__external_no=number, state="pending")
    confirm_by = [datetime.fromisoformat(told) for told in popups.values_list("payload__confirm_by", flat=True)]
    return held, *[moment - timedelta(minutes=30) for moment in confirm_by]


def test_a_held_order_that_is_judged_again_keeps_its_clock(shop):
    deliver(shop, draft(**NO_PHONE))
    held, asked_at = clock()
    assert held == asked_at == Order.objects.get().triaged_at
    deliver(shop, draft(**NO_PHONE, buyer_remark="谢谢", modified_at=later(5)))
    retriage([Order.objects.get().pk], "boss")
    assert clock() == (held, held)
    assert Order.objects.get().triaged_at > held


def test_another_question_to_the_buyer_starts_the_clock_anew(shop):
    deliver(shop, draft(**NO_PHONE))
    first, _ = clock()
    deliver(shop, draft(**NO_PLACE, modified_at=later(5)))
    second, asked_at = clock()
    assert first < second == asked_at
    deliver(shop, draft(**NO_PHONE, modified_at=later(6)))
    third, asked_at = clock()
    assert second < third == asked_at


def test_the_clock_of_what_was_answered_does_not_start_for_the_same_question(shop):
    deliver(shop, draft(**NO_PHONE))
    Effect.objects.update(state="done")
    held, *_ = clock()
    deliver(shop, draft(**NO_PHONE, seller_remark="called", modified_at=later(5)))
    assert clock() == (held,)


def test_an_article_that_is_not_matched_takes_no_time_from_the_buyer(shop):
    deliver(shop, draft(lines=[line(sku="")]))
    held, *_ = clock()
    deliver(shop, draft(lines=[line(sku="")], seller_remark="ok", modified_at=later(5)))
    assert clock() == (held,)
    deliver(shop, draft(lines=[line(sku="")], **NO_PHONE, modified_at=later(6)))
    asked = clock()
    assert held < asked[0] == asked[1]
    deliver(shop, draft(lines=[line(sku="")], modified_at=later(7)))
    assert clock() == (asked[0],)


def test_the_clock_stops_when_an_order_is_free_and_starts_anew_in_another_lane(shop):
    deliver(shop, draft(**NO_PHONE), draft("T2"))
    first, _ = clock()
    assert clock("T2") == (None,)
    deliver(shop, draft(**NO_PHONE, lines=[line(quantity=20)], modified_at=later(5)))
    frozen, *_ = clock()
    deliver(shop, draft(**NO_PHONE, lines=[line(quantity=20)], seller_remark="?", modified_at=later(6)))
    assert first < frozen == clock()[0]
    deliver(shop, draft(modified_at=later(7)))
    assert clock() == (None,)


@pytest.mark.parametrize("changes", [
    {}, {"status": "cancelled"}, {"lines": [line(refund="asked")]}, {"channel_hold": "LOCKED"},
    {"lines": [line(quantity=20)]},
])  # fmt: skip
def test_nobody_is_asked_about_an_order_that_has_left_the_lane(shop, changes):
    deliver(shop, draft(**NO_PHONE), draft("T2", **NO_PHONE))
    deliver(shop, draft(**changes, modified_at=later(5)))
    rows = Effect.objects.filter(kind__in=["sms", "popup"]).order_by("kind", "order__external_no")
    assert list(rows.values_list("order__external_no", "state")) == 2 * [("T1", "cancelled"), ("T2", "pending")]


def test_a_frozen_order_that_is_cleared_has_no_risk_case_to_come(shop):
    deliver(shop, draft(lines=[line(quantity=20)]))
    assert asked("risk_case") == [("pending", "quantity_high")]
    deliver(shop, draft(modified_at=later(5)))
    assert asked("risk_case") == [("cancelled", "quantity_high")]


def test_an_urgent_order_skips_the_merge_window_and_warns_the_warehouse(shop):
    deliver(shop, draft(buyer_remark="手术急需,拜托了"))
    order = Order.objects.get()
    assert (order.lane, order.is_urgent, order.status) == ("regular", True, "ready")
    push = Effect.objects.get(kind="wms_push")
    assert push.due_at == push.created_at
    assert Effect.objects.filter(kind="warehouse_heads_up").count() == 1


def test_an_order_that_becomes_urgent_leaves_its_merge_window(shop):
    deliver(shop, draft())
    first = Effect.objects.get().due_at
    deliver(shop, draft(seller_remark="ok", modified_at=later(1)))
    assert Effect.objects.get().due_at == first
    deliver(shop, draft(buyer_remark="手术急需,拜托了", modified_at=later(2)))
    push = Effect.objects.get(kind="wms_push")
    assert push.due_at == Order.objects.get().triaged_at
    deliver(shop, draft(buyer_remark="手术急需,拜托了!", modified_at=later(3)))
    assert Effect.objects.get(kind="wms_push").due_at == push.due_at
