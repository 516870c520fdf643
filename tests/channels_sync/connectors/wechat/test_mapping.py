import copy
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels_sync.connectors.wechat.lines import AFTERSALES, AFTERSALES_KEY
from channels_sync.connectors.wechat.mapping import REFUSED_KEY, STATUSES, read_order
from channels_sync.readers import read
from orderhub.core.errors import FieldError
from orderhub.services.pool import claim_of

ORDER = json.loads((Path(__file__).parents[3] / "payloads" / "wechat" / "order.json").read_text(encoding="utf-8"))


def order(**changes):
    return {**copy.deepcopy(ORDER), **changes}


def changed(path, **values):
    """Return the order with values set in one inner object (`pay_info`, `delivery_info.address_info`)."""
    row = order()
    holder = row["order_detail"]
    for name in path.split("."):
        holder = holder[name]
    holder.update(values)
    return row


def with_line(place=0, **values):
    row = order()
    row["order_detail"]["product_infos"][place].update(values)
    return row


def with_sales(*sales, **values):
    row = with_line(**values)
    product = {"product_id": "620000007919", "sku_id": "6200000079191", "count": 1}
    row[AFTERSALES_KEY] = [
        {"status": status, "product_info": product, "refund_info": {"amount": amount}, "update_time": 1794250000}
        for status, amount in sales
    ]
    return row


def refusal(row):
    with pytest.raises(FieldError) as refused:
        read_order(row)
    return refused.value.path


def utc(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def test_a_whole_order():
    draft = read_order(order())
    assert draft.external_no == "3705115058471208928"
    assert (draft.status, draft.channel_status, draft.channel_hold) == ("paid", "20", "")
    assert (draft.created_at, draft.paid_at, draft.modified_at) == (utc(1794240007), utc(1794240031), utc(1794240032))
    assert draft.ship_by == utc(1794412000)
    assert (draft.total_fen, draft.discount_fen, draft.freight_fen, draft.paid_fen) == (30700, 3000, 800, 28500)
    assert (draft.buyer.id, draft.buyer.nickname, draft.buyer.ip) == ("oA1b2C3d4E5f6", "", "")
    receiver = draft.receiver
    assert (receiver.name, receiver.phone, receiver.kind) == ("李雷", "17712345678-1234", "virtual")
    assert (receiver.country, receiver.province, receiver.city, receiver.district) == (
        "CN",
        "浙江省",
        "杭州市",
        "西湖区",
    )
    assert receiver.detail == "北山街道文三路 90 号 3 幢 501 室"
    assert (receiver.postcode, receiver.oaid) == ("310000", "5d41402abc4b2a76b9719d911017c592")
    assert (draft.buyer_remark, draft.seller_remark, draft.flag) == ("生日礼物 🎁", "老客户", "none")
    first, gift, second = draft.lines
    assert (first.line_no, first.sku, first.quantity) == ("620000007919:6200000079191", "SERUM-30", 2)
    assert (first.unit_price_fen, first.paid_fen, first.refund) == (12900, 23300, "none")
    assert (first.item_id, first.sku_id, first.spec) == ("620000007919", "6200000079191", "")
    assert (gift.line_no, gift.paid_fen) == ("620000007919:6200000079191:gift", 0)
    assert (second.line_no, second.sku) == ("620000015838:6200000158381", "MASK-10")
    assert draft.raw == {
        "unionid": "oU9z8Y7x6", "order_scene": 2, "finder_id": "sph0001",
        "virtual_phone_until": utc(1796832007).isoformat(),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "paid", "status", "hold"),
    [
        (10, False, "unpaid", ""), (10, True, "unpaid", ""),
        (12, True, "paid", "gift_not_accepted"), (12, False, "unpaid", ""),
        (13, True, "paid", "group_not_full"), (13, False, "unpaid", ""),
        (20, True, "paid", ""), (21, True, "in_transit", ""), (30, True, "in_transit", ""),
        (100, True, "completed", ""), (190, False, "cancelled", ""), (200, True, "refunded", ""),
        (250, True, "refunded", ""), (250, False, "cancelled", ""),
        (77, True, "paid", "unknown_status_77"), (77, False, "unpaid", ""),
    ],
)  # fmt: skip
def test_every_state_and_one_nobody_knows(code, paid, status, hold):
    row = changed("pay_info", pay_time=1794240031 if paid else 0)
    draft = read_order({**row, "status": code})
    assert (draft.status, draft.channel_hold, draft.channel_status) == (status, hold, str(code))
    assert set(STATUSES) == {10, 12, 13, 20, 21, 30, 100, 190, 200, 250}


def test_an_unknown_state_after_shipping_goes_by_what_has_happened():
    shipped = changed("delivery_info", ship_done_time=1794300000)
    assert read_order({**shipped, "status": 77}).status == "in_transit"
    received = changed("ext_info", confirm_receipt_time=1794400000)
    assert read_order({**received, "status": 77}).status == "completed"


def test_nothing_is_paid_before_it_is_paid():
    draft = read_order({**changed("pay_info", pay_time=0), "status": 10})
    assert (draft.paid_at, draft.paid_fen) == (None, 0)
    assert {line.paid_fen for line in draft.lines} == {0}


@pytest.mark.parametrize("method", [1, "1", None, ""])
def test_money_came_in_however_the_method_is_written(method):
    draft = read_order(changed("pay_info", payment_method=method))
    assert (draft.status, draft.paid_at is None, "payment_method" in draft.raw) == ("paid", False, False)
    assert draft.paid_fen > 0


def test_pay_later_is_to_be_shipped_but_no_payment():
    draft = read_order(changed("pay_info", payment_method=2))
    assert (draft.status, draft.paid_at, draft.paid_fen, draft.raw["payment_method"]) == ("paid", None, 0, 2)


def test_an_address_that_the_buyer_wants_changed_holds_the_order_until_answered():
    asked = changed("delivery_info", address_under_review={"user_name": "韩梅梅"})
    assert read_order(asked).channel_hold == "address_under_review"
    assert read_order({**asked, "status": 30}).channel_hold == ""
    assert read_order(changed("delivery_info", address_under_review={})).channel_hold == ""


def test_a_gift_without_receiver_waits_and_any_other_order_needs_one():
    gift = changed("delivery_info", address_info={})
    draft = read_order({**gift, "status": 12})
    assert (draft.receiver.kind, draft.channel_hold) == ("masked", "gift_not_accepted")
    assert refusal(gift) == "order_detail.delivery_info.address_info"


@pytest.mark.parametrize(
    ("fields", "phone", "kind"),
    [
        ({"use_tel_number": 0, "tel_number": "13912345678"}, "13912345678", "plain"),
        ({"use_tel_number": 0, "tel_number": "", "tel_number_ext_info": {}}, "", ""),
        ({"use_tel_number": 0, "tel_number": "139****5678"}, "139****5678", "masked"),
        ({"user_name": "李*", "use_tel_number": 0, "tel_number": "13912345678"}, "13912345678", "masked"),
        ({"use_tel_number": 1, "tel_number_ext_info": {"real_tel_number": "139****5678"}}, "139****5678", "masked"),
        ({"use_tel_number": "1"}, "17712345678-1234", "virtual"),
    ],
)
def test_phones(fields, phone, kind):
    receiver = read_order(changed("delivery_info.address_info", **fields)).receiver
    assert (receiver.phone, receiver.kind) == (phone, kind)


def test_what_was_opened_once_shows_its_virtual_number_beside_a_masked_name_and_address():
    row = changed("delivery_info.address_info", user_name="李**", detail_info="****", tel_number="139****5678")
    draft = read_order(row)
    assert (draft.receiver.phone, draft.receiver.kind) == ("17712345678-1234", "masked")
    assert draft.raw["masked"] == ["name", "detail"]


def test_the_masked_parts_are_kept():
    row = changed("delivery_info.address_info", use_tel_number=0, tel_number="139****5678", detail_info="****")
    assert read_order(row).raw["masked"] == ["phone", "detail"]
    assert "masked" not in read_order(order()).raw


@pytest.mark.parametrize(
    ("province", "country"), [("香港特别行政区", "HK"), ("澳门特别行政区", "MO"), ("广东省", "CN")]
)
def test_countries(province, country):
    assert read_order(changed("delivery_info.address_info", province_name=province)).receiver.country == country


def test_an_agreed_delivery_time_stands_above_the_old_deadline():
    row = with_line(sku_deliver_info={"stock_type": 1, "predict_delivery_time": "1794410000"})
    draft = read_order(row)
    assert (draft.ship_by, draft.raw["full_payment_presale"], draft.presale) == (utc(1794410000), True, "none")
    assert draft.raw["ship_by_agreed"] is True
    row["order_detail"]["product_infos"][0]["sku_deliver_info"]["predict_delivery_time"] = "soon"
    row["order_detail"]["product_infos"][2]["delivery_deadline"] = 0
    assert read_order(row).ship_by == utc(1794412831)
    assert "ship_by_agreed" not in read_order(row).raw


def test_no_deadline_leaves_it_to_the_shop():
    row = order()
    for line in row["order_detail"]["product_infos"]:
        line["delivery_deadline"] = -1
    assert read_order(row).ship_by is None


@pytest.mark.parametrize(("word", "refund"), [*sorted(AFTERSALES.items()), ("A_NEW_WORD", "asked")])
def test_every_state_of_an_aftersale(word, refund):
    row = with_sales((word, 0), finish_aftersale_sku_cnt=2 if refund == "done" else 0)
    draft = read_order(row)
    assert [line.refund for line in draft.lines] == [refund, "none" if refund == "done" else refund, "none"]
    assert draft.modified_at == utc(1794250000)


def test_the_strongest_aftersale_of_a_line_counts():
    assert read_order(with_sales(("MERCHANT_REFUND_SUCCESS", 1), ("USER_WAIT_RETURN", 1))).lines[0].refund == "agreed"
    assert read_order(with_sales(("USER_CANCELD", 1), ("MERCHANT_REJECT_REFUND", 1))).lines[0].refund == "refused"


def test_counts_alone_say_enough_when_the_aftersale_is_not_at_hand():
    assert read_order(with_line(on_aftersale_sku_cnt=1)).lines[0].refund == "asked"
    assert read_order(with_line(finish_aftersale_sku_cnt=2)).lines[0].refund == "done"
    row = order(aftersale_detail={"on_aftersale_order_cnt": 1})
    assert [line.refund for line in read_order(row).lines] == ["asked"] * 3


ONE_PIECE = {"finish_aftersale_sku_cnt": 1}


@pytest.mark.parametrize(("code", "claim"), [(20, "paid"), (21, "in_transit"), (30, "in_transit"), (100, "completed")])
@pytest.mark.parametrize(
    ("sales", "counts", "line"),
    [
        ([("MERCHANT_REFUND_SUCCESS", 11650)], ONE_PIECE, (1, 11650)), ([], ONE_PIECE, (1, 23300)),
        ([("MERCHANT_REFUND_SUCCESS", 500)], {}, (2, 23300)),
    ],
)  # fmt: skip
def test_pieces_or_money_given_back_in_part_leave_the_rest_of_the_order_as_it_is(code, claim, sales, counts, line):
    row = with_sales(*sales, **counts)
    row["order_detail"]["product_infos"] = row["order_detail"]["product_infos"][:1]
    draft = read_order({**row, "status": code})
    assert [(line.quantity, line.paid_fen, line.refund) for line in draft.lines] == [(*line, "none")]
    assert claim_of(draft) == claim


def test_a_line_of_which_all_money_went_back_is_done_before_its_pieces_are_counted():
    assert read_order(with_sales(("MERCHANT_REFUND_SUCCESS", 23300))).lines[0].refund == "done"


def test_another_piece_that_is_asked_back_does_not_bring_the_first_one_back():
    sales = ("MERCHANT_REFUND_SUCCESS", 11650), ("MERCHANT_PROCESSING", 11650)
    line = read_order(with_sales(*sales, **ONE_PIECE)).lines[0]
    assert (line.quantity, line.paid_fen, line.refund) == (1, 11650, "asked")


def test_equal_lines_are_told_apart():
    row = with_line(2, product_id="620000007919", sku_id="6200000079191")
    assert [line.line_no for line in read_order(row).lines] == [
        "620000007919:6200000079191", "620000007919:6200000079191:gift", "620000007919:6200000079191:2",
    ]  # fmt: skip


def test_the_quantity_may_go_by_its_other_name():
    row = order()
    line = row["order_detail"]["product_infos"][0]
    line["count"] = line.pop("sku_cnt")
    assert read_order(row).lines[0].quantity == 2


@pytest.mark.parametrize("number", [3705115058471208928, "3705115058471208928"])
def test_numbers_beyond_doubles_stay_exact(number):
    (row,) = read("wechat", json.dumps({"orders": [order(order_id=number)]}).encode())
    assert row.draft.external_no == "3705115058471208928"


def test_a_price_that_was_changed_by_hand():
    row = changed("price_info", is_change_freight=True, change_freight=0, order_price=27000)
    row["order_detail"]["product_infos"][0].update(real_price=None, change_price=22600)
    draft = read_order(row)
    assert (draft.freight_fen, draft.discount_fen, draft.paid_fen) == (0, 3700, 27000)
    assert draft.lines[0].paid_fen == 22600


@pytest.mark.parametrize("value", [0, "", None, "0"])
def test_no_time_is_refused_where_one_is_needed(value):
    assert refusal(order(create_time=value)) == "create_time"
    assert refusal(order(update_time=value)) == "update_time"


@pytest.mark.parametrize("value", ["yesterday", -5, 10**15, True, [], {}])
def test_absurd_times_are_refused(value):
    assert refusal(order(create_time=value)) == "create_time"


@pytest.mark.parametrize("value", [-1, 1.5, "12.00", "abc", 10**20, True, {}])
def test_absurd_amounts_are_refused(value):
    assert refusal(changed("price_info", order_price=value)) == "order_detail.price_info.order_price"
    assert refusal(with_line(sale_price=value)) == "order_detail.product_infos[0].sale_price"


@pytest.mark.parametrize("value", [0, -1, "two", 1.5, None, True, 10**30])
def test_absurd_quantities_are_refused(value):
    assert refusal(with_line(sku_cnt=value)) == "order_detail.product_infos[0].sku_cnt"


def test_what_is_missing_is_named():
    assert refusal(order(order_id=None)) == "external_no"
    assert refusal(order(status=None)) == "status"
    assert refusal(changed("price_info", order_price=None)) == "order_detail.price_info.order_price"
    assert refusal({**order(), REFUSED_KEY: "order not exist"}) == "order_id"
    row = order()
    row["order_detail"]["product_infos"] = []
    assert refusal(row) == "order_detail.product_infos"


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PLACES = [
    ("",),
    ("order_detail",),
    *[("order_detail", name) for name in ORDER["order_detail"] if name != "product_infos"],
    ("order_detail", "product_infos", 0),
    ("order_detail", "delivery_info", "address_info"),
    ("aftersale_detail",),
]


@given(st.sampled_from(PLACES), st.data(), ANY)
def test_any_value_anywhere_gives_a_draft_or_a_named_field(place, data, value):
    row = order()
    holder = row
    for name in place if place != ("",) else ():
        holder = holder[name]
    holder[data.draw(st.sampled_from(sorted(holder)))] = value
    try:
        read_order(row)
    except FieldError as error:
        assert error.reason


def test_the_variant_of_a_line_is_told_in_its_values():
    row = copy.deepcopy(ORDER)
    attributes = [{"attr_key": "颜色", "attr_value": "红"}, {"attr_key": "容量", "attr_value": "30ml"}, "broken"]
    row["order_detail"]["product_infos"][0]["sku_attrs"] = attributes
    assert read_order(row).lines[0].spec == "红 30ml"
