from datetime import timedelta

import pytest
from django.utils import timezone

from orderhub import rejudging
from orderhub.core.errors import HubError
from orderhub.models import Effect, Order, OrderLine, StockLevel, TimelineEntry
from orderhub.pipeline import take_batch
from orderhub.rejudging import recheck_siblings, release_order, restock, retriage
from orderhub.services import stock
from orderhub.services.status import change_status
from tests.drafts import RECEIVER, deliver, draft, later, line
from tests.factories import make_order, make_shop
from tests.triage.judge import put_aside
from triage.models import Finding, IpListing, Rule, ShippingStop
from triage.selectors import context
from triage.selectors.findings import marks_of
from triage.selectors.siblings import unseen_clusters
from triage.services import publish_rules

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]


@pytest.fixture
def shop():
    return make_shop("flagship", merge_window_seconds=600)


def let_go(order, actor, *, may_release_abnormal=False):
    """Release an order for the reasons that it has by now."""
    seen = marks_of([order.pk]).get(order.pk, [])
    release_order(order.pk, actor, "已电话确认", may_release_abnormal, seen)


def statuses():
    return dict(Order.objects.values_list("external_no", "status"))


def worst_lanes():
    return dict(Order.objects.values_list("external_no", "worst_lane"))


def test_when_stock_comes_a_short_order_becomes_ready(shop):
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=0)
    deliver(shop, draft())
    StockLevel.objects.update(on_hand=5)
    assert retriage([Order.objects.get().pk], "hub") == 1
    assert (Order.objects.get().status, StockLevel.objects.get().reserved) == ("ready", 1)


@pytest.mark.parametrize("said", ["refunding", "presale_deposit"])
def test_what_a_file_said_by_the_status_alone_is_not_forgotten(shop, said):
    deliver(shop, draft())
    deliver(shop, draft(status=said, modified_at=later(5)))
    order = Order.objects.get()
    retriage([order.pk], "boss")
    after = Order.objects.get()
    assert (after.status, after.channel_claim) == (order.status, said)


def test_an_order_that_is_not_judged_any_more_keeps_its_reasons(shop):
    deliver(shop, draft())
    Order.objects.update(status="packed", warehouse_claim="packed")
    deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}, modified_at=later(5)))
    assert Order.objects.get().lane == "regular"
    assert list(Finding.objects.values_list("code", flat=True)) == ["changed_after_push"]


def test_pieces_that_come_go_to_the_order_that_would_be_late_first(shop):
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=0)
    other = make_shop("other")
    deliver(shop, draft("T1", ship_by="2026-11-14T00:00:00+08:00"), draft("T3", lines=[line(quantity=3)]))
    deliver(other, draft("T2", ship_by="2026-11-12T00:00:00+08:00"))
    assert restock() == 0
    stock.import_levels(rows=[stock.read_level({"sku": "SERUM-30", "warehouse": "HZ", "on_hand": 1})], actor="count")
    assert (restock(), restock()) == (1, 0)
    assert statuses() == {"T1": "short", "T2": "ready", "T3": "short"}
    assert Effect.objects.get(kind="wms_push").key == "wms:T2"


def test_pieces_of_a_cancelled_order_go_to_a_short_one(shop):
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=1)
    deliver(shop, draft("T1"), draft("T2"))
    change_status(order_ids=[Order.objects.get(external_no="T1").pk], to="cancelled", actor="boss")
    assert (restock(), restock()) == (1, 0)
    assert statuses() == {"T1": "cancelled", "T2": "ready"}


def test_an_order_that_stays_short_is_judged_once_for_what_came(shop):
    for warehouse in ("HZ", "SH"):
        StockLevel.objects.create(sku="SERUM-30", warehouse=warehouse, on_hand=0)
    deliver(shop, draft(lines=[line(quantity=5)]))
    StockLevel.objects.update(on_hand=2)
    assert (restock(), restock()) == (1, 0)
    assert (statuses(), TimelineEntry.objects.count()) == ({"T1": "short"}, 2)
    StockLevel.objects.filter(warehouse="SH").update(on_hand=5)
    assert restock() == 1
    assert statuses() == {"T1": "ready"}
    assert dict(StockLevel.objects.values_list("warehouse", "reserved")) == {"HZ": 0, "SH": 5}


def test_an_order_that_a_warehouse_has_is_served_out_of_that_one_only(shop):
    for warehouse, pieces in (("SH", 0), ("HZ", 1)):
        StockLevel.objects.create(sku="SERUM-30", warehouse=warehouse, on_hand=pieces)
    deliver(shop, draft())
    Order.objects.update(status="wms_accepted", warehouse_claim="wms_accepted")
    deliver(shop, draft(lines=[line(refund="agreed")], modified_at=later(1)))
    deliver(shop, draft("T2"))
    StockLevel.objects.filter(warehouse="SH").update(on_hand=1)
    deliver(shop, draft(lines=[line(refund="refused")], modified_at=later(2)))
    lines = OrderLine.objects.filter(order__external_no="T1").values_list("warehouse", "reserved", "short")
    assert (statuses()["T1"], lines.get(), restock()) == ("wms_accepted", ("HZ", 0, 1), 0)
    StockLevel.objects.filter(warehouse="HZ").update(on_hand=2)
    assert (restock(), lines.get()) == (1, ("HZ", 1, 0))
    assert dict(StockLevel.objects.values_list("warehouse", "reserved")) == {"HZ": 2, "SH": 0}


def test_many_orders_are_judged_again_in_batches_of_one_shop(shop, settings, monkeypatch):
    settings.HUB_BATCH_SIZE = 2
    other, sizes = make_shop("other"), []
    for place in (shop, other):
        deliver(place, *(draft(f"T{n}") for n in range(3)))

    def noting(intake, rows):
        sizes.append((intake.shop.code, len(intake.door.order_ids)))
        return take_batch(intake, rows)

    monkeypatch.setattr(rejudging, "take_batch", noting)
    assert retriage(list(Order.objects.values_list("pk", flat=True)), "hub") == 6
    assert sizes == [("flagship", 2), ("flagship", 1), ("other", 2), ("other", 1)]


def test_what_is_said_of_an_order_in_the_moment_it_is_judged_again_stays(shop, monkeypatch):
    deliver(shop, draft())

    def late(*args):
        moved = RECEIVER | {"detail": "文三路 91 号 2 幢 101 室"}
        deliver(shop, draft(buyer_remark="改地址", receiver=moved))  # a version of the same second
        Order.objects.update(seller_remark="改发顺丰")  # by a person: no version at all
        return take_batch(*args)

    monkeypatch.setattr(rejudging, "take_batch", late)
    assert retriage([Order.objects.get().pk], "hub") == 1
    order = Order.objects.get()
    assert (order.buyer_remark, order.seller_remark) == ("改地址", "改发顺丰")
    assert order.receiver.open()["detail"] == "文三路 91 号 2 幢 101 室"


def test_a_released_order_goes_on_and_stays_released(shop):
    deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}))
    order = Order.objects.get()
    let_go(order, "boss")
    order.refresh_from_db()
    assert (order.status, order.lane) == ("ready", "regular")
    assert Effect.objects.filter(kind="wms_push", state="pending").count() == 1
    deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}, seller_remark="ok", modified_at=later(5)))
    assert Order.objects.get().status == "ready"


def test_a_released_order_stays_urgent_and_goes_at_once(shop):
    deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}, buyer_remark="手术急用"))
    let_go(Order.objects.get(), "boss")
    order = Order.objects.get()
    assert (order.status, order.lane, order.is_urgent) == ("ready", "regular", True)
    assert Effect.objects.get(kind="wms_push").due_at <= timezone.now()


def test_the_worst_lane_of_an_order_outlives_its_release(shop):
    deliver(shop, draft(lines=[line(quantity=20)]), draft("T2"))
    assert worst_lanes() == {"T1": "abnormal", "T2": "regular"}
    let_go(Order.objects.get(external_no="T1"), "boss", may_release_abnormal=True)
    assert Order.objects.get(external_no="T1").lane == "regular"
    deliver(shop, draft("T2", receiver=RECEIVER | {"phone": "12345"}, modified_at=later(5)))
    deliver(shop, draft("T2", status="cancelled", modified_at=later(6)))
    assert worst_lanes() == {"T1": "abnormal", "T2": "to_confirm"}


def test_a_released_order_that_is_short_waits_for_its_pieces_only(shop):
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=0)
    deliver(shop, draft(receiver=RECEIVER | {"phone": "12345"}))
    assert statuses() == {"T1": "in_triage_hold"}
    let_go(Order.objects.get(), "boss")
    assert statuses() == {"T1": "short"}
    StockLevel.objects.update(on_hand=1)
    assert (restock(), statuses()) == (1, {"T1": "ready"})
    assert Effect.objects.filter(kind="wms_push", state="pending").count() == 1


def test_a_frozen_order_needs_the_right_to_release_frozen_ones(shop):
    order = make_order(shop, status="in_triage_hold", lane="abnormal", channel_claim="paid")
    with pytest.raises(HubError):
        let_go(order, "ada")
    order.refresh_from_db()
    assert (order.status, order.timeline.count()) == ("in_triage_hold", 0)
    let_go(order, "boss", may_release_abnormal=True)
    order.refresh_from_db()
    assert (order.status, order.lane) == ("ready", "regular")


def placed(n):
    """Return the nth order of one address; four buyers place them by turns."""
    buyer = {"id": f"u-{n % 4}", "nickname": "n", "ip": "203.0.113.9"}
    return draft(f"T{n}", buyer=buyer, lines=[line(sku=f"S-{n}")], created_at=f"2026-11-11T00:{n:02d}:07+08:00")


@pytest.mark.parametrize(("second", "judged"), [((4, 5, 6), 6), ((4,), 0)])
def test_a_cluster_that_came_in_two_batches_at_once_is_held_by_the_next_look(shop, monkeypatch, second, judged):
    with monkeypatch.context() as patch:
        patch.setattr(context, "_ip_orders", lambda *told: {})
        deliver(shop, *(placed(n) for n in (1, 2, 3)))
        deliver(shop, *(placed(n) for n in second))
    assert set(Order.objects.values_list("lane", flat=True)) == {"regular"}
    assert recheck_siblings() == judged
    assert set(Order.objects.values_list("lane", flat=True)) == {"abnormal" if judged else "regular"}
    assert recheck_siblings() == 0


def came(seconds, **which):
    """Put back by so many seconds when these orders came and were judged."""
    at = timezone.now() - timedelta(seconds=seconds)
    Order.objects.filter(**which).update(received_at=at, triaged_at=at)


def test_many_of_one_address_where_no_finding_follows_are_judged_again_once(shop):
    IpListing.objects.create(network="203.0.113.9/32")
    deliver(shop, *(placed(n) for n in (1, 2, 3, 4)))
    deliver(shop, *(placed(n) for n in (5, 6)))
    came(100)
    came(50, external_no__in=["T5", "T6"])
    assert [recheck_siblings() for _minute in range(3)] == [4, 0, 0]


def test_many_of_one_address_in_two_shops_are_judged_again_once(shop):
    IpListing.objects.create(network="203.0.113.9/32")
    deliver(shop, *(placed(n) for n in (1, 2, 3)))
    deliver(make_shop("other"), *(placed(n) for n in (4, 5, 6)))
    came(50, shop=shop)
    came(45, external_no__in=["T4", "T5", "T6"])
    assert [recheck_siblings() for _minute in range(3)] == [6, 0, 0]


def test_where_no_rule_counts_the_orders_of_an_address_nobody_is_judged_again(shop):
    Rule.objects.filter(code="ip_cluster").update(state="off")
    publish_rules(actor="boss")
    deliver(shop, *(placed(n) for n in (1, 2, 3)))
    deliver(shop, *(placed(n) for n in (4, 5, 6)))
    assert recheck_siblings() == 0


def test_who_saw_the_others_of_an_address_for_sure_is_not_judged_again(shop, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(context, "_ip_orders", lambda *told: {})
        deliver(shop, *(placed(n) for n in (1, 2, 3)))
        came(40)
        deliver(shop, *(placed(n) for n in (4, 5, 6)))
    last = Order.objects.filter(external_no__in=["T4", "T5", "T6"])
    assert set(unseen_clusters()) == set(Order.objects.values_list("pk", flat=True)) - set(
        last.values_list("pk", flat=True)
    )


def test_the_first_orders_of_a_cluster_are_held_once_the_fifth_has_come(shop):
    for n in range(1, 6):
        deliver(shop, placed(n))
    assert dict(Order.objects.values_list("external_no", "lane")) == {
        "T1": "regular", "T2": "regular", "T3": "regular", "T4": "regular", "T5": "abnormal",
    }  # fmt: skip
    assert recheck_siblings() == 4
    assert set(Order.objects.values_list("lane", "status")) == {("abnormal", "in_triage_hold")}
    assert recheck_siblings() == 0


def twice(number, placed, paid, **changes):
    """Return an order of one buyer, placed and paid at these minutes."""
    return draft(
        number, buyer={"id": "u-1", "nickname": "n"}, created_at=f"2026-11-11T00:{placed:02d}:07+08:00",
        paid_at=paid and f"2026-11-11T00:{paid:02d}:07+08:00", **changes,
    )  # fmt: skip


def test_an_order_that_is_paid_after_a_second_one_is_the_repeat(shop):
    deliver(shop, twice("T1", 0, None, status="unpaid"))
    deliver(shop, twice("T2", 2, 2))
    deliver(shop, twice("T1", 0, 5, modified_at=later(5)))
    assert statuses() == {"T1": "in_triage_hold", "T2": "ready"}
    retriage(list(Order.objects.values_list("pk", flat=True)), "boss")
    assert statuses() == {"T1": "in_triage_hold", "T2": "ready"}


def test_a_repeat_is_held_although_what_it_repeats_came_after_it(shop):
    deliver(shop, twice("T2", 2, 3))
    deliver(shop, twice("T1", 1, 1))
    assert statuses() == {"T1": "ready", "T2": "ready"}
    assert (recheck_siblings(), recheck_siblings()) == (1, 0)
    assert statuses() == {"T1": "ready", "T2": "in_triage_hold"}


def test_a_purchase_is_looked_for_beside_one_that_the_warehouse_has(shop):
    deliver(shop, twice("T2", 2, 3))
    Order.objects.update(status="wms_queued")
    deliver(shop, twice("T1", 1, 1))
    assert statuses() == {"T1": "in_triage_hold", "T2": "wms_queued"}
    assert recheck_siblings() == 0


def test_a_purchase_is_no_repeat_of_its_own_repeats_that_a_person_let_go(shop):
    deliver(shop, twice("T1", 1, 1, receiver=RECEIVER | {"phone": "12345"}))
    repeats = ["T2", "T3"]
    for minute, number in enumerate(repeats, start=2):
        deliver(shop, twice(number, minute, minute))
        let_go(Order.objects.get(external_no=number), "boss")
    Order.objects.filter(external_no__in=repeats).update(status="wms_queued")
    retriage([Order.objects.get(external_no="T1").pk], "hub")
    found = Finding.objects.filter(order__external_no="T1", cleared_at=None).values_list("code", flat=True)
    assert list(found) == ["phone_invalid"]
    assert statuses() == {"T1": "in_triage_hold", "T2": "wms_queued", "T3": "wms_queued"}


@pytest.mark.parametrize("other", [{"lines": [line(quantity=2)]}, {"status": "cancelled"}, {"lines": [line(sku="B")]}])
def test_other_purchases_of_the_buyer_have_nobody_judged_again(shop, other):
    deliver(shop, twice("T2", 2, 3))
    deliver(shop, twice("T1", 1, 1, **other))
    assert recheck_siblings() == 0


@pytest.mark.parametrize(("aside", "judged"), [((), 1), (("T1",), 0), (("T2",), 0)])
def test_what_was_put_aside_has_nobody_judged_again(shop, aside, judged):
    deliver(shop, twice("T2", 2, 3))
    deliver(shop, twice("T1", 1, 1))
    Order.objects.filter(external_no__in=aside).update(extra=put_aside(line()["line_no"]))
    assert recheck_siblings() == judged


def test_an_order_that_a_stop_held_goes_on_once_the_stop_is_over(shop):
    day, now = timedelta(days=1), timezone.now()
    ShippingStop.objects.create(region="浙江", starts_at=now - day, ends_at=now + day, reason="台风")
    deliver(shop, draft())
    assert statuses() == {"T1": "in_triage_hold"}
    assert recheck_siblings() == 0
    ShippingStop.objects.update(is_active=False)
    assert (recheck_siblings(), recheck_siblings()) == (1, 0)
    assert statuses() == {"T1": "ready"}
