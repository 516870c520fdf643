"""Orders held at the gate and let in later: each once, in its newest version, in the right order, at the right pace."""

from datetime import timedelta

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_sync import readers
from orderhub.backlog import drain_backlog
from orderhub.core.draft import read_draft
from orderhub.core.results import Outcome
from orderhub.deliveries import process
from orderhub.models import Effect, Gate, InboxItem, Order, ParkedOrder, Receiver, Reject, StockLevel, TimelineEntry
from orderhub.rejudging import retriage
from orderhub.reruns import rerun_reject
from orderhub.services.gate import set_gate
from orderhub.services.inbox import receive
from tests.drafts import RECEIVER, deliver, draft, later
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]


@pytest.fixture
def shop():
    return make_shop("flagship", merge_window_seconds=600)


def put(state, rate=None, shop=None):
    set_gate(shop_id=shop and shop.pk, state=state, rate_per_minute=rate, reason="stock count", actor="boss")


def idle(seconds=1000):
    """As if nothing had entered for some seconds."""
    Gate.objects.update(paced_until=timezone.now() - timedelta(seconds=seconds))


def drain():
    """Let in whatever the gates allow over a long time."""
    left = 0
    while True:
        idle()
        done = drain_backlog()
        if not done:
            return left
        left += done


def outcomes(result):
    return [row["outcome"] for row in result.as_json()]


def parked():
    return dict(ParkedOrder.objects.values_list("external_no", "modified_at"))


def test_while_paused_nothing_enters_and_everything_is_kept(shop):
    put("paused")
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=5)
    result = deliver(shop, draft("T1"), draft("T2"))
    assert (outcomes(result), result.counts()["held"]) == (["held", "held"], 2)
    assert set(parked()) == {"T1", "T2"}
    assert not any(model.objects.exists() for model in (Order, Effect, TimelineEntry, Receiver, Reject))
    assert StockLevel.objects.get().reserved == 0
    item = InboxItem.objects.get()
    assert (item.state, item.result["counts"]["held"], item.rows) == ("done", 2, 2)


def test_what_is_kept_is_sealed(shop):
    put("paused")
    deliver(shop, draft())
    row = ParkedOrder.objects.get()
    assert readers.read(row.reader, row.raw_row)[0].draft == read_draft(draft())
    assert b"13912345678" not in bytes(row.packed_row)


def test_an_opened_gate_lets_everything_in_as_if_it_had_just_come(shop):
    put("paused")
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=5)
    deliver(shop, draft("T1"), draft("T2"))
    item = InboxItem.objects.get()
    put("open")
    assert drain() == 2
    assert set(Order.objects.values_list("external_no", "status", "lane", "inbox_id")) == {
        ("T1", "ready", "regular", item.pk), ("T2", "ready", "regular", item.pk),
    }  # fmt: skip
    assert StockLevel.objects.get().reserved == 2
    assert Effect.objects.filter(kind="wms_push").count() == 2
    entry = TimelineEntry.objects.filter(order__external_no="T1").get()
    assert (entry.kind, entry.actor, entry.data["via"]) == ("intake", "intake:gate", "gate")
    assert parked() == {}


def test_the_gate_of_one_shop_holds_only_its_orders(shop):
    other = make_shop("other")
    put("paused", shop=shop)
    assert outcomes(deliver(shop, draft())) == ["held"]
    assert outcomes(deliver(other, draft())) == ["new"]


def test_bad_rows_are_refused_at_once(shop):
    put("paused")
    assert outcomes(deliver(shop, draft("T1"), draft("T2", total_fen=-5))) == ["held", "rejected"]
    assert Reject.objects.values_list("external_no", "field_path").get() == ("T2", "total_fen")


def test_the_newest_version_waits_whatever_order_they_come_in(shop):
    put("paused")
    assert outcomes(deliver(shop, draft(buyer_remark="2", modified_at=later(2)))) == ["held"]
    assert outcomes(deliver(shop, draft(buyer_remark="1", modified_at=later(1)))) == ["stale"]
    assert outcomes(deliver(shop, draft(buyer_remark="3", modified_at=later(3)), draft(modified_at=later(1)))) == [
        "held", "stale",
    ]  # fmt: skip
    put("open")
    assert drain() == 1
    assert Order.objects.get().buyer_remark == "3"


def test_an_order_that_is_cancelled_while_it_waits_enters_as_cancelled_only(shop):
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=5)
    put("paused")
    deliver(shop, draft())
    deliver(shop, draft(status="cancelled", modified_at=later(5)))
    put("open")
    drain()
    assert Order.objects.get().status == "cancelled"
    assert (Effect.objects.count(), StockLevel.objects.get().reserved, TimelineEntry.objects.count()) == (0, 0, 1)


def test_waiting_since_is_when_the_first_version_came(shop):
    put("paused")
    deliver(shop, draft())
    ParkedOrder.objects.update(held_at=timezone.now() - timedelta(hours=1))
    before = ParkedOrder.objects.get()
    deliver(shop, draft(modified_at=later(5)))
    after = ParkedOrder.objects.get()
    assert (after.pk, after.held_at) == (before.pk, before.held_at)


@pytest.mark.parametrize("same_second", [True, False])
def test_a_newer_version_that_comes_after_opening_is_never_undone(shop, same_second):
    put("paused")
    deliver(shop, draft(buyer_remark="first"))
    put("open")
    changes = {} if same_second else {"modified_at": later(5)}
    assert outcomes(deliver(shop, draft(buyer_remark="second", **changes))) == ["new"]
    assert parked() == {}
    drain()
    assert Order.objects.get().buyer_remark == "second"


def test_an_older_version_that_comes_after_opening_does_not_overtake_the_waiting_one(shop):
    put("paused")
    deliver(shop, draft(status="cancelled", modified_at=later(5)))
    put("open")
    assert outcomes(deliver(shop, draft(), draft("T2"))) == ["stale", "new"]
    assert set(Order.objects.values_list("external_no", flat=True)) == {"T2"}
    drain()
    assert dict(Order.objects.values_list("external_no", "status")) == {"T1": "cancelled", "T2": "ready"}


def test_changes_of_orders_that_were_judged_go_on_while_paused(shop):
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=5)
    deliver(shop, draft("T1"), draft("T2"))
    put("paused")
    result = deliver(shop, draft("T1", status="cancelled", modified_at=later(5)), draft("T2"), draft("T3"))
    assert outcomes(result) == ["changed", "unchanged", "held"]
    assert dict(Order.objects.values_list("external_no", "status")) == {"T1": "cancelled", "T2": "ready"}
    assert StockLevel.objects.get().reserved == 1


def test_an_order_that_was_never_judged_waits_for_its_payment_to_enter(shop):
    deliver(shop, draft(status="unpaid", paid_at=None))
    put("paused")
    assert outcomes(deliver(shop, draft(status="unpaid", paid_at=None))) == ["unchanged"]
    assert outcomes(deliver(shop, draft(modified_at=later(5)))) == ["held"]
    assert Order.objects.get().status == "unpaid"
    put("open")
    drain()
    assert Order.objects.get().status == "ready"


def test_judging_again_goes_on_while_paused(shop):
    level = StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=0)
    deliver(shop, draft())
    put("paused")
    StockLevel.objects.filter(pk=level.pk).update(on_hand=5)
    assert retriage([Order.objects.get().pk], "hub") == 1
    assert Order.objects.get().status == "ready"


def test_orders_enter_by_ship_deadline_over_all_shops(shop, settings):
    settings.HUB_BATCH_SIZE = 2
    other = make_shop("other", ship_hours=24)
    put("paused")
    deliver(shop, draft("A", ship_by="2026-11-14T00:00:00+08:00"), draft("B", ship_by="2026-11-11T18:00:00+08:00"))
    deliver(other, draft("C", ship_by="2026-11-13T00:00:00+08:00"), draft("D", status="unpaid", paid_at=None))
    put("open")
    entered = []
    for _ in range(4):
        idle()
        settings.HUB_BATCH_SIZE = 1
        drain_backlog()
        entered.append(Order.objects.latest("id").external_no)
    # D has no deadline yet: 24 hours after it was placed stand for it.
    assert entered == ["B", "D", "C", "A"]


def test_a_trickle_lets_in_what_its_pace_allows_and_not_one_more(shop):
    put("trickle", 6)
    deliver(shop, *(draft(f"T{n}") for n in range(20)))
    assert (drain_backlog(), Order.objects.count()) == (0, 0)
    idle()
    assert (drain_backlog(), drain_backlog()) == (3, 0)
    assert (Order.objects.count(), ParkedOrder.objects.count()) == (3, 17)
    put("open")
    idle()
    assert drain_backlog() == 17


def test_a_shop_with_a_slower_gate_does_not_hold_up_the_others(shop):
    other = make_shop("other")
    put("paused")
    deliver(shop, *(draft(f"T{n}") for n in range(20)))
    deliver(other, *(draft(f"T{n}") for n in range(20)))
    put("trickle", 6, shop=shop)
    put("open")
    idle()
    drain_backlog()
    assert (shop.orders.count(), other.orders.count()) == (3, 20)


def test_a_pause_stops_the_drain(shop):
    put("paused")
    deliver(shop, draft())
    idle()
    assert drain_backlog() == 0
    assert (Order.objects.count(), ParkedOrder.objects.count()) == (0, 1)


def test_a_row_that_fails_becomes_a_reject_and_the_rest_goes_in(shop):
    put("paused")
    deliver(shop, *(draft(f"T{n}") for n in range(5)))
    row = ParkedOrder.objects.get(external_no="T3")
    ParkedOrder.objects.filter(pk=row.pk).update(reader="gone")
    put("open")
    assert drain() == 5
    assert set(Order.objects.values_list("external_no", flat=True)) == {"T0", "T1", "T2", "T4"}
    reject = Reject.objects.get()
    assert (reject.external_no, reject.inbox_id, reject.row) == ("T3", row.inbox_id, row.row)
    assert "UnknownKeyError" in reject.reason
    assert orjson.loads(reject.raw_row)["external_no"] == "T3"
    assert parked() == {}


def test_a_row_that_nobody_can_take_in_is_found_by_halving(shop, monkeypatch):
    put("paused")
    deliver(shop, *(draft(f"T{n}") for n in range(9)))
    from orderhub import pipeline

    real = pipeline.hear

    def breaks(candidates, *, now):
        assert all(candidate.draft.external_no != "T5" for candidate in candidates)
        return real(candidates, now=now)

    monkeypatch.setattr(pipeline, "hear", breaks)
    put("open")
    drain()
    assert Order.objects.count() == 8
    assert Reject.objects.values_list("external_no", "reason").get() == ("T5", "AssertionError")
    assert parked() == {}


def test_a_refused_row_that_is_tried_again_and_fails_again_is_open_again(shop):
    deliver(shop, draft("T1", total_fen=-5))
    reject = Reject.objects.get()
    reject.raw_row = orjson.dumps(draft("T1"))
    reject.save()
    put("paused")
    assert rerun_reject(reject.pk, "boss")
    assert (Reject.objects.get().state, set(parked())) == ("taken", {"T1"})
    ParkedOrder.objects.update(reader="gone")
    put("open")
    drain()
    assert Reject.objects.values_list("state", "closed_by", "reason").get()[:2] == ("open", "")


def test_the_same_delivery_again_is_told_from_memory(shop):
    put("paused")
    first = deliver(shop, draft(), key="k")
    put("open")
    drain()
    assert deliver(shop, draft(), key="k").as_json() == first.as_json()
    assert Order.objects.count() == 1


def test_a_delivery_that_is_done_twice_after_a_crash_holds_each_order_once(shop):
    put("paused")
    item = receive(shop=shop, source="push", reader="draft", delivery_key="x", body=orjson.dumps([draft()]))
    process(item.pk)
    InboxItem.objects.update(state="new")
    assert process(item.pk).counts()["held"] == 1
    assert ParkedOrder.objects.count() == 1
    put("open")
    drain()
    InboxItem.objects.update(state="new")
    assert process(item.pk).counts()["unchanged"] == 1


def test_receiving_goes_on_with_the_cursor(shop):
    put("paused")
    seen = []
    item = receive(shop=shop, source="poll", reader="draft", delivery_key="p", body=orjson.dumps([draft()]))
    process(item.pk, at_commit=lambda cursor: seen.append(ParkedOrder.objects.count()))
    assert seen == [1]


@pytest.mark.parametrize(("ever_set", "queries_a_batch"), [(False, 1), (True, 2)])
def test_an_open_gate_costs_one_query_a_batch_and_a_second_once_it_was_set(shop, ever_set, queries_a_batch):
    deliver(shop, draft("T1"))
    if ever_set:
        put("open")
    with CaptureQueriesContext(connection) as queries:
        deliver(shop, *(draft(f"T{n}") for n in range(2, 50)))
    asked = [query["sql"] for query in queries if "orderhub_gate" in query["sql"] or "orderhub_parked" in query["sql"]]
    assert len(asked) == queries_a_batch


def test_the_number_of_queries_does_not_grow_with_what_is_held_or_let_in(shop):
    counts = []
    for start, size in ((0, 1), (100, 1), (200, 100)):
        put("paused")
        with CaptureQueriesContext(connection) as holding:
            deliver(shop, *(draft(f"T{start + n}", receiver=RECEIVER) for n in range(size)))
        put("open")
        idle()
        with CaptureQueriesContext(connection) as letting:
            drain_backlog()
        counts.append((len(holding), len(letting)))
    assert counts[1] == counts[2]


def test_outcomes_are_named_for_everybody():
    assert Outcome("held") is Outcome.HELD
