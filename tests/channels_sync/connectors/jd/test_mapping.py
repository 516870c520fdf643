import copy
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync.connectors.jd.mapping import FLAGS, STATUSES, TO_SHIP, read_order
from channels_sync.connectors.jd.refunds import CANCELLATIONS, unknown
from channels_sync.readers.base import read
from orderhub.core.errors import FieldError
from orderhub.services.pool import claim_of
from orderhub.services.receivers import kind_of

ORDER = json.loads((Path(__file__).parents[3] / "payloads" / "jd" / "order.json").read_text(encoding="utf-8"))
NO_TIME = "0001-01-01 00:00:00"


def order(**changes):
    return {**copy.deepcopy(ORDER), **changes}


def with_item(**changes):
    changed = order()
    changed["itemInfoList"][0].update(changes)
    return changed


def to(**changes):
    changed = order()
    changed["consigneeInfo"].update(changes)
    return read_order(changed).receiver


def cancellation(state, fen="", applied="2026-11-11 01:00:00", number="1"):
    return {"id": number, "order": ORDER["orderId"], "kind": "cancel", "state": state, "fen": fen, "sku": "",
            "applied": applied, "checked": ""}  # fmt: skip


def service(state, sku, pieces="", number="1"):
    return {**cancellation(state, number=number), "kind": "service", "sku": sku, "pieces": pieces}


def refunds(*rows):
    return [line.refund for line in read_order(order(hub_refunds=list(rows))).lines]


def refusal(row):
    with pytest.raises(FieldError) as refused:
        read_order(row)
    return refused.value.path


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_a_whole_order():
    draft = read_order(order())
    assert draft.external_no == "300123456789"
    assert (draft.status, draft.channel_status, draft.channel_hold) == ("paid", "WAIT_SELLER_STOCK_OUT", "")
    assert draft.created_at == utc(2026, 11, 10, 16, 0, 7)
    assert draft.paid_at == utc(2026, 11, 10, 16, 0, 31)
    assert draft.modified_at == utc(2026, 11, 10, 16, 0, 32)
    assert draft.ship_by is None
    assert (draft.total_fen, draft.discount_fen, draft.freight_fen, draft.paid_fen) == (32700, 5000, 800, 28500)
    assert (draft.buyer.id, draft.buyer.nickname, draft.buyer.ip) == ("AAHd5d-jd-open-id", "j**8", "")
    receiver = draft.receiver
    assert (receiver.name, receiver.phone, receiver.detail, receiver.oaid, receiver.kind) == (
        "李*", "*******5678", "***", "1MTIzNDU2Nzg5MA", "masked",
    )  # fmt: skip
    assert (receiver.country, receiver.province, receiver.city, receiver.district, receiver.town) == (
        "CN", "浙江", "杭州市", "西湖区", "北山街道",
    )  # fmt: skip
    assert (draft.buyer_remark, draft.seller_remark, draft.flag) == ("生日礼物 🎁", "老客户", "red")
    first, second = draft.lines
    assert (first.line_no, first.sku, first.quantity) == ("100000000001", "SERUM-30", 2)
    assert (first.unit_price_fen, first.paid_fen, first.refund) == (12900, 21855, "none")
    assert (first.item_id, first.sku_id, first.spec) == ("10000000000", "100000000001", "")
    assert (second.unit_price_fen, second.paid_fen) == (3450, 5845)
    assert draft.raw["paid_from"] == "actualPay"


@pytest.mark.parametrize(("word", "status"), sorted(STATUSES.items()))
def test_every_state_of_the_platform(word, status):
    draft = read_order(order(orderState=word, paymentConfirmTime=NO_TIME, actualPay="", shouldPay=""))
    assert (draft.status, draft.channel_status) == (status, word)


@pytest.mark.parametrize("word", sorted({w for w, s in STATUSES.items() if s == "paid"} | {"ON_MARS"}))
def test_a_paid_order_is_held_in_every_state_in_which_jd_lets_nobody_ship(word):
    draft = read_order(order(orderState=word))
    assert (draft.status, draft.channel_status) == ("paid", word)
    assert draft.channel_hold == ("" if word in TO_SHIP else word)


def test_an_unknown_state_is_kept_and_none_is_refused():
    assert read_order(order(orderState="X" * 64)).channel_hold == "X" * 64
    assert refusal(order(orderState="")) == "orderState"


@pytest.mark.parametrize(
    ("fields", "hold"),
    [({"orderType": "75"}, "LOC"), ({"storeOrder": "京仓订单"}, "京仓订单"), ({"storeOrder": "云仓订单"}, "云仓订单"),
     ({"storeOrder": None}, ""), ({"storeOrder": " "}, "")],
)  # fmt: skip
def test_what_the_shop_s_own_warehouse_must_not_send_is_held(fields, hold):
    assert read_order(order(**fields)).channel_hold == hold


@pytest.mark.parametrize(
    ("state", "status", "hold", "paid"),
    [
        ("WAIT_SELLER_STOCK_OUT", "paid", "cod", 0), ("LOCKED", "paid", "LOCKED", 0),
        ("WAIT_GOODS_RECEIVE_CONFIRM", "in_transit", "", 0), ("FINISHED_L", "completed", "", 28500),
    ],
)  # fmt: skip
def test_cash_on_delivery_is_held_and_nothing_is_paid_before_the_courier_collects(state, status, hold, paid):
    draft = read_order(order(payType="1-货到付款", paymentConfirmTime=NO_TIME, orderState=state))
    assert (draft.status, draft.channel_hold, draft.paid_fen, draft.paid_at) == (status, hold, paid, None)
    assert bool(sum(line.paid_fen for line in draft.lines)) == bool(paid)


def test_cancelled_before_payment_and_after_it():
    unpaid = {"paymentConfirmTime": NO_TIME, "actualPay": "", "shouldPay": ""}
    assert read_order(order(orderState="TRADE_CANCELED", **unpaid)).status == "cancelled"
    assert read_order(order(orderState="TRADE_CANCELED")).status == "refunded"
    paid_back = {"hub_refunds": [cancellation("3")], **unpaid}
    assert read_order(order(orderState="TRADE_CANCELED", **paid_back)).status == "refunded"
    assert read_order(order(orderState="PARENT_TRADE_CANCELED")).status == "cancelled"


def test_an_order_that_waits_for_payment_with_something_paid_is_a_deposit():
    deposit = read_order(order(orderState="NOT_PAY", actualPay="50.00"))
    assert (deposit.status, deposit.presale, deposit.paid_at, deposit.paid_fen) == (
        "presale_deposit", "deposit", None, 5000,
    )  # fmt: skip
    unpaid = read_order(order(orderState="NOT_PAY", actualPay="0.00"))
    assert (unpaid.status, unpaid.presale, unpaid.paid_at, unpaid.paid_fen) == ("unpaid", "none", None, 0)
    assert [line.paid_fen for line in unpaid.lines] == [0, 0]


@pytest.mark.parametrize(("number", "flag"), [*sorted(FLAGS.items()), ("", "none"), ("9", "none"), (None, "none")])
def test_flags(number, flag):
    assert read_order(order(hub_flag=number)).flag == flag


@pytest.mark.parametrize(
    ("paid", "fen", "source"),
    [
        ({"actualPay": "285.00", "shouldPay": "290.00"}, 28500, "actualPay"),
        ({"actualPay": "", "shouldPay": "290.00"}, 29000, "shouldPay"),
        ({"actualPay": None, "shouldPay": None, "orderPayment": "12.34"}, 1234, "orderPayment"),
        ({"actualPay": "", "shouldPay": "", "orderPayment": ""}, 0, None),
    ],
)
def test_what_was_paid_and_which_field_says_so(paid, fen, source):
    draft = read_order(order(**paid))
    assert (draft.paid_fen, draft.raw.get("paid_from")) == (fen, source)


def test_shares_of_the_lines_add_up_to_what_was_paid_for_goods():
    draft = read_order(order(actualPay="108.01"))
    assert sum(line.paid_fen for line in draft.lines) == 10001
    above = read_order(order(actualPay="9999.00"))
    assert [line.paid_fen for line in above.lines] == [25800, 6900]


def test_a_gift_of_the_same_article_is_a_line_of_its_own():
    row = order()
    row["itemInfoList"].append({**row["itemInfoList"][0], "jdPrice": "0.00", "itemTotal": "1"})
    draft = read_order(row)
    assert [(line.line_no, line.unit_price_fen) for line in draft.lines] == [
        ("100000000001", 12900), ("100000000002", 3450), ("100000000001-2", 0),
    ]  # fmt: skip
    assert draft.total_fen == 32700


def test_an_article_without_the_shop_s_own_number_goes_by_jd_s():
    assert read_order(with_item(outerSkuId="")).lines[0].sku == "100000000001"


@pytest.mark.parametrize(
    ("fields", "ship_by"),
    [
        ({"scDT": "2026-11-13 10:00:00"}, utc(2026, 11, 13, 2)),
        ({"scDT": "2026-11-11 00:00:10"}, None),
        ({"scDT": NO_TIME}, None),
        ({"scDT": "soon"}, None),
        ({"payType": "1-货到付款", "paymentConfirmTime": NO_TIME}, utc(2026, 11, 12, 16, 0, 7)),
        ({"payType": "1-货到付款", "paymentConfirmTime": NO_TIME, "scDT": "2026-11-13 10:00:00"}, utc(2026, 11, 13, 2)),
        ({"orderState": "WAIT_GOODS_RECEIVE_CONFIRM", "scDT": "2026-11-13 10:00:00"}, None),
    ],
)
def test_the_time_to_ship_by_precedence(fields, ship_by):
    assert read_order(order(**fields)).ship_by == ship_by


@pytest.mark.parametrize(("state", "word"), [*sorted(CANCELLATIONS.items()), ("12", "asked"), ("", "asked")])
def test_every_state_of_a_cancellation(state, word):
    assert refunds(cancellation(state)) == [word, word]


def test_part_of_the_sum_is_the_line_that_was_paid_just_that():
    assert refunds(cancellation("0", fen="5845")) == ["none", "asked"]
    assert refunds(cancellation("0", fen="28500")) == ["asked", "asked"]
    assert refunds(cancellation("0", fen="100")) == ["asked", "asked"]


def test_two_lines_of_one_price_cannot_be_told_apart_and_both_stop():
    row = order(couponDetailList=[], actualPay="123.00", freightPrice="0.00", hub_refunds=[cancellation("0", "6150")])
    for item in row["itemInfoList"]:
        item["jdPrice"] = "59.00"
    assert [line.refund for line in read_order(row).lines] == ["asked", "asked"]


def test_a_service_order_names_its_article():
    assert refunds(service("5", "100000000002")) == ["none", "asked"]
    assert refunds(service("13", "100000000001")) == ["done", "none"]
    assert refunds(service("5", "999")) == ["asked", "asked"]


def test_pieces_of_a_service_order_end_their_line_once_all_went_back():
    first, second = service("13", "100000000001", "1"), service("13", "100000000001", "1", number="2")
    assert refunds(first) == ["none", "none"]
    assert refunds(first, second) == ["done", "none"]
    assert refunds(service("5", "100000000001", "1")) == ["asked", "none"]


@pytest.mark.parametrize(
    ("fen", "lines", "hold"),
    [
        (["5845"], ["none", "done"], ""), (["28500"], ["done", "done"], ""), (["27700"], ["done", "done"], ""),
        (["100"], ["none", "none"], "part_refunded"), (["100", "27600"], ["done", "done"], ""),
        (["5845.0"], ["none", "done"], ""), (["5845.00"], ["none", "done"], ""), (["28500.0"], ["done", "done"], ""),
        (["0.0"], ["done", "done"], ""), (["x"], ["none", "none"], "part_refunded"),
        (["58.45"], ["none", "none"], "part_refunded"), (["NaN"], ["none", "none"], "part_refunded"),
        (["1e99999"], ["none", "none"], "part_refunded"), (["-1"], ["none", "none"], "part_refunded"),
    ],
)  # fmt: skip
def test_a_part_of_the_money_that_no_line_was_paid_is_for_a_person_before_shipping(fen, lines, hold):
    row = order(hub_refunds=[cancellation("3", sum_, number=str(place)) for place, sum_ in enumerate(fen)])
    draft = read_order(row)
    assert ([line.refund for line in draft.lines], draft.channel_hold) == (lines, hold)
    assert read_order({**row, "orderState": "LOCKED"}).channel_hold == "LOCKED"


@pytest.mark.parametrize(
    ("state", "claim"), [("WAIT_GOODS_RECEIVE_CONFIRM", "in_transit"), ("FINISHED_L", "completed")]
)
@pytest.mark.parametrize("part", [cancellation("3", "100"), service("13", "999"), service("13", "100000000001", "1")])
def test_a_part_that_went_back_ends_no_order_that_goes_on(state, claim, part):
    draft = read_order(order(orderState=state, hub_refunds=[part]))
    assert (claim_of(draft), draft.channel_hold) == (claim, "")
    assert [line.refund for line in draft.lines] == ["none", "none"]
    assert {
        line.refund
        for line in read_order(order(orderState="TRADE_CANCELED", hub_refunds=[cancellation("3", "1")])).lines
    } == {"done"}


def test_the_last_application_counts_and_done_stays_done():
    first, second = cancellation("2", number="1"), cancellation("0", applied="2026-11-11 02:00:00", number="2")
    assert refunds(second, first) == ["asked", "asked"]
    withdrawn = cancellation("11", applied="2026-11-11 03:00:00", number="3")
    assert refunds(withdrawn, second) == ["none", "none"]
    assert refunds(service("13", "100000000001"), withdrawn) == ["done", "none"]


def test_what_is_not_told_of_refunds_outlives_a_withdrawn_one_and_moves_no_version():
    untold = unknown(ORDER["orderId"], "no right")
    assert refunds(untold, cancellation("11")) == ["asked", "asked"]
    draft = read_order(order(hub_refunds=[untold]))
    assert (draft.modified_at, draft.raw["refunds_unknown"]) == (read_order(order()).modified_at, "no right")


def test_a_refund_moves_the_version_of_its_order():
    draft = read_order(order(hub_refunds=[cancellation("0")]))
    assert draft.modified_at == utc(2026, 11, 10, 17)
    unreadable = read_order(order(hub_refunds=[{**cancellation("0"), "applied": "?"}]))
    assert unreadable.modified_at == utc(2026, 11, 10, 16, 0, 32)


@pytest.mark.parametrize(
    ("fields", "kind", "phone"),
    [
        ({}, "masked", "*******5678"),
        ({"mobile": "13912345678", "fullname": "李雷", "fullAddress": "文三路 90 号"}, "plain", "13912345678"),
        ({"mobile": "18877771111-123"}, "virtual", "18877771111-123"),
        ({"mobile": "", "telephone": "0571-8888****"}, "masked", "0571-8888****"),
        ({"mobile": "", "fullname": "", "fullAddress": "", "encrypt_mobile": "A" * 88, "encrypt_fullname": "B" * 88},
         "cipher", "A" * 88),
    ],
)  # fmt: skip
def test_kinds_of_receivers(fields, kind, phone):
    receiver = to(**fields)
    assert (kind_of(receiver), receiver.phone) == (kind, phone)


def test_the_address_loses_the_region_in_front_of_it():
    assert to(fullAddress="浙江杭州市西湖区北山街道文三路 90 号").detail == "文三路 90 号"
    assert to(fullAddress="文三路 90 号").detail == "文三路 90 号"
    assert to(fullAddress="浙江").detail == "浙江"


def test_an_address_abroad_has_its_country_in_the_city():
    receiver = to(province="海外", city="加拿大", county="Toronto", town="", fullAddress="海外加拿大Toronto***")
    assert (receiver.country, receiver.city, receiver.detail) == ("加拿大", "Toronto", "***")


@pytest.mark.parametrize("text", [NO_TIME, "1970-01-01 00:00:00", "0000-00-00 00:00:00", "", None])
def test_no_time_is_none_where_it_may_be_and_refused_where_not(text):
    assert read_order(order(paymentConfirmTime=text)).paid_at is None
    assert refusal(order(orderStartTime=text)) == "orderStartTime"
    assert refusal(order(modified=text)) == "modified"


@pytest.mark.parametrize("text", ["2026-13-01 00:00:00", "yesterday", "1999-01-01 00:00:00", "9999-12-31 00:00:00"])
def test_absurd_times_are_refused(text):
    assert refusal(order(orderStartTime=text)) in {"orderStartTime", "created_at"}


@pytest.mark.parametrize("amount", ["-1.00", "1e300", "NaN", "12.345", "999999999999.00", "abc", {}])
def test_absurd_amounts_are_refused(amount):
    assert refusal(order(actualPay=amount)) == "actualPay"
    assert refusal(with_item(jdPrice=amount)) == "itemInfoList[0].jdPrice"


@pytest.mark.parametrize("number", [0, -1, "two", 1.5, None, True, 10**30])
def test_absurd_quantities_are_refused(number):
    assert refusal(with_item(itemTotal=number)) == "itemInfoList[0].itemTotal"


def test_what_is_missing_is_named():
    assert refusal(order(consigneeInfo=None)) == "consigneeInfo"
    assert refusal(order(itemInfoList=[])) == "itemInfoList"
    assert refusal(with_item(skuId="")) == "itemInfoList[0].skuId"
    assert refusal(with_item(jdPrice="")) == "itemInfoList[0].jdPrice"
    assert refusal(order(orderId=None)) == "external_no"
    assert refusal(order(hub_refused="订单不存在")) == "orderId"
    assert refusal([]) == ""


def test_a_bad_row_does_not_spoil_its_neighbours():
    body = json.dumps({"orders": [order(), order(orderId="2", actualPay="x"), order(orderId="3")]}).encode()
    first, second, third = read("jd", body)
    assert (first.external_no, third.external_no) == ("300123456789", "3")
    assert (second.external_no, second.error.path, second.draft) == ("2", "actualPay", None)
    (again,) = read("jd", second.raw)
    assert again.error.path == "actualPay"


def test_a_remark_of_10_mb_is_cut():
    assert len(read_order(order(orderRemark="急" * 3_500_000)).buyer_remark) == 2000


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*sorted(ORDER), "hub_refunds"]), ANY)
def test_any_value_in_any_field_gives_a_draft_or_a_named_field(name, value):
    try:
        read_order(order(**{name: value}))
    except FieldError as error:
        assert error.reason


@given(st.sampled_from(sorted(ORDER["itemInfoList"][0])), ANY)
def test_any_value_in_any_field_of_a_line_gives_a_draft_or_a_named_field(name, value):
    try:
        read_order(with_item(**{name: value}))
    except FieldError as error:
        assert error.reason


@given(st.sampled_from(sorted(ORDER["consigneeInfo"])), ANY)
def test_any_value_in_any_field_of_the_receiver_gives_a_draft_or_a_named_field(name, value):
    try:
        to(**{name: value})
    except FieldError as error:
        assert error.reason


@given(st.integers(0, 9_000_000_000), st.integers(1, 1000))
def test_amounts_are_exact_to_the_fen(fen, quantity):
    row = with_item(jdPrice=f"{fen // 100}.{fen % 100:02d}", itemTotal=str(quantity))
    row |= {"couponDetailList": [], "freightPrice": "0", "actualPay": "0"}
    if fen * quantity > 100_000_000_00:
        assert refusal(row) == "itemInfoList[0].jdPrice"
    elif fen * quantity + 11800 <= 100_000_000_00:
        draft = read_order(row)
        assert (draft.lines[0].unit_price_fen, draft.total_fen) == (fen, fen * quantity + 11800)


@given(st.datetimes(datetime(2004, 1, 1), datetime(2035, 1, 1)))  # noqa: DTZ001  (the platform's own zone)
def test_times_are_china_time(moment):
    draft = read_order(order(orderStartTime=moment.replace(microsecond=0).isoformat(sep=" ")))
    assert draft.created_at.utcoffset().total_seconds() == 8 * 3600
    assert draft.created_at.replace(tzinfo=None) == moment.replace(microsecond=0)
