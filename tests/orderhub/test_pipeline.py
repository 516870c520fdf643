from datetime import timedelta

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orderhub.core.results import Outcome
from orderhub.deliveries import process
from orderhub.models import Buyer, Effect, InboxItem, Order, OrderLine, Receiver, Reject, StockLevel, TimelineEntry
from orderhub.pipeline import take_in
from orderhub.services.inbox import receive
from tests.drafts import RECEIVER, deliver, draft, later, line
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]


@pytest.fixture
def shop():
    return make_shop("flagship", merge_window_seconds=600)


def stock(on_hand=10, sku="SERUM-30"):
    return StockLevel.objects.create(sku=sku, warehouse="HZ", on_hand=on_hand)


def reserved():
    return StockLevel.objects.values_list("reserved", flat=True).get()


def fingerprint():
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(xmin::text || ctid::text ORDER BY id) FROM orderhub_order")
        return cursor.fetchone()[0]


def test_a_regular_order_is_stored_whole_and_waits_for_the_warehouse_push(shop):
    stock()
    assert deliver(shop, draft()).counts() == {
        "new": 1,
        "changed": 0,
        "unchanged": 0,
        "stale": 0,
        "held": 0,
        "rejected": 0,
    }
    order = Order.objects.select_related("buyer", "receiver").get()
    assert (order.status, order.lane, order.is_urgent, order.total_fen) == ("ready", "regular", False, 12900)
    assert order.ship_by - order.paid_at == timedelta(hours=48)
    assert (order.buyer.external_id, order.channel_claim) == ("u-T1", "paid")
    assert OrderLine.objects.values_list("sku", "quantity", "reserved", "short", "warehouse").get() == (
        "SERUM-30", 1, 1, 0, "HZ",
    )  # fmt: skip
    effect = Effect.objects.get()
    assert (effect.kind, effect.key, effect.state) == ("wms_push", "wms:T1", "pending")
    assert effect.due_at - effect.created_at == timedelta(seconds=600)
    entry = TimelineEntry.objects.get()
    assert (entry.kind, entry.status_from, entry.status_to, entry.data["lane"]) == ("intake", "", "ready", "regular")


def test_personal_data_is_sealed_masked_and_found_by_index(shop):
    deliver(shop, draft())
    receiver = Receiver.objects.get()
    assert (receiver.name_masked, receiver.phone_masked, receiver.detail_masked) == ("李*", "139****5678", "文三路 ***")
    assert receiver.open() == {"name": "李雷", "phone": "13912345678", "detail": RECEIVER["detail"], "postcode": "",
                               "ip": ""}  # fmt: skip
    stored = bytes(receiver.sealed) + bytes(InboxItem.objects.get().packed_body)
    assert b"13912345678" not in stored
    assert "李雷".encode() not in stored


def test_the_same_order_again_rewrites_no_row(shop):
    stock()
    deliver(shop, draft())
    before = fingerprint()
    assert deliver(shop, draft()).counts()["unchanged"] == 1
    assert fingerprint() == before
    assert (reserved(), Effect.objects.count(), TimelineEntry.objects.count()) == (1, 1, 1)


def test_an_older_version_never_overwrites(shop):
    deliver(shop, draft(buyer_remark="second", modified_at=later(5)))
    assert deliver(shop, draft(buyer_remark="first", modified_at=later(1))).counts()["stale"] == 1
    assert Order.objects.get().buyer_remark == "second"


def test_of_two_versions_of_the_same_time_the_one_that_was_delivered_later_stands(shop):
    first, second = (
        receive(shop=shop, source="poll", reader="draft", delivery_key=flag, body=orjson.dumps([draft(flag=flag)]))
        for flag in ("red", "blue")
    )
    process(second.pk)
    assert process(first.pk).rows[0].outcome is Outcome.STALE
    assert Order.objects.get().flag == "blue"


def test_an_answer_that_lags_behind_takes_no_payment_back(shop):
    deliver(shop, draft())
    late = draft(status="unpaid", paid_at=None, paid_fen=0, lines=[line(paid_fen=0)])
    assert deliver(shop, late).rows[0].outcome is Outcome.STALE
    assert Order.objects.values_list("status", "paid_fen").get() == ("ready", 12900)


def test_of_two_versions_in_one_delivery_the_later_counts(shop):
    rows = deliver(shop, draft(modified_at=later(5), buyer_remark="new"), draft(modified_at=later(1))).as_json()
    assert [row["outcome"] for row in rows] == ["new", "stale"]
    assert Order.objects.get().buyer_remark == "new"


def test_a_changed_quantity_replaces_the_line_and_moves_the_reservation(shop):
    stock()
    deliver(shop, draft())
    deliver(shop, draft(lines=[line(quantity=3)], modified_at=later(5)))
    assert OrderLine.objects.values_list("quantity", "reserved").get() == (3, 3)
    assert (reserved(), Effect.objects.count()) == (3, 1)


def test_unchanged_lines_are_not_replaced(shop):
    stock()
    deliver(shop, draft())
    before = OrderLine.objects.get().pk
    deliver(shop, draft(seller_remark="call first", modified_at=later(5)))
    assert OrderLine.objects.get().pk == before


def test_a_cancelled_order_gives_its_stock_back(shop):
    stock()
    deliver(shop, draft())
    deliver(shop, draft(status="cancelled", modified_at=later(5)))
    assert Order.objects.get().status == "cancelled"
    assert (reserved(), OrderLine.objects.get().reserved) == (0, 0)


def test_a_refund_keeps_the_stock_until_it_is_done(shop):
    stock()
    deliver(shop, draft())
    deliver(shop, draft(lines=[line(refund="asked")], modified_at=later(5)))
    assert (Order.objects.get().status, reserved()) == ("refunding", 1)
    deliver(shop, draft(lines=[line(refund="done")], modified_at=later(6)))
    assert (Order.objects.get().status, reserved()) == ("refunded", 0)


def test_a_withdrawn_refund_lets_the_order_go_on(shop):
    stock()
    deliver(shop, draft())
    deliver(shop, draft(lines=[line(refund="asked")], modified_at=later(5)))
    deliver(shop, draft(lines=[line(refund="refused")], modified_at=later(6)))
    assert (Order.objects.get().status, reserved()) == ("ready", 1)


def test_a_refund_withdrawn_after_the_push_leaves_the_order_with_the_warehouse(shop):
    stock()
    deliver(shop, draft())
    Order.objects.update(status="packed", warehouse_claim="packed")
    deliver(shop, draft(lines=[line(refund="asked")], modified_at=later(5)))
    assert Order.objects.get().status == "refunding"
    deliver(shop, draft(lines=[line(refund="refused")], modified_at=later(6)))
    assert (Order.objects.get().status, reserved()) == ("packed", 1)


@pytest.mark.parametrize(("known", "then", "status"), [
    ("unpaid", {"lines": [line(refund="asked")]}, "refunding"),
    ("unpaid", {"lines": [line(refund="done")]}, "refunded"),
    ("unpaid", {"status": "in_transit"}, "in_transit"), ("unpaid", {"status": "completed"}, "completed"),
    ("unpaid", {"presale": "deposit"}, "presale_deposit"),
    ("wms_accepted", {"lines": [line(refund="done")]}, "refunded"), ("packed", {"status": "refunded"}, "refunded"),
    ("ready", {"status": "unpaid", "paid_at": None}, "ready"),
    ("in_triage_hold", {"presale": "deposit"}, "in_triage_hold"),
    ("ready", {"status": "in_transit"}, "ready"),
])  # fmt: skip
def test_a_state_that_no_pull_saw_is_no_obstacle_and_none_goes_back(shop, known, then, status):
    deliver(shop, draft(**({"status": "unpaid", "paid_at": None} if known == "unpaid" else {})))
    Order.objects.update(status=known)
    deliver(shop, draft(modified_at=later(5), **then))
    assert Order.objects.get().status == status


@pytest.mark.parametrize("known", ["short", "ready", "in_triage_hold", "wms_failed", "wms_accepted"])
def test_a_deal_that_ends_without_a_hand_over_ends_the_order_and_its_pieces_are_gone(shop, known):
    stock(on_hand=5)
    deliver(shop, draft())
    Order.objects.update(status=known)
    deliver(shop, draft(status="in_transit", modified_at=later(5)))
    assert (Order.objects.get().status, Order.objects.get().has_drift, reserved()) == (known, True, 1)
    deliver(shop, draft(status="completed", modified_at=later(6)))
    assert Order.objects.get().status == "completed"
    assert StockLevel.objects.values_list("on_hand", "reserved").get() == (4, 0)


@pytest.mark.parametrize(("changes", "status"), [
    ({"receiver": {**RECEIVER, "detail": "老地方"}}, "in_triage_hold"), ({"lines": [line(quantity=9)]}, "short"),
])  # fmt: skip
def test_a_refused_order_that_changes_is_judged_again_before_it_goes(shop, changes, status):
    stock(on_hand=5)
    deliver(shop, draft())
    Order.objects.update(status="wms_failed")
    Effect.objects.update(state="dead", attempts=1)
    deliver(shop, draft(**changes, modified_at=later(5)))
    assert (Order.objects.get().status, Effect.objects.get(kind="wms_push").state) == (status, "dead")
    deliver(shop, draft(modified_at=later(6)))
    assert (Order.objects.get().status, Effect.objects.get(kind="wms_push").state) == ("ready", "pending")


def test_a_receiver_whose_key_is_gone_is_replaced_by_what_the_channel_says(shop):
    deliver(shop, draft())
    Receiver.objects.update(sealed=b"0" * 60)
    deliver(shop, draft(freight_fen=1, modified_at=later(5)))
    assert Receiver.objects.get().open()["name"] == RECEIVER["name"]


@pytest.mark.parametrize(("warehouse_claim", "changes", "state"), [
    ("", {"receiver": {**RECEIVER, "oaid": "new"}}, "pending"), ("", {}, "dead"),
    ("wms_failed", {"receiver": {**RECEIVER, "oaid": "new"}}, "dead"),
])  # fmt: skip
def test_a_refused_push_is_tried_again_once_the_channel_says_something_new(shop, warehouse_claim, changes, state):
    deliver(shop, draft())
    Order.objects.update(status="wms_failed", warehouse_claim=warehouse_claim)
    Effect.objects.update(state="dead", attempts=1)
    deliver(shop, draft(**changes, **({"modified_at": later(5)} if changes else {})))
    assert Effect.objects.values_list("kind", "state").get() == ("wms_push", state)
    assert Order.objects.get().status == ("ready" if state == "pending" else "wms_failed")


def test_a_parcel_that_was_refused_for_a_refund_is_told_again_once_it_is_over(shop):
    deliver(shop, draft())
    order = Order.objects.get()
    Order.objects.update(status="in_transit", warehouse_claim="in_transit")
    at = {"created_at": later(0), "due_at": later(0)}
    Effect.objects.create(shop=shop, order=order, kind="shipment", key="s", state="dead", attempts=1, **at)
    states = []
    for minute, refund in ((5, "asked"), (6, "refused")):
        deliver(shop, draft(lines=[line(refund=refund)], modified_at=later(minute)))
        states.append(Effect.objects.values_list("state", "attempts").get(kind="shipment"))
    assert states == [("dead", 1), ("pending", 0)]


@pytest.mark.parametrize(
    "held", [{"channel_hold": "LOCKED"}, {"channel_hold": "", "receiver": RECEIVER | {"oaid": "n"}}]
)
def test_a_dead_push_stays_dead_while_the_channel_holds_the_order(shop, held):
    deliver(shop, draft())
    Order.objects.update(status="wms_failed")
    Effect.objects.update(state="dead", attempts=1)
    deliver(shop, draft(**held, modified_at=later(5)))
    assert Effect.objects.get(kind="wms_push").state == ("dead" if held["channel_hold"] else "pending")
    deliver(shop, draft(modified_at=later(6)))
    assert Effect.objects.get(kind="wms_push").state == "pending"


@pytest.mark.parametrize(("status", "warehouse_claim", "was", "state"), [
    ("wms_queued", "", "cancelled", "pending"), ("ready", "", "cancelled", "pending"),
    ("wms_queued", "", "done", "done"), ("wms_failed", "wms_failed", "cancelled", "cancelled"),
    ("wms_accepted", "wms_accepted", "cancelled", "cancelled"),
])  # fmt: skip
def test_a_push_dropped_for_a_hold_is_wanted_again_once_the_hold_is_lifted(shop, status, warehouse_claim, was, state):
    deliver(shop, draft())
    Order.objects.update(status=status, warehouse_claim=warehouse_claim)
    deliver(shop, draft(channel_hold="LOCKED", modified_at=later(5)))
    Effect.objects.update(state=was)
    deliver(shop, draft(channel_hold="LOCKED", buyer_remark="?", modified_at=later(6)))
    assert Effect.objects.get(kind="wms_push").state == was
    deliver(shop, draft(modified_at=later(7)))
    assert (Effect.objects.get(kind="wms_push").state, Order.objects.get().status) == (state, status)


MOVED = {"receiver": RECEIVER | {"detail": "文三路 91 号 1 幢 201 室"}}


@pytest.mark.parametrize(("changes", "named"), [
    (MOVED, ["receiver"]), ({"receiver": RECEIVER | {"city": "宁波市"}}, ["receiver"]),
    ({"receiver": RECEIVER | {"phone": "+86 139-1234-5678"}}, ["details"]),
    ({"lines": [line(quantity=3)]}, ["lines"]), ({"lines": [line(refund="asked")]}, ["status", "lines"]),
    ({"buyer_remark": "放门口"}, ["remark"]), ({"seller_remark": "call"}, ["memo"]), ({"flag": "red"}, ["memo"]),
    ({"channel_hold": "LOCKED"}, ["hold"]), ({"status": "in_transit", **MOVED}, ["status", "receiver"]),
    ({"freight_fen": 1}, ["details"]),
])  # fmt: skip
def test_the_timeline_names_what_the_channel_changed(shop, changes, named):
    deliver(shop, draft())
    deliver(shop, draft(**changes, modified_at=later(5)))
    assert TimelineEntry.objects.get(kind="change").data["changed"] == named


def test_pieces_that_came_are_no_change_of_the_lines(shop):
    deliver(shop, draft())
    OrderLine.objects.update(reserved=0, short=1)
    stock()
    deliver(shop, draft(freight_fen=1, modified_at=later(5)))
    assert TimelineEntry.objects.get(kind="change").data["changed"] == ["details"]
    assert OrderLine.objects.get().reserved == 1


@pytest.mark.parametrize(("changes", "named"), [
    (MOVED, ["receiver"]), ({"lines": [line(quantity=3)], "buyer_remark": "放门口"}, ["lines", "remark"]),
    ({"seller_remark": "call", "flag": "red"}, None), ({"status": "in_transit"}, None), ({"freight_fen": 1}, None),
    ({"status": "cancelled"}, ["status"]),
])  # fmt: skip
def test_the_warehouse_is_told_of_what_the_buyer_changed_after_the_push(shop, changes, named):
    deliver(shop, draft())
    Order.objects.update(status="packed", warehouse_claim="packed")
    deliver(shop, draft(**changes, modified_at=later(5)))
    told = Effect.objects.filter(kind="warehouse_heads_up").values_list("payload", flat=True)
    wanted = {"reason": "changed_after_push", "changed": named, "status": changes.get("status", "packed")}
    assert list(told) == ([wanted] if named else [])


def test_an_unpaid_order_is_neither_judged_nor_reserved_until_it_is_paid(shop):
    stock()
    deliver(shop, draft(status="unpaid", paid_at=None))
    order = Order.objects.get()
    assert (order.status, order.lane, order.triaged_at, reserved()) == ("unpaid", "", None, 0)
    deliver(shop, draft(modified_at=later(5)))
    assert (Order.objects.get().status, reserved()) == ("ready", 1)
    assert list(TimelineEntry.objects.values_list("status_from", "status_to")) == [("", "unpaid"), ("unpaid", "ready")]


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"presale": "deposit"}, "presale_deposit"), ({"channel_hold": "PAID_FORBID_CONSIGN"}, "paid"),
     ({"lines": [line(refund="asked")]}, "refunding")],
)  # fmt: skip
def test_what_must_not_move_is_not_judged_and_never_pushed(shop, changes, status):
    deliver(shop, draft(**changes))
    order = Order.objects.get()
    assert (order.status, order.lane) == (status, "")
    assert not Effect.objects.exists()


def test_the_last_piece_goes_to_the_order_that_would_be_late_first(shop):
    stock(on_hand=1)
    deliver(
        shop,
        draft("T1", ship_by="2026-11-14T00:00:00+08:00"),
        draft("T2", ship_by="2026-11-12T00:00:00+08:00"),
    )
    assert dict(Order.objects.values_list("external_no", "status")) == {"T1": "short", "T2": "ready"}
    assert (reserved(), dict(OrderLine.objects.values_list("order__external_no", "short"))) == (1, {"T1": 1, "T2": 0})


def test_a_bad_row_is_rejected_with_its_place_and_the_others_go_in(shop):
    result = deliver(shop, draft("T1"), draft("T2", total_fen=-5), draft("T3"))
    assert [row["outcome"] for row in result.as_json()] == ["new", "rejected", "new"]
    reject = Reject.objects.get()
    assert (reject.external_no, reject.row, reject.field_path, reject.reason) == (
        "T2", 1, "total_fen", "Expected `int` >= 0",
    )  # fmt: skip
    assert orjson.loads(reject.raw_row)["total_fen"] == -5


def test_a_row_that_only_the_database_refuses_is_found_by_halving(shop):
    from channels_sync.readers import ReadRow
    from orderhub.core.draft import read_draft

    rows = [
        ReadRow(n, read_draft(draft(f"T{n}", seller_remark="\x00" if n == 5 else "")), None, f"T{n}", "draft", b"{}")
        for n in range(9)
    ]
    result = take_in(shop=shop, rows=rows, source="test", actor="test", inbox_id=None)
    assert [row.external_no for row in result.rows if row.outcome is Outcome.REJECTED] == ["T5"]
    assert (Order.objects.count(), Reject.objects.count()) == (8, 1)


def test_the_number_of_queries_does_not_grow_with_the_batch(shop):
    stock(on_hand=1000)
    counts = []
    for start, size in ((0, 1), (100, 1), (200, 100)):
        rows = [draft(f"T{start + n}") for n in range(size)]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            deliver(shop, *rows)
        counts.append(len(queries))
    assert counts[1] == counts[2]


def test_the_number_of_queries_does_not_grow_with_the_changes(shop):
    stock(on_hand=1000)
    deliver(shop, *[draft(f"T{n}") for n in range(102)])
    Order.objects.update(status="packed", warehouse_claim="packed")
    counts = []
    for numbers in ((0,), (1,), range(2, 102)):
        with CaptureQueriesContext(connection) as queries:
            deliver(shop, *[draft(f"T{n}", **MOVED, modified_at=later(5)) for n in numbers])
        counts.append(len(queries))
    assert counts[1] == counts[2]


def test_buyers_are_shared_within_a_shop_only(shop):
    other = make_shop("other")
    same = {"id": "u-1", "nickname": "n"}
    deliver(shop, draft("T1", buyer=same), draft("T2", buyer=same))
    deliver(other, draft("T1", buyer=same))
    assert Buyer.objects.count() == 2
    assert Order.objects.count() == 3
