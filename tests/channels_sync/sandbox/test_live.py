import json
from datetime import datetime
from random import Random

import pytest

from channels_sync.sandbox import evolve
from channels_sync.sandbox.orders import make_unpaid
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.sandbox.stream import generate
from orderhub.core.draft import read_draft


def running(clock, tmp_path, **options):
    given = {"state_dir": tmp_path, "labels": tmp_path / "labels.ndjson", "moves": False, **options}
    return Sandbox(Options(**given), now=clock)


def labels(tmp_path):
    return [json.loads(line) for line in (tmp_path / "labels.ndjson").read_text(encoding="utf-8").splitlines()]


def test_second_run_goes_on_where_the_first_stopped(clock, tmp_path):
    with running(clock, tmp_path) as sandbox:
        first = sandbox.live.make(30)
    clock.forward(milliseconds=10)
    with running(clock, tmp_path) as sandbox:
        assert sandbox.store.totals()["taobao"] + sandbox.store.totals()["mini"] == 30
        second = sandbox.live.make(30)
        assert sandbox.store.totals()["taobao"] + sandbox.store.totals()["mini"] == 60
    assert not set(first) & set(second)
    assert [label["external_no"] for label in labels(tmp_path)] == first + second


def test_rate_is_kept_over_both_shops(clock, tmp_path):
    with running(clock, tmp_path, rate=120.0) as sandbox:
        for _ in range(600):
            sandbox.live.beat(0.5)
            clock.forward(milliseconds=500)
        totals = sandbox.store.totals()
    assert 595 <= totals["taobao"] + totals["mini"] <= 608
    assert 240 <= totals["taobao"] <= 360


def test_long_pause_is_not_caught_up(clock, tmp_path):
    with running(clock, tmp_path, rate=60.0) as sandbox:
        assert sandbox.live.beat(3_600) <= 12


def test_backlog_fills_only_an_empty_sandbox(clock, tmp_path):
    with running(clock, tmp_path, backlog=40) as sandbox:
        assert sandbox.store.totals()["taobao"] == 20
    with running(clock, tmp_path, backlog=40) as sandbox:
        assert sandbox.store.totals()["mini"] == 20


def test_changes_come_when_they_are_due_and_are_logged(clock, tmp_path):
    with running(clock, tmp_path) as sandbox:
        sandbox.live.make(400)
        before = {order.draft["external_no"]: order for order in sandbox.store.latest("", 1000)}
        clock.forward(minutes=45)
        sandbox.live.beat(0)
        after = {order.draft["external_no"]: order for order in sandbox.store.latest("", 1000)}
    changed = [number for number in before if before[number].draft != after[number].draft]
    assert 10 < len(changed) < 80
    for number in changed:
        assert after[number].draft["modified_at"] > before[number].draft["modified_at"]
        read_draft(after[number].draft)
    assert len(labels(tmp_path)) >= 400 + len(changed)
    latest = {label["external_no"]: label for label in labels(tmp_path)}
    assert all(latest[number]["lane"] == after[number].lane for number in after)
    statuses = {order.draft["status"] for order in after.values()}
    assert "unpaid" not in statuses


def test_paying_gives_the_order_its_lane():
    order = generate(1, seed=1)[0]
    make_unpaid(order)
    assert order.lane == ""
    at = datetime.fromisoformat("2026-11-11T13:00:00+08:00")
    evolve.apply("pay", Random(1), order, at)
    assert (order.lane, order.draft["status"], order.draft["paid_at"]) == ("regular", "paid", at.isoformat())
    assert order.draft["modified_at"] == at.isoformat()


def test_correcting_leaves_nothing_to_confirm():
    orders = [o for o in generate(400, seed=1) if {"invalid_phone", "vague_address"} & set(o.kinds)]
    for order in orders:
        evolve.apply("correct", Random(1), order, datetime.fromisoformat("2026-11-11T13:00:00+08:00"))
    assert orders
    assert {order.lane for order in orders} == {"regular"}


def test_a_refund_freezes_it_until_it_is_withdrawn():
    order = generate(1, seed=1)[0]
    at = datetime.fromisoformat("2026-11-11T13:00:00+08:00")
    evolve.apply("ask_refund", Random(1), order, at)
    assert (order.lane, order.kinds) == ("", ["refund"])
    evolve.apply("withdraw_refund", Random(1), order, at)
    assert (order.lane, order.kinds) == ("regular", [])


def test_a_granted_refund_ends_an_order_of_which_nothing_is_left():
    part, whole = (next(o for o in generate(40, seed=1) if not o.kinds and (len(o.draft["lines"]) > 1) is more)
                   for more in (True, False))  # fmt: skip
    at = datetime.fromisoformat("2026-11-11T13:00:00+08:00")
    for order in (part, whole):
        evolve.apply("ask_refund", Random(1), order, at)
        evolve.apply("finish_refund", Random(1), order, at)
    assert (part.draft["status"], part.lane, whole.draft["status"], whole.lane) == ("paid", "regular", "refunded", "")


def test_open_refunds_are_decided_also_after_shipping(clock, tmp_path):
    with running(clock, tmp_path) as sandbox:
        numbers = sandbox.live.make(60)
        for number in numbers:
            order = sandbox.store.get(number)
            order.draft["status"] = "in_transit"
            sandbox.store.save(order)
            sandbox.live.change(number, "refund_after_shipping")
        clock.forward(minutes=45)
        sandbox.live.beat(0)
        states = [line["refund"] for number in numbers for line in sandbox.store.get(number).draft["lines"]]
    assert 25 < states.count("done") < 55
    assert states.count("asked") + states.count("done") >= 60


def test_unknown_change_is_refused(taobao):
    (number,) = taobao.make(1)
    before = taobao.get(f"orders?external_no={number}")
    with pytest.raises(OSError, match="400"):
        taobao.control("change", external_no=number, change="explode")
    with pytest.raises(OSError, match="404"):
        taobao.control("change", external_no="0", change="note")
    assert taobao.get(f"orders?external_no={number}") == before


def test_catalogue_gives_stock_rows_with_campaign_prices(taobao):
    rows = [json.loads(line) for line in taobao.get("catalogue").splitlines()]
    assert 55 <= len(rows) <= 70
    assert set(rows[0]) == {"sku", "warehouse", "on_hand", "title", "list_price_fen", "campaign_price_fen"}
    assert all(0 < row["campaign_price_fen"] < row["list_price_fen"] for row in rows)
    assert rows[0]["warehouse"] == "WH01"


def test_labels_are_readable_only_at_the_side_door(taobao):
    made = taobao.make(5)
    rows = [json.loads(line) for line in taobao.get("labels").splitlines()]
    assert sorted(row["external_no"] for row in rows) == sorted(made)
    assert set(rows[0]) == {"external_no", "lane", "urgent", "kinds", "traps", "cluster", "nth", "shop", "at"}
    shown = taobao.listing(page_size="100")["trades"]["trade"]
    assert not {"lane", "kinds", "label", "urgent"} & {name for trade in shown for name in trade}
