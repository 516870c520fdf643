import copy
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync import readers
from channels_sync.connectors.douyin.mapping import FLAGS, REFUNDS, STATUSES, read_order
from orderhub.core.errors import FieldError
from orderhub.services.pool import claim_of

ORDER = json.loads((Path(__file__).parents[3] / "payloads" / "douyin" / "order.json").read_text(encoding="utf-8"))


def order(**changes):
    return {**copy.deepcopy(ORDER), **changes}


def with_line(**changes):
    changed = order()
    changed["sku_order_list"][0].update(changes)
    return changed


def refusal(row):
    with pytest.raises(FieldError) as refused:
        read_order(row)
    return refused.value.path


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_a_whole_order():
    draft = read_order(order())
    assert draft.external_no == "6921052297377971987"
    assert (draft.status, draft.channel_status, draft.channel_hold) == ("paid", "2", "")
    assert draft.created_at == utc(2026, 11, 10, 16, 0, 7)
    assert draft.paid_at == utc(2026, 11, 10, 16, 0, 31)
    assert draft.modified_at == utc(2026, 11, 10, 16, 0, 32)
    assert draft.ship_by == utc(2026, 11, 12, 15, 59, 59)
    assert (draft.total_fen, draft.discount_fen, draft.freight_fen, draft.paid_fen) == (30700, 3000, 800, 28000)
    assert (draft.buyer.id, draft.buyer.nickname, draft.buyer.ip) == ("1@#Z6e3SXyDdoq4c0B", "", "")
    receiver = draft.receiver
    assert (receiver.kind, receiver.name, receiver.phone, receiver.detail, receiver.oaid) == (
        "masked", "李*", "1********78", "文三路**号**幢***室", "#GKTB7s7wOxP0000fake==",
    )  # fmt: skip
    assert (receiver.country, receiver.province, receiver.city, receiver.district, receiver.town) == (
        "CN", "浙江省", "杭州市", "西湖区", "北山街道",
    )  # fmt: skip
    assert (draft.buyer_remark, draft.seller_remark, draft.flag) == ("生日礼物 🎁", "老客户", "red")
    first, second, gift = draft.lines
    assert (first.line_no, first.sku, first.title, first.quantity) == (
        "6921052297377971987", "SERUM-30", "精华液 30ml", 2,
    )  # fmt: skip
    assert (first.unit_price_fen, first.paid_fen, first.refund) == (12900, 22900, "none")
    assert (first.item_id, first.sku_id, first.spec) == ("3600000000000000001", "1803000000000001", "30ml")
    assert (second.sku, second.unit_price_fen) == ("MASK-10", 4900)
    assert (gift.sku, gift.unit_price_fen, gift.quantity) == ("SAMPLE-5", 0, 1)
    assert draft.raw["sealed"] == {
        "name": "##bmFtZTEyMw==#Y2lwaGVyMg==#1##", "phone": "$c2lnMTIz$Y2lwaGVyMQ==$1$",
        "detail": "##ZGV0YWls#Y2lwaGVyMw==#1##",
    }  # fmt: skip
    assert draft.raw["gifts"] == ["6921052297377971989"]
    assert draft.raw["user_tag_ui"] == [{"key": "service_first", "text": "服务优先"}]


@pytest.mark.parametrize(("number", "status"), sorted(STATUSES.items()))
def test_every_state_of_the_platform(number, status):
    draft = read_order(order(order_status=int(number), main_status=int(number)))
    assert (draft.status, draft.channel_status) == (status, number)
    assert (draft.paid_at is None) is (status in {"unpaid", "presale_deposit"})


def test_an_unknown_state_is_kept_shown_and_never_shipped():
    draft = read_order(order(order_status=777, main_status=777))
    assert (draft.status, draft.channel_status, draft.channel_hold) == ("paid", "777", "unknown:777")
    draft = read_order(order(order_status=777, main_status=777, pay_time=0))
    assert (draft.status, draft.channel_hold) == ("unpaid", "")
    assert refusal({key: value for key, value in order().items() if key != "order_status"}) == "order_status"


def test_an_unknown_main_state_beside_a_known_one_is_kept():
    draft = read_order(order(main_status=888))
    assert (draft.status, draft.channel_status) == ("paid", "2/888")


@pytest.mark.parametrize(
    "changes",
    [
        {"order_status": 105, "main_status": 105},
        {"shop_order_tag_ui": [{"key": "risk_processing", "text": ""}]},
        {"shop_order_tag_ui": [{"key": "other", "text": "平台风控审核中"}]},
    ],
)
def test_a_risk_review_of_the_platform_is_a_hold(changes):
    draft = read_order(order(**changes))
    assert (draft.status, draft.channel_hold) == ("paid", "risk_review")


@pytest.mark.parametrize("labels", [None, "x", [None, 3], [{"key": "pin", "text": "高价值"}]])
def test_other_labels_hold_nothing(labels):
    assert read_order(order(shop_order_tag_ui=labels)).channel_hold == ""


@pytest.mark.parametrize(
    ("state", "status", "hold", "paid"),
    [(1, "unpaid", "", 0), (2, "paid", "cod", 0), (105, "paid", "risk_review", 0), (3, "in_transit", "", 0)],
)
def test_cash_on_delivery_is_held_and_nothing_is_paid_before_the_courier_collects(state, status, hold, paid):
    draft = read_order(order(pay_type=0, pay_time=0, order_status=state, main_status=state))
    assert (draft.status, draft.channel_hold, draft.paid_fen, draft.paid_at) == (status, hold, paid, None)
    assert sum(line.paid_fen for line in draft.lines) == 0


def test_a_shipped_order_is_not_held_by_an_old_label():
    row = order(order_status=3, main_status=3, shop_order_tag_ui=[{"key": "risk_done", "text": ""}])
    assert read_order(row).channel_hold == ""


@pytest.mark.parametrize("main", [21, 22, 39])
def test_a_finished_refund_of_the_order_ends_it(main):
    draft = read_order(order(order_status=4 if main == 21 else 5, main_status=main))
    assert draft.status == "refunded"


def test_closed_after_payment_is_refunded_when_every_line_is():
    row = order(order_status=4, main_status=4)
    assert read_order(row).status == "cancelled"
    for line in row["sku_order_list"]:
        line["after_sale_info"] = {"after_sale_status": 12, "refund_status": 3}
    assert read_order(row).status == "refunded"


def phases(*paid):
    return [
        {"current_phase": place + 1, "total_phase": 2, "pay_success": is_paid, "phase_pay_amount": 5000 * (place + 1)}
        for place, is_paid in enumerate(paid)
    ]


@pytest.mark.parametrize(
    ("state", "main", "paid", "ours", "presale", "paid_fen"),
    [
        (1, 1, (False, False), "unpaid", "none", 0),
        (1, 103, (True, False), "presale_deposit", "deposit", 5000),
        (105, 103, (True, False), "presale_deposit", "deposit", 5000),
        (1, 103, (True,), "presale_deposit", "deposit", 5000),
        (2, 2, (True, True), "paid", "balance_paid", 28000),
        (4, 4, (True, False), "cancelled", "deposit", 28000),
    ],
)
def test_a_presale_in_two_payments(state, main, paid, ours, presale, paid_fen):
    draft = read_order(order(order_status=state, main_status=main, order_phase_list=phases(*paid)))
    assert (draft.status, draft.presale, draft.paid_fen) == (ours, presale, paid_fen)
    assert draft.channel_hold == ""


def test_an_unpaid_order_has_paid_nothing():
    draft = read_order(order(order_status=1, main_status=1, pay_time=0))
    assert (draft.paid_at, draft.paid_fen, {line.paid_fen for line in draft.lines}) == (None, 0, {0})


@pytest.mark.parametrize(("number", "refund"), sorted(REFUNDS.items()))
def test_every_refund_state_of_a_line(number, refund):
    draft = read_order(with_line(after_sale_info={"after_sale_status": int(number), "refund_status": 1}))
    assert [line.refund for line in draft.lines] == [refund, "none", "none"]


def test_a_paid_refund_is_done_and_an_unknown_one_stops_the_order():
    paid = {"after_sale_status": 11, "refund_status": 3}
    assert read_order(with_line(after_sale_info=paid)).lines[0].refund == "done"
    assert read_order(with_line(after_sale_info={"after_sale_status": 99})).lines[0].refund == "asked"


@pytest.mark.parametrize(
    ("kind", "status", "refund"),
    [(2, 12, "done"), (2, 6, "asked"), (6, 12, "none"), (6, 6, "none"), (7, 12, "none"), (8, 6, "none")],
)
def test_a_claim_that_leaves_the_buyer_the_goods_is_no_refund_of_them(kind, status, refund):
    """Price protection at Double 11: the difference goes back, the order goes on."""
    info = {"after_sale_status": status, "after_sale_type": kind, "refund_status": 3 if status == 12 else 1}
    draft = read_order(with_line(after_sale_info=info))
    assert (draft.status, draft.lines[0].refund) == ("paid", refund)


@pytest.mark.parametrize(("state", "main", "claim"), [(3, 3, "in_transit"), (5, 5, "completed"), (5, 39, "refunded")])
def test_money_given_back_in_part_ends_no_order_that_was_shipped(state, main, claim):
    row = with_line(after_sale_info={"after_sale_status": 12, "after_sale_type": 1, "refund_status": 3})
    row.update(order_status=state, main_status=main, sku_order_list=row["sku_order_list"][:1])
    draft = read_order(row)
    assert (claim_of(draft), draft.lines[0].refund) == (claim, "done" if main == 39 else "none")


@pytest.mark.parametrize(("main", "refund"), [(16, "asked"), (17, "agreed"), (25, "none"), (26, "none")])
def test_a_refund_told_by_the_state_of_the_order_counts_for_its_lines(main, refund):
    draft = read_order(order(main_status=main))
    assert {line.refund for line in draft.lines} == {refund}
    assert draft.status == "paid"


@pytest.mark.parametrize(("number", "flag"), sorted(FLAGS.items()))
def test_flags_have_other_numbers_than_elsewhere(number, flag):
    assert read_order(order(seller_remark_stars=number)).flag == flag


@pytest.mark.parametrize("number", [0, None, 9, "x", [], float("inf")])
def test_no_flag_without_a_remark(number):
    assert read_order(order(seller_remark_stars=number, seller_words="")).flag == "none"


@pytest.mark.parametrize(
    ("changes", "line", "ship_by"),
    [
        ({"exp_ship_time": 1794400000, "appointment_ship_time": 1794300000}, 1794350000, 1794400000),
        ({"exp_ship_time": 0}, 1794350000, 1794350000),
        ({"exp_ship_time": 0, "appointment_ship_time": 1794300000}, 0, 1794300000),
        ({"exp_ship_time": "soon"}, 1794350000, 1794350000),
        ({"exp_ship_time": 0}, 0, None),
    ],
)
def test_the_time_to_ship_by_precedence(changes, line, ship_by):
    row = order(**changes)
    for sku in row["sku_order_list"]:
        sku["exp_ship_time"] = line
    found = read_order(row).ship_by
    assert (found and int(found.timestamp())) == ship_by


@pytest.mark.parametrize("value", [0, None, "", "0", 1, -62135596800])
def test_no_time_is_none_where_it_may_be_and_refused_where_not(value):
    assert read_order(order(pay_time=value, order_status=1, main_status=1)).paid_at is None
    assert refusal(order(create_time=value)) == "create_time"
    assert refusal(order(update_time=value)) == "update_time"


@pytest.mark.parametrize("value", ["2026-11-11", 1794326407000, 99999999999, True, 1.5, [1]])
def test_absurd_times_are_refused(value):
    assert refusal(order(create_time=value)) in {"create_time", "created_at"}


@pytest.mark.parametrize("amount", [-1, "1.50", 10**14, "abc", {"a": 1}, True])
def test_absurd_amounts_are_refused(amount):
    assert refusal(order(pay_amount=amount)) == "pay_amount"
    assert refusal(with_line(sum_amount=amount)) == "sku_order_list[0].sum_amount"


def test_a_changed_price_may_be_negative():
    assert read_order(order(modify_amount=-700)).discount_fen == 3700


@pytest.mark.parametrize("number", [0, -1, "two", 1.5, None, True, 10**30])
def test_absurd_quantities_are_refused(number):
    assert refusal(with_line(item_num=number)) == "sku_order_list[0].item_num"


def test_a_line_without_its_sum_is_worked_out_from_the_price():
    assert read_order(with_line(sum_amount=None)).lines[0].unit_price_fen == 12900


@pytest.mark.parametrize(
    ("changes", "sku"),
    [({}, "SERUM-30"), ({"code": ""}, "1803000000000001"), ({"code": "", "out_sku_id": "77"}, "77"),
     ({"code": "", "sku_id": 0}, "3600000000000000001")],
)  # fmt: skip
def test_the_code_of_the_shop_goes_before_the_platforms_numbers(changes, sku):
    assert read_order(with_line(**changes)).lines[0].sku == sku


def test_a_bundle_is_one_line_and_its_parts_are_kept():
    parts = [{"sku_id": "1", "code": "A", "item_num": 2}]
    draft = read_order(with_line(bundle_sku_info=parts))
    assert len(draft.lines) == 3
    assert draft.raw["bundles"] == {"6921052297377971987": parts}


def without_masks(**changes):
    return {**{key: value for key, value in order().items() if not key.startswith("mask_")}, **changes}


def test_a_receiver_of_cipher_texts_only():
    receiver = read_order(without_masks()).receiver
    assert (receiver.kind, receiver.name, receiver.phone, receiver.detail) == ("cipher", "", "", "")
    assert (receiver.province, receiver.district) == ("浙江省", "西湖区")


def test_the_receiver_of_an_old_application_is_plain():
    row = without_masks(post_tel="13912345678", post_receiver="李雷")
    row["post_addr"]["detail"] = "文三路 90 号"
    receiver = read_order(row).receiver
    assert (receiver.kind, receiver.name, receiver.phone, receiver.detail) == (
        "",
        "李雷",
        "13912345678",
        "文三路 90 号",
    )


def test_without_its_token_the_search_parts_of_the_cipher_texts_serve():
    first = read_order(order(open_address_id="")).receiver.oaid
    again = order(open_address_id="", encrypt_post_tel="$c2lnMTIz$b3RoZXI=$1$")
    other = order(open_address_id="", encrypt_post_tel="$b3RoZXI=$Y2lwaGVyMQ==$1$")
    assert len(first) == 43
    assert read_order(again).receiver.oaid == first
    assert read_order(other).receiver.oaid != first
    assert read_order(order(open_address_id="", encrypt_post_tel="")).receiver.oaid == ""


def test_what_is_missing_is_named():
    nobody = {
        key: value for key, value in order().items()
        if "post_" not in key or key in {"post_amount"}
    }  # fmt: skip
    assert refusal(nobody) == "mask_post_receiver"
    assert refusal(order(sku_order_list=[])) == "sku_order_list"
    assert refusal(order(order_id=None)) == "external_no"
    assert refusal(order(hub_refused="gone")) == "order_id"


def test_a_number_with_a_letter_behind_is_the_same_order():
    assert read_order(order(order_id="6921052297377971987A")).external_no == "6921052297377971987"


def test_one_line_number_twice_is_refused():
    row = order()
    row["sku_order_list"][1]["order_id"] = row["sku_order_list"][0]["order_id"]
    assert refusal(row) == "lines[1].line_no"


def test_a_bad_order_costs_itself_only():
    rows = readers.read("douyin", json.dumps({"orders": [order(), with_line(item_num=0), 3]}).encode())
    assert [(row.row, row.draft is not None, row.error and row.error.path) for row in rows] == [
        (0, True, None), (1, False, "sku_order_list[0].item_num"), (2, False, ""),
    ]  # fmt: skip


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(ORDER)), ANY)
def test_any_value_in_any_field_gives_a_draft_or_a_named_field(name, value):
    try:
        read_order(order(**{name: value}))
    except FieldError as error:
        assert error.reason


@given(st.sampled_from(sorted(ORDER["sku_order_list"][0])), ANY)
def test_any_value_in_any_field_of_a_line_gives_a_draft_or_a_named_field(name, value):
    try:
        read_order(with_line(**{name: value}))
    except FieldError as error:
        assert error.reason


@given(st.integers(0, 9_000_000_000), st.integers(1, 1000))
def test_amounts_are_exact_to_the_fen(fen, quantity):
    draft = read_order(with_line(sum_amount=fen, pay_amount=fen, promotion_pay_amount=0, item_num=quantity))
    assert draft.lines[0].paid_fen == fen
    assert abs(draft.lines[0].unit_price_fen * quantity - fen) <= quantity


@given(st.integers(1_100_000_000, 2_000_000_000))
def test_times_are_unix_seconds(seconds):
    assert int(read_order(order(create_time=seconds)).created_at.timestamp()) == seconds
