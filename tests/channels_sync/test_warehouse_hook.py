"""What a warehouse calls back: signed, stored once, worked on in any order."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from django.db import OperationalError
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_sync.services import handover, reports
from channels_sync.warehouses.base import warehouses
from orderhub.core.errors import HubError
from orderhub.models import (
    Effect,
    Order,
    OrderLine,
    Parcel,
    StockChange,
    StockLevel,
    TimelineEntry,
    Warehouse,
    WarehouseReport,
)
from tests.channels_sync.callbacks import (
    CODE,
    CONFIRM,
    STEP,
    accepted_order,
    address,
    confirm,
    level,
    post,
    state,
    step,
    stock,
)
from tests.factories import make_order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings):
    """The words of the sources, also in the threads that send."""
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


@pytest.fixture
def order(taobao_shop):
    return accepted_order(taobao_shop.warehouse)


LACK = (
    "<request><deliveryOrderCode>t-b-T-1</deliveryOrderCode><outBizCode>L1</outBizCode>"
    "<items><item><itemCode>A</itemCode><lackQty>1</lackQty></item></items></request>"
)
WHOLE = ("YTO", "YT1", [("1", "A", 2)])


def test_a_callback_is_stored_answered_and_worked_on_afterwards(client, order):
    assert post(client, STEP, step(CODE, "PICK")) == ("success", "0")
    assert state(order) == ("wms_accepted", "")
    assert WarehouseReport.objects.get().body == step(CODE, "PICK").encode()
    assert reports.drain() == 1
    assert state(order) == ("picking", "picking")
    assert (reports.drain(), WarehouseReport.objects.get().state) == (0, "done")


@pytest.mark.parametrize("change", ["body", "query", "secret", "customer"])
def test_what_is_not_the_warehouses_is_refused_and_nothing_is_stored(client, order, change):
    body = step(CODE, "PICK")
    how = {"secret": {"secret": "wrong"}, "customer": {"customer": "another"}}.get(change, {})
    path = address(STEP, body, **how)
    path = path.replace("10%3A00%3A00", "10%3A00%3A01") if change == "query" else path
    sent = body.replace("PICK", "SIGN") if change == "body" else body
    answer = client.post(path, sent.encode(), content_type="text/xml")
    assert b"<flag>failure</flag>" in answer.content
    assert (b"sign-check-failure" in answer.content) == (change != "customer")
    assert WarehouseReport.objects.count() == 0


def test_a_warehouse_that_is_switched_off_reports_on_what_it_has(client, order):
    Warehouse.objects.update(is_active=False)
    assert post(client, STEP, step(CODE, "PICK")) == ("success", "0")
    assert (reports.drain(), state(order)) == (1, ("picking", "picking"))


@pytest.mark.parametrize("code", ["WH99", "mute"])
def test_a_warehouse_that_is_not_there_says_nothing_of_it(client, order, monkeypatch, code):
    Warehouse.objects.create(code="mute", name="mute", adapter="nobody")
    answer = client.post(address(STEP, "<request/>", code=code), b"<request/>", content_type="text/xml")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("deliveryorder.create", "<request/>"),
        (STEP, "<request>"),
        (STEP, "not xml"),
        (STEP, '<!DOCTYPE a [<!ENTITY b "c">]><request>&b;</request>'),
        (STEP, "<request><order/></request>"),
        (CONFIRM, "<request><deliveryOrder/></request>"),
    ],
)
def test_what_cannot_be_stored_usefully_is_refused_with_a_reason(client, order, method, body):
    assert post(client, method, body)[0] == "failure"
    assert WarehouseReport.objects.count() == 0


def test_while_the_database_is_away_the_warehouse_is_asked_to_come_again(client, order, monkeypatch):
    def away(**_):
        raise OperationalError("gone")

    monkeypatch.setattr(reports, "receive", away)
    answer = client.post(address(STEP, step(CODE, "PICK")), step(CODE, "PICK").encode(), content_type="text/xml")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_the_same_callback_is_worked_on_once_whenever_it_comes_again(client, order):
    for _ in range(3):
        assert post(client, CONFIRM, confirm(CODE, WHOLE)) == ("success", "0")
        reports.drain()
    assert WarehouseReport.objects.count() == 1
    assert level() == (8, 0)
    assert Effect.objects.filter(kind="shipment").count() == 1


def test_a_hand_over_writes_parcel_stock_status_timeline_and_what_the_channel_is_told(client, order):
    post(client, CONFIRM, confirm(CODE, WHOLE))
    reports.drain()
    assert state(order) == ("in_transit", "in_transit")
    assert level() == (8, 0)
    parcel = Parcel.objects.get()
    assert list(TimelineEntry.objects.values_list("kind", "source", "status_to")) == [
        ("parcel", "warehouse", ""), ("handed_over", "warehouse", "in_transit"),
    ]  # fmt: skip
    assert list(Effect.objects.values_list("kind", "key", "state", "payload")) == [
        ("shipment", f"ship:T-1:{parcel.pk}", "pending", {"parcel": parcel.pk, "final": True})
    ]


def test_parts_keep_the_order_in_the_warehouse_until_the_last_one(client, order):
    post(client, CONFIRM, confirm(CODE, ("YTO", "YT1", [("1", "A", 1)]), key="1", final=False))
    reports.drain()
    assert state(order) == ("packed", "in_transit")
    assert (level(), order.has_drift) == ((9, 1), False)
    post(client, CONFIRM, confirm(CODE, ("YTO", "YT2", [("1", "A", 1)]), key="2"))
    reports.drain()
    assert state(order) == ("in_transit", "in_transit")
    assert level() == (8, 0)
    assert [row["final"] for row in Effect.objects.order_by("pk").values_list("payload", flat=True)] == [False, True]


def test_a_last_word_without_a_new_parcel_tells_the_channel_that_the_order_is_complete(client, order):
    post(client, CONFIRM, confirm(CODE, WHOLE, key="1", final=False))
    reports.drain()
    for key in ("2", "3"):
        post(client, CONFIRM, confirm(CODE, key=key))
        reports.drain()
    parcel = Parcel.objects.get()
    assert list(Effect.objects.order_by("pk").values_list("key", "payload__final")) == [
        (f"ship:T-1:{parcel.pk}", False), (f"ship:T-1:{parcel.pk}:final", True),
    ]  # fmt: skip
    assert level() == (8, 0)


STEPS = ["ACCEPT", "PRINT", "PICK", "CHECK", "PACKAGE", "WEIGH", "READY"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(len(STEPS) + 2)), st.lists(st.integers(0, len(STEPS) + 1), max_size=4), st.data())
def test_events_in_any_order_twice_and_in_any_batches_end_alike(client, order, sequence, again, data):
    WarehouseReport.objects.all().delete()
    TimelineEntry.objects.all().delete()
    Parcel.objects.all().delete()
    Effect.objects.all().delete()
    Order.objects.update(status="wms_accepted", warehouse_claim="", warehouse_claim_at=None)
    order.parcel_lines.all().delete()
    OrderLine.objects.update(reserved=2)
    StockLevel.objects.update(on_hand=10, reserved=2)
    events = [(STEP, step(CODE, node, f"2026-11-11 09:00:{place:02d}")) for place, node in enumerate(STEPS)]
    events += [
        (CONFIRM, confirm(CODE, WHOLE)), (STEP, step(CODE, "DELIVERED", "2026-11-11 10:00:00")),
    ]  # fmt: skip
    for place in [*sequence, *again]:
        assert post(client, *events[place])[0] == "success"
        if data.draw(st.booleans()):
            reports.drain()
    reports.drain()
    assert state(order) == ("in_transit", "in_transit")
    assert level() == (8, 0)
    assert (Parcel.objects.count(), Effect.objects.count(), order.has_drift) == (1, 1, False)


def test_signed_for_is_delivered_on_order_and_parcel(client, order):
    post(client, CONFIRM, confirm(CODE, WHOLE))
    post(client, STEP, step(CODE, "SIGN", "2026-11-11 18:00:00"))
    reports.drain()
    assert state(order)[0] == "delivered"
    assert Parcel.objects.get().delivered_at == datetime(2026, 11, 11, 10, tzinfo=UTC)


@pytest.mark.parametrize("written", ["0001-01-01 00:00:00", "1970-01-01 08:00:00"])
def test_a_date_that_stands_for_none_is_the_moment_of_the_report(client, order, written):
    """The database would keep the first day of the year 1 as a time that nobody can read."""
    post(client, STEP, step(CODE, "PICK", written))
    post(client, CONFIRM, confirm(CODE, WHOLE, at=written))
    reports.drain()
    assert state(order) == ("in_transit", "in_transit")
    received_at = WarehouseReport.objects.get(method="deliveryorder.confirm").received_at
    assert (order.warehouse_claim_at, order.left_at, Parcel.objects.get().handed_over_at) == (received_at,) * 3


def test_an_order_that_the_warehouse_gives_back_waits_for_a_person_with_its_words(client, order):
    effect = Effect.objects.create(
        shop=order.shop, order=order, kind="wms_push", key="wms:T-1", state="done", due_at=order.created_at,
        created_at=order.created_at,
    )  # fmt: skip
    post(client, STEP, step(CODE, "REJECT", operateInfo="超区"))
    reports.drain()
    assert state(order) == ("wms_failed", "wms_failed")
    assert TimelineEntry.objects.get().data == {"node": "REJECT", "info": "超区"}
    effect.refresh_from_db()
    assert (effect.state, effect.last_error) == ("dead", "The warehouse gave the order back: see its timeline.")
    post(client, STEP, step(CODE, "PICK", "2026-11-11 08:00:00"))
    reports.drain()
    assert state(order) == ("wms_failed", "wms_failed")


def test_what_leaves_under_a_code_that_was_given_back_counts_and_its_steps_are_only_noted(client, order):
    Order.objects.update(given_back=1)
    post(client, STEP, step(CODE, "PACKAGE"))
    reports.drain()
    assert state(order) == ("wms_accepted", "")
    assert TimelineEntry.objects.get().data == {"node": "PACKAGE", "code": CODE}
    post(client, CONFIRM, confirm(CODE, WHOLE))
    post(client, STEP, step(f"{CODE}-R1", "PICK", "2026-11-11 09:30:00"))
    reports.drain()
    assert (state(order), level()) == (("in_transit", "in_transit"), (8, 0))
    assert TimelineEntry.objects.get(kind="handed_over").data == {"code": CODE}
    post(client, STEP, step(CODE, "SIGN", "2026-11-11 18:00:00"))
    reports.drain()
    assert state(order)[0] == "delivered"


def test_an_order_given_back_while_its_refund_is_open_waits_for_a_person_too(client, order):
    Order.objects.update(status="refunding", under_refund="picking", channel_claim="refunding")
    Effect.objects.create(
        shop=order.shop, order=order, kind="wms_push", key="wms:T-1", state="done", due_at=order.created_at,
        created_at=order.created_at,
    )  # fmt: skip
    post(client, STEP, step(CODE, "CANCELED"))
    reports.drain()
    assert state(order) == ("refunding", "wms_failed")
    assert (order.under_refund, Effect.objects.get().state) == ("wms_failed", "dead")


@pytest.mark.parametrize(
    ("method", "body"),
    [
        (STEP, step(CODE, "EXCEPTION", operateInfo="缺货")),
        (CONFIRM, confirm(CODE, state="EXCEPTION")),
        ("itemlack.report", LACK),
    ],
)  # fmt: skip
def test_problems_stand_in_the_timeline_and_move_nothing(client, order, method, body):
    post(client, method, body)
    reports.drain()
    assert state(order) == ("wms_accepted", "")
    assert TimelineEntry.objects.get().kind == "warehouse_problem"
    assert level() == (10, 2)


def test_a_report_of_an_unknown_order_is_kept_tried_again_and_seen_and_the_others_go_on(client, order):
    post(client, STEP, step("t-b-T-2", "PICK"))
    post(client, STEP, step(CODE, "PICK"))
    reports.drain()
    assert state(order)[0] == "picking"
    lost = WarehouseReport.objects.get(order_code="t-b-T-2")
    assert (lost.state, lost.attempts) == ("new", 1)
    assert lost.last_error == "The hub knows no order t-b-T-2 of this warehouse."
    late = make_order(order.shop, external_no="T-2", status="wms_accepted")
    WarehouseReport.objects.update(leased_until=None)
    reports.drain()
    assert state(late)[0] == "picking"


def test_after_many_tries_it_is_set_aside_and_can_be_tried_by_hand(client, order):
    post(client, STEP, step("t-b-T-2", "PICK"))
    for _ in range(reports.MAX_ATTEMPTS):
        WarehouseReport.objects.update(leased_until=None)
        reports.drain()
    lost = WarehouseReport.objects.get()
    assert (lost.state, lost.attempts, reports.drain()) == ("dead", reports.MAX_ATTEMPTS, 0)
    assert reports.retry(report_ids=[lost.pk], actor="warehouse") == 1
    assert reports.drain() == 1


def test_orders_of_other_warehouses_are_unknown_unless_they_were_pushed_there(client, order):
    other = Warehouse.objects.create(code="WH02", name="other")
    order.shop.warehouse = other
    order.shop.save()
    post(client, STEP, step(CODE, "PICK"))
    reports.drain()
    assert state(order)[0] == "wms_accepted"
    TimelineEntry.objects.create(
        shop=order.shop, order=order, at=order.created_at, kind="wms_push", source="warehouse", actor="x",
        data={"warehouse": "WH01"},
    )  # fmt: skip
    WarehouseReport.objects.update(leased_until=None)
    reports.drain()
    assert state(order)[0] == "picking"


def test_a_report_that_cannot_be_read_is_set_aside_with_field_and_reason(client, order):
    post(client, CONFIRM, confirm(CODE, ("YTO", "", [("1", "A", 1)])))
    post(client, STEP, step(CODE, "PICK"))
    reports.drain()
    bad = WarehouseReport.objects.get(method="deliveryorder.confirm")
    assert (bad.state, bad.last_error) == ("dead", "packages[0].expressCode: must be a text of 1 to 64 characters")
    assert state(order)[0] == "picking"
    assert level() == (10, 2)


def test_a_report_that_the_database_refuses_does_not_keep_the_others(client, order):
    post(client, STEP, step(CODE, "EXCEPTION", operateInfo="缺货"))
    post(client, STEP, step(CODE, "PICK"))
    post(client, CONFIRM, confirm(CODE, ("YTO", "YT1", [("1", "A", 2)])))
    StockLevel.objects.update(on_hand=-(2**31) + 1)
    reports.drain()
    assert state(order)[0] == "picking"
    assert WarehouseReport.objects.get(method="deliveryorder.confirm").state == "dead"


def test_a_worker_that_dies_leaves_the_report_to_the_next_one(client, order, monkeypatch):
    post(client, STEP, step(CODE, "PICK"))

    def dies(*_):
        raise SystemExit

    monkeypatch.setattr(reports, "_work", dies)
    with pytest.raises(SystemExit):
        reports.drain()
    monkeypatch.undo()
    assert reports.drain() == 0
    WarehouseReport.objects.update(leased_until=order.created_at)
    assert reports.drain() == 1
    assert state(order)[0] == "picking"


def test_two_workers_with_one_report_book_it_once(client, order):
    post(client, CONFIRM, confirm(CODE, WHOLE))
    slow = reports._lease(10)
    WarehouseReport.objects.update(leased_until=order.created_at)
    assert reports.drain() == 1
    reports._work(list(WarehouseReport.objects.filter(pk__in=slow).select_related("warehouse")))
    assert level() == (8, 0)
    assert (Parcel.objects.count(), TimelineEntry.objects.count(), Effect.objects.count()) == (1, 2, 1)


def test_a_failure_in_the_middle_leaves_nothing_behind(client, order, monkeypatch):
    post(client, CONFIRM, confirm(CODE, WHOLE))

    def fails(**_):
        raise OperationalError("deadlock detected")

    monkeypatch.setattr(handover, "apply_claims", fails)
    reports.drain()
    waiting = WarehouseReport.objects.get()
    assert (waiting.state, waiting.last_error) == ("new", "deadlock detected")
    assert (level(), Parcel.objects.count(), TimelineEntry.objects.count()) == ((10, 2), 0, 0)
    monkeypatch.undo()
    WarehouseReport.objects.update(leased_until=None)
    reports.drain()
    assert (level(), state(order)[0]) == ((8, 0), "in_transit")


def test_stock_that_came_and_went_is_counted_once_by_article(client, order):
    items = [
        {"outBizCode": "S1", "itemCode": "A", "quantity": "5", "inventoryType": "ZP", "orderType": "CGRK"},
        {"outBizCode": "S2", "itemCode": "A", "quantity": "-3", "inventoryType": "ZP", "orderType": "QTCK"},
        {"outBizCode": "S3", "itemCode": "A", "quantity": "-2", "orderType": "JYCK", "orderCode": CODE},
        {"outBizCode": "S4", "itemCode": "A", "quantity": "9", "inventoryType": "CC", "orderType": "CGRK"},
    ]
    for some in (items, items[:2], items[1:]):
        assert post(client, "stockchange.report", stock(*some)) == ("success", "0")
        reports.drain()
    assert level() == (12, 2)
    assert list(StockChange.objects.values_list("sku", "delta", "cause")) == [("A", 2, "stock change")]


@pytest.mark.parametrize(
    ("kind", "code", "left"),
    [("JYCK", CODE, 10), ("JYCK", "", 10), ("JYCK", "ERP-77", 7), ("HHCK", "ERP-78", 7), ("BFCK", CODE, 7)],
)
def test_what_leaves_with_orders_of_others_is_booked(client, order, kind, code, left):
    item = {"outBizCode": "S1", "itemCode": "A", "quantity": "-3", "orderType": kind, "orderCode": code}
    post(client, "stockchange.report", stock(item))
    assert (reports.drain(), level()) == (1, (left, 2))


@pytest.mark.parametrize("quantity", ["-2", "7"])
def test_a_difference_of_what_nobody_counted_makes_no_level(client, order, quantity):
    post(client, "stockchange.report", stock({"outBizCode": "S1", "itemCode": "NEW", "quantity": quantity}))
    reports.drain()
    assert (StockLevel.objects.count(), StockChange.objects.count()) == (1, 0)
    assert list(WarehouseReport.objects.values_list("state", "last_error")) == [
        ("done", "Not booked: nobody has counted this article in this warehouse yet. Import its stock."),
    ]


def test_a_stock_take_adds_its_differences_once(client, order):
    body = stock({"itemCode": "A", "quantity": "-4", "inventoryType": "ZP"}, checkOrderCode="C1", outBizCode="O1")
    for _ in range(2):
        post(client, "inventory.report", body)
        reports.drain()
    assert level() == (6, 2)


def test_query_count_does_not_grow_with_the_reports(client, order, django_assert_max_num_queries):
    numbers = [make_order(order.shop, status="wms_accepted").external_no for _ in range(8)]
    for place, number in enumerate(numbers):
        post(client, STEP, step(f"t-b-{number}", "PICK"))
        post(client, CONFIRM, confirm(f"t-b-{number}", ("YTO", f"Y{number}", [("1", "SKU-1", 1)])))
        post(client, STEP, step(f"t-b-{number}", "SIGN", f"2026-11-12 18:00:0{place}"))
    with django_assert_max_num_queries(31):
        assert reports.drain() == 24
    assert Order.objects.filter(status="delivered").count() == 8
    assert Parcel.objects.values("delivered_at").distinct().count() == 8


@pytest.mark.parametrize("trouble", ["key", "adapter"])
def test_a_report_that_cannot_be_read_holds_up_no_other(client, order, monkeypatch, trouble):
    post(client, STEP, step(CODE, "ACCEPT"))
    broken = WarehouseReport.objects.get()
    if trouble == "key":
        WarehouseReport.objects.update(packed_body=b"\x01\x03old" + bytes(40))
    else:
        read = warehouses.get("qimen").read_report
        monkeypatch.setattr(
            warehouses.get("qimen"), "read_report", lambda *told: {}["张三"] if b"ACCEPT" in told[1] else read(*told)
        )
    post(client, STEP, step(CODE, "PICK"))
    assert (reports.drain(), state(order)[0]) == (2, "picking")
    broken.refresh_from_db()
    assert (broken.state, broken.last_error) == {
        "key": ("dead", "The sealed data cannot be opened: a data key is missing."), "adapter": ("new", "KeyError"),
    }[trouble]  # fmt: skip


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: f"<request>{text}</request>".encode()))
def test_no_body_breaks_the_reader(body):
    for method in ("deliveryorder.confirm", "orderprocess.report", "stockchange.report", "itemlack.report"):
        try:
            warehouses.get("qimen").read_report(method, body)
        except HubError:
            continue


def test_the_path_of_a_warehouse_may_hold_any_code(client, order):
    Warehouse.objects.filter(code="WH01").update(code="杭州 1")
    assert post(client, STEP, step(CODE, "PICK"), code=quote("杭州 1")) == ("success", "0")
