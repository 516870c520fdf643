import copy
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync.connectors.taobao.mapping import FLAGS, REFUNDS, STATUSES, read_trade
from orderhub.core.errors import FieldError
from orderhub.services.pool import claim_of

TRADE = json.loads((Path(__file__).parents[2] / "payloads" / "taobao" / "trade.json").read_text(encoding="utf-8"))


def trade(**changes):
    return {**copy.deepcopy(TRADE), **changes}


def with_line(**changes):
    changed = trade()
    changed["orders"]["order"][0].update(changes)
    return changed


def refusal(row):
    with pytest.raises(FieldError) as refused:
        read_trade(row)
    return refused.value.path


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_a_whole_trade():
    draft = read_trade(trade())
    assert draft.external_no == "4012345678901234567"
    assert (draft.status, draft.channel_status, draft.channel_hold) == ("paid", "WAIT_SELLER_SEND_GOODS", "")
    assert draft.created_at == utc(2026, 11, 10, 16, 0, 7)
    assert draft.paid_at == utc(2026, 11, 10, 16, 0, 31)
    assert draft.modified_at == utc(2026, 11, 10, 16, 0, 32)
    assert draft.ship_by == utc(2026, 11, 12, 15, 59, 59)
    assert (draft.total_fen, draft.discount_fen, draft.freight_fen, draft.paid_fen) == (30700, 3000, 800, 22300)
    assert (draft.buyer.id, draft.buyer.nickname, draft.buyer.ip) == ("AAHd5d-EAAeGwJedwSHpg8bT", "t**2", "")
    receiver = draft.receiver
    assert (receiver.name, receiver.phone, receiver.detail, receiver.oaid) == (
        "李*", "*******5678", "***", "1MTIzNDU2Nzg5MA",
    )  # fmt: skip
    assert (receiver.country, receiver.province, receiver.city, receiver.district, receiver.town) == (
        "CN", "浙江省", "杭州市", "西湖区", "北山街道",
    )  # fmt: skip
    assert (draft.buyer_remark, draft.seller_remark, draft.flag) == ("生日礼物 🎁", "老客户", "red")
    first, second = draft.lines
    assert (first.line_no, first.sku, first.quantity) == ("4012345678901234568", "SERUM-30", 2)
    assert (first.unit_price_fen, first.paid_fen, first.refund) == (12900, 23300, "none")
    assert (first.item_id, first.sku_id, first.spec) == ("611111111111", "5111111111111", "容量:30ml")
    assert (second.item_id, second.sku_id, second.spec) == ("622222222222", "", "")
    assert (second.sku, second.unit_price_fen) == ("MASK-10", 4900)
    assert draft.raw == {"type": "fixed"}


@pytest.mark.parametrize(
    ("tag", "urged"), [("lg", True), ("x,lg", True), ("", None), (None, None), ("lgx", None), (["lg"], None)]
)
def test_a_buyer_who_pressed_for_speed(tag, urged):
    assert read_trade(trade(ob_tag=tag)).raw.get("urged") is urged


@pytest.mark.parametrize(("word", "status"), sorted(STATUSES.items()))
def test_every_state_of_the_platform(word, status):
    draft = read_trade(trade(status=word))
    assert (draft.status, draft.channel_status) == (status, word)
    assert (draft.paid_at is None) is (status == "unpaid")
    assert (sum(line.paid_fen for line in draft.lines) == 0) is (status == "unpaid")


@pytest.mark.parametrize(
    ("word", "pay_time", "status", "hold"),
    [
        ("TRADE_ON_MARS", TRADE["pay_time"], "paid", "unknown:TRADE_ON_MARS"),
        ("TRADE_ON_MARS", "", "unpaid", ""),
        ("M" * 70, TRADE["pay_time"], "paid", f"unknown:{'M' * 56}"),
    ],
)
def test_an_order_in_an_unknown_state_is_kept_and_held(word, pay_time, status, hold):
    draft = read_trade(trade(status=word, pay_time=pay_time))
    assert (draft.status, draft.channel_hold, draft.channel_status) == (status, hold, word[:64])
    assert (draft.paid_at is None) is (status == "unpaid")


def test_an_order_without_a_state_is_refused_and_named():
    assert refusal(trade(status="")) == "status"
    assert refusal({k: v for k, v in trade().items() if k != "status"}) == "status"


def test_paid_but_forbidden_to_ship_is_a_hold():
    draft = read_trade(trade(status="PAID_FORBID_CONSIGN"))
    assert (draft.status, draft.channel_hold) == ("paid", "PAID_FORBID_CONSIGN")


@pytest.mark.parametrize(
    ("status", "hold", "paid"),
    [
        ("WAIT_SELLER_SEND_GOODS", "cod", 0), ("PAID_FORBID_CONSIGN", "PAID_FORBID_CONSIGN", 0),
        ("WAIT_BUYER_CONFIRM_GOODS", "", 0), ("TRADE_FINISHED", "", 22300),
    ],
)  # fmt: skip
def test_cash_on_delivery_is_held_and_nothing_is_paid_before_the_courier_collects(status, hold, paid):
    draft = read_trade(trade(type="cod", status=status))
    assert (draft.channel_hold, draft.paid_fen) == (hold, paid)
    assert bool(sum(line.paid_fen for line in draft.lines)) == bool(paid)
    assert read_trade(trade(type="cod", pay_time="")).channel_hold == "cod"


def test_closed_before_payment_is_cancelled_and_after_it_refunded():
    assert read_trade(trade(status="TRADE_CLOSED")).status == "refunded"
    assert read_trade(trade(status="TRADE_CLOSED", pay_time="")).status == "cancelled"


@pytest.mark.parametrize(
    ("status", "step", "ours", "presale", "paid_fen"),
    [
        ("WAIT_BUYER_PAY", "FRONT_NOPAID_FINAL_NOPAID", "unpaid", "none", 0),
        ("WAIT_BUYER_PAY", "FRONT_PAID_FINAL_NOPAID", "presale_deposit", "deposit", 5000),
        ("WAIT_SELLER_SEND_GOODS", "FRONT_PAID_FINAL_PAID", "paid", "balance_paid", 22300),
        ("TRADE_CLOSED_BY_TAOBAO", "FRONT_PAID_FRONT_FORFEITED", "cancelled", "deposit", 22300),
    ],
)
def test_presale_steps(status, step, ours, presale, paid_fen):
    front = "50.00" if presale != "none" else "0.00"
    draft = read_trade(trade(status=status, step_trade_status=step, step_paid_fee=front))
    assert (draft.status, draft.presale, draft.paid_fen) == (ours, presale, paid_fen)


@pytest.mark.parametrize(("word", "refund"), sorted(REFUNDS.items()))
def test_every_refund_state(word, refund):
    status = "TRADE_CLOSED" if refund == "done" else "WAIT_SELLER_SEND_GOODS"
    line = read_trade(with_line(refund_status=word, status=status)).lines[0]
    assert (line.refund, line.paid_fen) == (refund, 23300)


@pytest.mark.parametrize(("status", "over"), [("WAIT_SELLER_SEND_GOODS", True), ("TRADE_CLOSED_BY_TAOBAO", False)])
def test_a_line_that_was_closed_before_it_was_paid_is_neither_sent_nor_owed(status, over):
    row = trade(status=status)
    row["orders"]["order"][1].update(status="TRADE_CLOSED_BY_TAOBAO")
    draft = read_trade(row)
    told = [(line.refund, line.unit_price_fen, line.paid_fen) for line in draft.lines]
    assert told == [("none", 12900, 23300), ("done", 4900, 0) if over else ("none", 4900, 4400)]
    assert draft.total_fen == (25800 if over else 30700)


@pytest.mark.parametrize(
    ("status", "claim"),
    [("WAIT_SELLER_SEND_GOODS", "paid"), ("WAIT_BUYER_CONFIRM_GOODS", "in_transit"), ("TRADE_FINISHED", "completed")],
)
def test_a_part_of_the_money_given_back_ends_neither_the_line_nor_the_order(status, claim):
    row = with_line(refund_status="SUCCESS", status=status)
    row["status"], row["orders"]["order"] = status, row["orders"]["order"][:1]
    draft = read_trade(row)
    assert (draft.lines[0].refund, claim_of(draft)) == ("none", claim)


def test_an_unknown_refund_state_stops_the_order_rather_than_ships_it():
    assert read_trade(with_line(refund_status="NEW_WORD")).lines[0].refund == "asked"


@pytest.mark.parametrize(("number", "flag"), sorted(FLAGS.items()))
def test_flags(number, flag):
    assert read_trade(trade(seller_flag=number)).flag == flag


@pytest.mark.parametrize("number", [0, None, 9, "x", []])
def test_no_flag_without_a_memo(number):
    assert read_trade(trade(seller_flag=number, seller_memo="")).flag == "none"


@pytest.mark.parametrize(
    ("fields", "ship_by"),
    [
        ({"delivery_time": "2026-11-12 10:00:00", "promise_outbound_time": "2026-11-11 10:00:00"}, (12, 2)),
        ({"promise_outbound_time": "2026-11-11 10:00:00", "send_time": "2026-11-14 10:00:00"}, (11, 2)),
        ({"send_time": "2026-11-14 10:00:00", "est_con_time": "付款后 2 天内"}, (14, 2)),
        ({"est_con_time": "付款后 2 天内"}, (12, 16)),
        ({"est_con_time": "卖家承诺24小时内发货"}, (11, 16)),
        ({"est_con_time": "2026-11-15 18:00:00 前"}, (15, 10)),
        ({"est_con_time": "2026-11-15 前"}, (15, 15)),
        ({"delivery_time": "0001-01-01 00:00:00"}, None),
        ({"delivery_time": "soon"}, None),
        ({}, None),
    ],
)
def test_the_promise_to_ship_by_precedence(fields, ship_by):
    row = trade(**fields)
    for line in row["orders"]["order"]:
        del line["delivery_time"]
    found = read_trade(row).ship_by
    assert (found and (found.astimezone(UTC).day, found.astimezone(UTC).hour)) == ship_by


@pytest.mark.parametrize("text", ["0001-01-01 00:00:00", "1970-01-01 08:00:00", "0000-00-00 00:00:00", ""])
def test_no_time_is_none_where_it_may_be_and_refused_where_not(text):
    assert read_trade(trade(pay_time=text, status="WAIT_BUYER_PAY")).paid_at is None
    assert refusal(trade(created=text)) == "created"
    assert refusal(trade(modified=text)) == "modified"


@pytest.mark.parametrize("text", ["2026-13-01 00:00:00", "yesterday", "1999-01-01 00:00:00", "9999-12-31 00:00:00"])
def test_absurd_times_are_refused(text):
    assert refusal(trade(created=text)) in {"created", "created_at"}


@pytest.mark.parametrize("amount", ["-1.00", "1e300", "NaN", "12.345", "999999999999.00", "abc", {}])
def test_absurd_amounts_are_refused(amount):
    assert refusal(trade(payment=amount)) == "payment"
    assert refusal(with_line(total_fee=amount)) == "orders.order[0].total_fee"


@pytest.mark.parametrize("number", [0, -1, "two", 1.5, None, True, 10**30])
def test_absurd_quantities_are_refused(number):
    assert refusal(with_line(num=number)) == "orders.order[0].num"


def test_a_line_without_its_sum_is_worked_out_from_the_price():
    row = with_line(total_fee="", adjust_fee="-10.00")
    assert read_trade(row).lines[0].unit_price_fen == (16900 * 2 - 8000 - 1000) // 2
    assert refusal(with_line(total_fee=None, price=None)) == "orders.order[0].price"


def test_what_is_missing_is_named():
    no_receiver = {k: v for k, v in trade().items() if not k.startswith("receiver") and k != "oaid"}
    assert refusal(no_receiver) == "receiver_name"
    assert refusal(trade(orders={})) == "orders.order"
    assert refusal(trade(tid=None)) == "external_no"


def test_one_line_number_twice_is_refused():
    row = trade()
    row["orders"]["order"][1]["oid"] = row["orders"]["order"][0]["oid"]
    assert refusal(row) == "lines[1].line_no"


def test_a_remark_of_10_mb_is_cut():
    assert len(read_trade(trade(buyer_message="急" * 3_500_000)).buyer_remark) == 2000


def test_a_receiver_outside_china_keeps_its_country():
    assert read_trade(trade(receiver_country="加拿大")).receiver.country == "加拿大"


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(TRADE)), ANY)
def test_any_value_in_any_field_gives_a_draft_or_a_named_field(name, value):
    try:
        read_trade(trade(**{name: value}))
    except FieldError as error:
        assert error.reason


@given(st.sampled_from(sorted(TRADE["orders"]["order"][0])), ANY)
def test_any_value_in_any_field_of_a_line_gives_a_draft_or_a_named_field(name, value):
    try:
        read_trade(with_line(**{name: value}))
    except FieldError as error:
        assert error.reason


@given(st.integers(0, 9_000_000_000), st.integers(1, 1000))
def test_amounts_are_exact_to_the_fen(fen, quantity):
    text = f"{fen // 100}.{fen % 100:02d}"
    draft = read_trade(with_line(total_fee=text, divide_order_fee=text, num=quantity))
    assert draft.lines[0].paid_fen == fen
    assert abs(draft.lines[0].unit_price_fen * quantity - fen) <= quantity


@given(st.datetimes(datetime(2004, 1, 1), datetime(2035, 1, 1)))  # noqa: DTZ001  (the platform's own zone)
def test_times_are_china_time(moment):
    text = moment.replace(microsecond=0).isoformat(sep=" ")
    draft = read_trade(trade(created=text))
    assert draft.created_at.utcoffset().total_seconds() == 8 * 3600
    assert draft.created_at.replace(tzinfo=None) == moment.replace(microsecond=0)
