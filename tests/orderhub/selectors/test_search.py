import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from orderhub.selectors.search import Found, FoundMany, Kind, find, find_many, named, numbers_in, possible_kinds
from tests.factories import make_buyer, make_order, make_parcel, make_shop
from tests.plans import plan_of

pytestmark = pytest.mark.django_db


def test_order_number_is_found_in_every_shop_that_has_it():
    first = make_order(external_no="T1001")
    second = make_order(external_no="T1001")
    make_order(external_no="T10011")
    assert find("T1001") == Found(Kind.ORDER_NO, [second.pk, first.pk])
    assert find(" #T1001 ").order_ids == [second.pk, first.pk]
    assert find("/T1001").order_ids == [second.pk, first.pk]
    assert find("Ｔ１００１").order_ids == [second.pk, first.pk]


@pytest.mark.parametrize("stored", ["订单-001", "#1001", "SO 77/A", "订单－００２", "/7"])
def test_an_order_number_is_found_as_its_shop_writes_it(stored):
    order = make_order(external_no=stored)
    assert find(f" {stored}\n") == Found(Kind.ORDER_NO, [order.pk])
    assert find(stored, shop_ids=[order.shop_id]).order_ids == [order.pk]


def test_a_sign_before_a_number_may_be_part_of_it_or_not():
    orders = [make_order(external_no=number).pk for number in ("#T1001", "T1001", "/T1001")]
    assert find("#T1001").order_ids == [orders[1], orders[0]]
    assert find("/#T1001").order_ids == [orders[1], orders[0]]
    assert find("T1001").order_ids == [orders[1]]


def test_numbers_are_found_whatever_letters_they_are_typed_in():
    order = make_order(external_no="PO-77A")
    make_parcel(order, "SF1234567890")
    assert find("po-77a") == Found(Kind.ORDER_NO, [order.pk])
    assert find("#Po-77a").order_ids == [order.pk]
    assert find("sf1234567890") == Found(Kind.TRACKING_NO, [order.pk])
    assert find_many(["sf1234567890", "po-77a", "po-77b"]) == FoundMany([order.pk], ["po-77b"])
    assert named("sf1234567890", limit=1).order_ids == [order.pk]


@pytest.mark.parametrize(
    "text", ["SF1234 5678 9012", " sf12 3456 789012\n", "ＳＦ１２３４　５６７８９０１２", "SF1234\t56789\r\n012"]
)
def test_a_number_is_found_in_the_groups_that_a_waybill_prints(text, django_assert_num_queries):
    order = make_order()
    make_parcel(order, "SF123456789012")
    with django_assert_num_queries(1):
        assert find(text) == Found(Kind.TRACKING_NO, [order.pk])
    assert named(text, limit=1).order_ids == [order.pk]


def test_an_order_number_is_found_in_groups_and_as_its_shop_writes_it():
    orders = [make_order(external_no=number).pk for number in ("T10010001", "T1001 0001", "#T10010001")]
    assert find("t1001 0001") == Found(Kind.ORDER_NO, [orders[1], orders[0]])
    assert find("#T1001 0001").order_ids == orders[::-1]
    assert find("T1001 0002").order_ids == []


def test_a_number_in_small_letters_is_found_as_it_stands():
    small, capital = make_order(external_no="po-1"), make_order(external_no="PO-1")
    assert find("po-1").order_ids == [capital.pk, small.pk]
    assert find("PO-1").order_ids == [capital.pk]


def test_each_other_key_finds_its_order():
    shop = make_shop()
    order = make_order(shop, name="欧阳娜娜", phone="13812340987", buyer=make_buyer(shop, "open-77", "小鹿乱撞"))
    make_order(shop, name="王芳", phone="13700001111", buyer=make_buyer(shop, "open-78", "大鹿"))
    make_parcel(order, "SF1234567890123")
    assert find("SF1234567890123") == Found(Kind.TRACKING_NO, [order.pk])
    assert find("+86 138-1234-0987") == Found(Kind.PHONE, [order.pk])
    assert find("0987") == Found(Kind.PHONE_TAIL, [order.pk])
    assert find("138****0987") == Found(Kind.PHONE_TAIL, [order.pk])
    assert find("open-77") == Found(Kind.BUYER_ID, [order.pk])
    assert find("小鹿") == Found(Kind.NICKNAME, [order.pk])
    assert find("阳娜") == Found(Kind.NAME, [order.pk])
    assert find("欧阳娜娜") == Found(Kind.NAME, [order.pk])


def test_landline_is_found_by_its_digits():
    order = make_order(phone="0571-88886666")
    assert find("057188886666").order_ids == [order.pk]


def test_text_that_is_two_keys_shows_both():
    by_phone = make_order(phone="13912340000")
    by_number = make_order(external_no="13912340000", phone="13800000000")
    assert find("13912340000") == Found(Kind.PHONE, [by_phone.pk, by_number.pk])


def test_newest_first_and_more_beyond_the_limit():
    shop = make_shop()
    orders = [make_order(shop, phone=f"1391111{i:04d}"[:7] + "4321") for i in range(4)]
    assert find("4321", limit=3) == Found(Kind.PHONE_TAIL, [o.pk for o in reversed(orders)][:3], more=True)
    assert find("4321", limit=4).more is False


def test_a_short_number_comes_before_the_phones_that_end_like_it():
    shop = make_shop()
    numbered = make_order(shop, external_no="4321", phone="13800000000")
    posted = make_order(shop, phone="13800000000")
    make_parcel(posted, "4321")
    tails = [make_order(shop, phone=f"139111{i}4321").pk for i in range(3)]
    assert find("4321", limit=2) == Found(Kind.ORDER_NO, [numbered.pk, posted.pk], more=True)
    assert find("#4321", limit=3).order_ids == [numbered.pk, posted.pk, tails[2]]
    assert find("4321", limit=5).more is False
    assert possible_kinds("4321")[0] == Kind.PHONE_TAIL


def test_shop_restriction_holds_for_every_key():
    mine, other = make_shop(), make_shop()
    order = make_order(
        other, external_no="T7", name="韩梅梅", phone="13612345678", buyer=make_buyer(other, "o-1", "梅梅")
    )
    make_parcel(order, "YT7777777777777")
    for text in ["T7", "韩梅梅", "13612345678", "5678", "o-1", "梅梅", "YT7777777777777"]:
        assert find(text).order_ids == [order.pk], text
        assert find(text, shop_ids=[mine.pk]).order_ids == [], text
        assert find(text, shop_ids=[mine.pk, other.pk]).order_ids == [order.pk], text


def test_wildcards_are_plain_characters():
    shop = make_shop()
    order = make_order(shop, buyer=make_buyer(shop, "o-1", "50%_off"))
    make_order(shop, buyer=make_buyer(shop, "o-2", "50 off"))
    assert find("50%_").order_ids == [order.pk]
    assert find("%").order_ids == []


@pytest.mark.parametrize("text", ["", "   ", "\x00", "x" * 201, "##"])
def test_nothing_to_look_for_asks_nothing(text):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert find(text) == Found(Kind.NOTHING, [])
    assert len(queries) == 0


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("SF1234 5678", [Kind.ORDER_NO, Kind.TRACKING_NO, Kind.BUYER_ID, Kind.NICKNAME, Kind.NAME]),
        ("139 1234 5678", [Kind.PHONE, Kind.ORDER_NO, Kind.TRACKING_NO, Kind.BUYER_ID, Kind.NICKNAME]),
        ("订单 001", [Kind.ORDER_NO, Kind.BUYER_ID, Kind.NICKNAME, Kind.NAME]),
        ("li lei", [Kind.BUYER_ID, Kind.ORDER_NO, Kind.NICKNAME, Kind.NAME]),
    ],
)
def test_a_text_in_groups_may_be_a_number(text, kinds):
    assert possible_kinds(text) == kinds


def test_no_match_names_the_likeliest_kind():
    assert find("13900000000") == Found(Kind.PHONE, [])
    assert find("T404") == Found(Kind.ORDER_NO, [])
    assert find("订单-404") == Found(Kind.ORDER_NO, [])
    assert find("0571 88886666") == Found(Kind.PHONE, [])
    assert find("小李") == Found(Kind.BUYER_ID, [])


@pytest.mark.parametrize(("text", "queries"), [("T1", 1), ("13900000000", 1), ("小李", 2)])
@pytest.mark.parametrize("rows", [1, 3])
def test_number_of_queries_is_constant(text, queries, rows, django_assert_num_queries):
    shop = make_shop()
    for i in range(rows):
        make_order(shop, external_no=f"T{i + 1}", name="小李飞刀", phone="13900000000")
    with django_assert_num_queries(queries):
        assert find(text).order_ids


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("T1", "order_shop_external"),
        ("#订单 1", "order_shop_external"),
        ("13912345678", "receiver_phone"),
        ("5678", "receiver_tail"),
        ("小李", "buyer_nickname"),
        ("小李", "receiver_name"),
        ("SF123", "parcel_tracking"),
    ],
)
def test_each_kind_is_served_by_its_index(text, index):
    with CaptureQueriesContext(connection) as queries:
        find(text)
    assert index in "\n".join(plan_of(query["sql"]) for query in queries.captured_queries)


class AnyTextTest(TestCase):
    @given(st.text(max_size=250))
    @settings(max_examples=60, deadline=None)
    def test_any_text_is_answered(self, text):
        assert isinstance(find(text), Found)
        assert isinstance(possible_kinds(text), list)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T100001\nT100002", ["T100001", "T100002"]),
        ("T100001, T100002；T100003、T100001", ["T100001", "T100002", "T100003"]),
        ("#T100001\t#T100002", ["#T100001", "#T100002"]),
        ("#1001 订单-001", ["#1001", "订单-001"]),
        ("13912345678 +8613812345678", ["13912345678", "+8613812345678"]),
        ("Ｔ１００００１ T100002", ["T100001", "T100002"]),
        ("T100001", []),
        ("139 1234 5678", []),
        ("+86 138-1234-0987", []),
        ("李雷 T100001", []),
        ("little deer", []),
        ("T1001 T1002", ["T1001", "T1002"]),
        ("0571 88886666", []),
        ("", []),
    ],
)
def test_a_list_is_told_from_a_single_key(text, expected):
    assert numbers_in(text) == expected


def test_a_list_is_looked_up_with_one_query(django_assert_num_queries):
    shop = make_shop()
    orders = [make_order(shop, external_no=f"T10000{number}") for number in range(3)]
    make_parcel(orders[0], "SF1234567890123")
    with django_assert_num_queries(1):
        found = find_many(["T100001", "T100002", "SF1234567890123", "T100001", "T100009"])
    assert found == FoundMany([order.pk for order in (orders[2], orders[1], orders[0])], ["T100009"])


def test_a_list_finds_phones_and_numbers_as_their_shop_writes_them(django_assert_num_queries):
    shop = make_shop()
    phones = [make_order(shop, phone=phone).pk for phone in ("13912345678", "13912345678", "0571-88886666")]
    named = [make_order(shop, external_no=number, phone="13700001111").pk for number in ("#1001", "订单-001", "T1002")]
    wanted = ["+8613912345678", "0571-88886666", "#1001", "订单-001", "#T1002", "13800000000"]
    with django_assert_num_queries(1):
        found = find_many(wanted)
    assert found == FoundMany([*named[::-1], *phones[::-1]], ["13800000000"])


def test_a_list_has_an_end():
    order = make_order(external_no="T100200")
    found = find_many([f"T{100000 + number}" for number in range(203)])
    assert (found.order_ids, len(found.unknown), found.left_out) == ([], 200, 3)
    assert find_many(["T100200"]).order_ids == [order.pk]


def test_a_list_shows_so_many_orders_at_most(monkeypatch):
    monkeypatch.setattr("orderhub.selectors.search.MANY_ORDERS", 2)
    shop = make_shop()
    orders = [make_order(shop, phone="13912345678").pk for _ in range(3)]
    assert find_many(["13912345678"]) == FoundMany([orders[2], orders[1]], [], more=True)
