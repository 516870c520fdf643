import pytest

from channels_sync.services import push
from channels_sync.services.push import WarehousePush
from orderhub import pulls
from orderhub.core.effects import Job, effect_handlers
from orderhub.core.words import EffectState, Status
from orderhub.models import Effect, Order, OrderLine, Parcel, ParcelLine, Shop, StockLevel, TimelineEntry, Warehouse
from orderhub.rejudging import restock
from orderhub.services import outbox
from tests.channels_sync.pushes import deliveries, due_again, now_of, other_house, queue
from tests.drafts import RECEIVER, deliver, draft, later, line
from tests.factories import make_order, make_shop


@pytest.fixture
def shop(taobao_shop):
    return make_shop("mini", platform="wechat", warehouse=taobao_shop.warehouse)


def test_the_handler_is_registered():
    assert isinstance(effect_handlers.get("wms_push"), WarehousePush)


def test_a_ready_order_reaches_the_warehouse(platform, shop):
    order = make_order(shop, status="ready", buyer_remark="加急", is_urgent=True)
    queue(order)
    assert outbox.drain(kinds=["wms_push"]).done == 1
    sent = deliveries(platform)[f"mini-{order.external_no}"]
    assert "<isUrgency>Y</isUrgency>" in sent["body"]
    assert "<mobile>13912345678</mobile>" in sent["body"]
    order.refresh_from_db()
    assert (order.status, order.warehouse_claim) == (Status.WMS_ACCEPTED, Status.WMS_ACCEPTED)
    entries = list(TimelineEntry.objects.values_list("status_from", "status_to", "source", "kind"))
    assert entries == [
        ("ready", "wms_queued", "hub", "status"), ("wms_queued", "wms_accepted", "warehouse", "wms_push"),
    ]  # fmt: skip
    assert TimelineEntry.objects.last().data == {"warehouse_order_id": "WMS0000000001", "warehouse": "WH01"}


@pytest.mark.parametrize(
    ("kept", "is_active", "sent_to"),
    [
        (["GZ", "GZ"], True, "GZ"),
        (["GZ", "WH01"], True, "WH01"),
        (["GZ", "GZ"], False, "WH01"),
        (["", ""], True, "WH01"),
    ],
)
def test_an_order_goes_where_all_its_pieces_are_kept_else_where_its_shop_sends(
    platform, shop, kept, is_active, sent_to
):
    other_house(shop, is_active=is_active)
    order = make_order(shop, status="ready", lines=2)
    for item, house in zip(order.lines.order_by("pk"), kept, strict=True):
        OrderLine.objects.filter(pk=item.pk).update(warehouse=house, reserved=int(bool(house)))
    queue(order)
    assert outbox.drain(kinds=["wms_push"]).done == 1
    assert TimelineEntry.objects.filter(kind="wms_push").last().data["warehouse"] == sent_to


def test_what_was_given_back_and_shipped_by_hand_is_not_sent_again(platform, shop):
    order = make_order(shop, status="wms_failed", warehouse_claim="wms_failed", channel_claim="in_transit")
    queue(order)
    assert outbox.drain(kinds=["wms_push"]).cancelled == 1
    assert (now_of(order), deliveries(platform)) == ([Status.WMS_FAILED], {})


def test_masked_orders_go_with_their_token(platform, taobao_shop, rules):
    platform.live.make(6)
    pulls.pull_shop(taobao_shop.pk)
    Order.objects.update(status="ready")
    Effect.objects.all().delete()
    queue(*Order.objects.all())
    done = outbox.drain(kinds=["wms_push"])
    assert (done.done, done.errors) == (Order.objects.filter(status="wms_accepted").count(), [])
    bodies = [row["body"] for row in deliveries(platform).values()]
    assert bodies
    assert all("<oaid>1" in body and "<oaidOrderSourceCode>" in body for body in bodies)


@pytest.mark.parametrize(
    "changes",
    [{"status": "cancelled"}, {"status": "in_triage_hold"}, {"status": "refunding"}, {"status": "in_transit"},
     {"status": "ready", "channel_hold": "PAID_FORBID_CONSIGN"}, {"status": "ready", "channel_claim": "in_transit"},
     {"status": "wms_failed", "channel_claim": "completed"}],
)  # fmt: skip
def test_an_order_that_must_not_go_is_not_sent(platform, shop, changes):
    order, good = make_order(shop, **changes), make_order(shop, status="ready")
    queue(order, good)
    result = outbox.drain(kinds=["wms_push"])
    assert (result.done, result.cancelled) == (1, 1)
    assert now_of(order, good) == [changes["status"], Status.WMS_ACCEPTED]
    assert list(deliveries(platform)) == [f"mini-{good.external_no}"]
    assert Effect.objects.get(order=order).state == EffectState.CANCELLED


def test_what_the_warehouse_gave_back_stays_with_a_person_while_the_channel_holds_it(platform, shop):
    order = make_order(shop, status="wms_failed", warehouse_claim="wms_failed", channel_hold="LOCKED")
    queue(order)
    assert outbox.drain(kinds=["wms_push"]).dead == 1
    assert Effect.objects.values_list("state", "last_error").get() == (
        "dead", "平台暂不允许发货：待平台解除后再重试。",
    )  # fmt: skip
    assert (now_of(order), deliveries(platform)) == ([Status.WMS_FAILED], {})
    Order.objects.update(channel_hold="")
    assert outbox.retry_dead(effect_ids=[Effect.objects.get().pk], actor="boss") == 1
    assert outbox.drain(kinds=["wms_push"]).done == 1


@pytest.mark.parametrize("before", ["done", "cancelled"])
def test_a_push_that_was_given_back_is_a_dead_letter_also_if_its_answer_came_too_late(shop, before):
    order = make_order(shop, status="wms_failed", warehouse_claim="wms_failed")
    queue(order)
    Effect.objects.update(state=before)
    push.set_aside(order_ids=[order.pk])
    assert Effect.objects.get().state == "dead"


@pytest.mark.parametrize("refund", ["asked", "agreed"])
def test_an_open_refund_of_one_line_stops_the_whole_order(platform, shop, refund):
    order = make_order(shop, status="ready", lines=2)
    OrderLine.objects.filter(order=order, line_no="2").update(refund=refund)
    queue(order)
    assert outbox.drain(kinds=["wms_push"]).cancelled == 1
    assert now_of(order) == [Status.READY]
    assert deliveries(platform) == {}


def test_a_refunded_line_is_left_out(platform, shop):
    order = make_order(shop, status="ready", lines=2)
    OrderLine.objects.filter(order=order, line_no="2").update(refund="done")
    queue(order)
    outbox.drain(kinds=["wms_push"])
    body = deliveries(platform)[f"mini-{order.external_no}"]["body"]
    assert "SKU-1" in body
    assert "SKU-2" not in body


def test_an_article_that_was_put_aside_is_left_out_and_alone_sends_nothing(platform, shop):
    some, alone = (make_order(shop, status="ready", lines=count) for count in (2, 1))
    for order, number in ((some, "2"), (alone, "1")):
        order.extra = {"channel_lines": [{"line_no": number, "item_id": "1", "sku_id": "", "ignored": True}]}
        order.save(update_fields=["extra"])
    queue(some, alone)
    assert outbox.drain(kinds=["wms_push"]).cancelled == 1
    ((_code, sent),) = deliveries(platform).items()
    assert ("SKU-1" in sent["body"], "SKU-2" in sent["body"]) == (True, False)
    assert now_of(some, alone) == [Status.WMS_ACCEPTED, Status.READY]


def test_what_has_left_is_not_sent_again_with_the_rest(platform, shop):
    order = make_order(shop, status="wms_failed", warehouse_claim="wms_failed", lines=3)
    first, second, _third = order.lines.order_by("pk")
    OrderLine.objects.filter(pk=second.pk).update(quantity=3, paid_fen=900)
    parcel = Parcel.objects.create(shop=shop, tracking_no="P1")
    for number, pieces, inside in ((first.line_no, 1, parcel), (second.line_no, 1, parcel), (second.line_no, 1, None)):
        ParcelLine.objects.create(shop=shop, order=order, parcel=inside, line_no=number, quantity=pieces)
    (prepared,) = WarehousePush().prepare([Job(1, "k", shop.pk, order.pk, None, 1)]).values()
    sent = [(line.line_no, line.quantity) for line in prepared.order.lines]
    assert (sent, prepared.order.lines[0].paid_fen) == ([("2", 1), ("3", 1)], 300)


def test_of_an_order_that_has_left_as_a_whole_nothing_is_sent(platform, shop):
    order = make_order(shop, status="wms_failed", warehouse_claim="wms_failed")
    ParcelLine.objects.create(shop=shop, order=order, line_no=order.lines.get().line_no, quantity=1)
    queue(order)
    assert (outbox.drain(kinds=["wms_push"]).cancelled, deliveries(platform)) == (1, {})


def test_missing_pieces_stop_the_order(platform, shop):
    order = make_order(shop, status="ready")
    OrderLine.objects.filter(order=order).update(short=1)
    queue(order)
    assert outbox.drain(kinds=["wms_push"]).cancelled == 1
    assert deliveries(platform) == {}


@pytest.mark.parametrize("kind", ["http500", "truncated", "disconnect", "throttle"])
def test_a_passing_fault_is_tried_again_under_the_same_code(platform, shop, kind):
    order = make_order(shop, status="ready")
    queue(order)
    platform.faults.add({"kind": kind, "times": 1, "seconds": 1})
    assert outbox.drain(kinds=["wms_push"]).retried == 1
    assert now_of(order) == [Status.WMS_QUEUED]
    due_again()
    assert outbox.drain(kinds=["wms_push"]).done == 1
    assert now_of(order) == [Status.WMS_ACCEPTED]
    assert [row["times"] for row in deliveries(platform).values()] in ([1], [2])


def test_a_refusal_is_final_visible_and_can_be_retried_by_a_person(platform, shop):
    order, good = make_order(shop, status="ready"), make_order(shop, status="ready")
    queue(order)
    platform.faults.add({"kind": "failure", "times": 1, "message": "货品不存在"})
    assert outbox.drain(kinds=["wms_push"]).dead == 1
    queue(good)
    outbox.drain(kinds=["wms_push"])
    assert now_of(order, good) == [Status.WMS_FAILED, Status.WMS_ACCEPTED]
    effect = Effect.objects.get(order=order)
    assert effect.state == EffectState.DEAD
    assert "货品不存在" in effect.last_error
    assert "货品不存在" in TimelineEntry.objects.get(order=order, status_to="wms_failed").data["reason"]
    outbox.retry_dead(effect_ids=[effect.pk], actor="boss")
    assert outbox.drain(kinds=["wms_push"]).done == 1
    assert now_of(order) == [Status.WMS_ACCEPTED]


def refund(order, word, minute):
    """Tell the next version of the order's only line."""
    deliver(order.shop, draft(order.external_no, lines=[line(refund=word)], modified_at=later(minute)))


@pytest.fixture
def taken_in(platform, shop, rules):
    """An order that came through the intake and waits for its push."""
    deliver(shop, draft())
    return Order.objects.get()


def test_a_refund_between_looking_and_marking_keeps_the_order_here(platform, shop, taken_in, monkeypatch):
    marks = push.change_status

    def late(**told):
        refund(taken_in, "asked", 5)
        return marks(**told)

    monkeypatch.setattr(push, "change_status", late)
    due_again()
    assert outbox.drain(kinds=["wms_push"]).cancelled == 1
    assert (now_of(taken_in), deliveries(platform)) == ([Status.REFUNDING], {})
    monkeypatch.undo()
    refund(taken_in, "refused", 6)
    due_again()
    assert outbox.drain(kinds=["wms_push"]).done == 1
    assert now_of(taken_in) == [Status.WMS_ACCEPTED]


def test_an_order_that_lost_its_pieces_on_the_way_to_the_warehouse_goes_out_once_there_are_some(
    platform, shop, taken_in
):
    level = StockLevel.objects.create(sku="SERUM-30", warehouse="WH01", on_hand=0)
    Order.objects.update(status="wms_queued")
    refund(taken_in, "agreed", 5)
    refund(taken_in, "refused", 6)
    due_again()
    assert outbox.drain(kinds=["wms_push"]).cancelled == 1
    assert (now_of(taken_in), OrderLine.objects.get().short, restock()) == ([Status.WMS_QUEUED], 1, 0)
    StockLevel.objects.filter(pk=level.pk).update(on_hand=1)
    assert restock() == 1
    due_again()
    assert outbox.drain(kinds=["wms_push"]).done == 1
    assert (now_of(taken_in), OrderLine.objects.get().reserved) == ([Status.WMS_ACCEPTED], 1)


def test_an_address_that_changes_while_the_order_is_marked_goes_out_new(platform, shop, taken_in, monkeypatch):
    marks = push.change_status

    def late(**told):
        deliver(shop, draft(receiver=RECEIVER | {"detail": "文三路 91 号 2 幢 101 室"}, modified_at=later(5)))
        return marks(**told)

    monkeypatch.setattr(push, "change_status", late)
    (prepared,) = WarehousePush().prepare([Job(1, "k", shop.pk, taken_in.pk, None, 1)]).values()
    assert prepared.order.receiver.detail == "文三路 91 号 2 幢 101 室"


def test_an_address_corrected_while_the_old_one_is_refused_goes_out_by_itself(platform, shop, taken_in, monkeypatch):
    prepare, better = WarehousePush.prepare, RECEIVER | {"detail": "文三路 91 号 2 幢 101 室"}

    def late(self, jobs):
        prepared = prepare(self, jobs)
        deliver(shop, draft(receiver=better, modified_at=later(5)))
        return prepared

    with monkeypatch.context() as patch:
        patch.setattr(WarehousePush, "prepare", late)
        platform.faults.add({"kind": "failure", "times": 1, "message": "地址不存在"})
        due_again()
        result = outbox.drain(kinds=["wms_push"])
    assert (result.retried, result.dead, now_of(taken_in)) == (1, 0, [Status.WMS_QUEUED])
    due_again()
    assert outbox.drain(kinds=["wms_push"]).done == 1
    (sent,) = deliveries(platform).values()
    assert "文三路 91 号 2 幢 101 室" in sent["body"]


def test_a_push_that_a_refund_overtook_is_made_once_the_refund_is_withdrawn(platform, shop, taken_in):
    platform.faults.add({"kind": "truncated", "times": 1, "method": "deliveryorder.create"})
    due_again()
    assert outbox.drain(kinds=["wms_push"]).retried == 1
    refund(taken_in, "asked", 5)
    due_again()
    assert outbox.drain(kinds=["wms_push"]).cancelled == 1
    refund(taken_in, "refused", 6)
    assert now_of(taken_in) == [Status.WMS_QUEUED]
    due_again()
    assert outbox.drain(kinds=["wms_push"]).done == 1
    assert (now_of(taken_in), len(deliveries(platform))) == ([Status.WMS_ACCEPTED], 1)


def test_the_warehouses_answer_to_a_push_does_not_hide_a_refund(platform, shop, taken_in):
    handler, job = WarehousePush(), Job(1, "k", shop.pk, taken_in.pk, None, 1)
    prepared = handler.prepare([job])
    refund(taken_in, "asked", 5)
    handler.settle([(job, handler.send(prepared[1]))])
    taken_in.refresh_from_db()
    assert (taken_in.status, taken_in.under_refund, taken_in.warehouse_claim) == (
        "refunding", "wms_accepted", "wms_accepted",
    )  # fmt: skip


@pytest.mark.parametrize("is_active", [None, False])
def test_without_a_warehouse_a_shops_orders_wait_and_go_out_once_it_has_one(platform, shop, is_active):
    off = None if is_active is None else Warehouse.objects.create(code="off", name="off", is_active=is_active)
    homeless = make_shop("homeless", warehouse=off)
    order = make_order(homeless, status="ready")
    queue(order)
    for _ in range(outbox.MAX_ATTEMPTS + 1):
        result = outbox.drain(kinds=["wms_push"])
        assert (result.retried, result.dead) == (1, 0)
        due_again()
    assert "homeless" in result.errors[0]
    effect = Effect.objects.get()
    assert (effect.state, effect.attempts, now_of(order)) == ("pending", 0, [Status.READY])
    assert not order.timeline.exists()
    Shop.objects.filter(pk=homeless.pk).update(warehouse=shop.warehouse)
    assert outbox.drain(kinds=["wms_push"]).done == 1
    assert now_of(order) == [Status.WMS_ACCEPTED]


def test_orders_of_another_shop_go_out_meanwhile(platform, shop):
    homeless, good = make_order(make_shop(), status="ready"), make_order(shop, status="ready")
    queue(homeless, good)
    result = outbox.drain(kinds=["wms_push"])
    assert (result.done, result.retried) == (1, 1)
    assert now_of(homeless, good) == [Status.READY, Status.WMS_ACCEPTED]


def test_an_unknown_adapter_fails_with_a_reason(platform, shop):
    Warehouse.objects.update(adapter="mars")
    order = make_order(shop, status="ready")
    queue(order)
    assert "mars" in outbox.drain(kinds=["wms_push"]).errors[0]


def test_sealed_data_without_its_key_fails_and_sends_nothing(platform, shop):
    order = make_order(shop, status="ready")
    order.receiver.sealed = b"\x01\x03old" + bytes(40)
    order.receiver.save()
    queue(order)
    assert outbox.drain(kinds=["wms_push"]).dead == 1
    assert deliveries(platform) == {}


def test_personal_data_is_in_no_representation(platform, shop):
    order = make_order(shop, status="ready", name="韩梅梅", phone="13700001111", detail="秘密路 1 号")
    prepared = WarehousePush().prepare([Job(1, "k", shop.pk, order.pk, None, 1)])
    shown = repr(prepared)
    assert all(secret not in shown for secret in ("韩梅梅", "13700001111", "秘密路"))


def test_the_number_of_queries_does_not_grow_with_the_orders(platform, shop, django_assert_num_queries):
    counts = []
    for number in (1, 3):
        orders = [make_order(shop, status="ready") for _ in range(number)]
        jobs = [Job(order.pk, "k", shop.pk, order.pk, None, 1) for order in orders]
        with django_assert_num_queries(11) as asked:
            prepared = WarehousePush().prepare(jobs)
        counts.append(len(asked))
        assert len(prepared) == number
    assert counts == [11, 11]
