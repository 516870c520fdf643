from datetime import timedelta

import pytest

from orderhub.core.registry import UnknownKeyError
from orderhub.models import TimelineEntry
from orderhub.selectors.orders import OrderFilter, buyer_order_count, filtered, order_page, path_of, rows_by_id
from tests.factories import START, make_buyer, make_order, make_parcel, make_shop

pytestmark = pytest.mark.django_db


def entry(order, to, seconds, came_from="", source="channel"):
    return TimelineEntry.objects.create(
        order=order, shop=order.shop, at=START + timedelta(seconds=seconds), kind="status", source=source, actor="x",
        status_from=came_from, status_to=to,
    )  # fmt: skip


def test_rows_keep_the_order_asked_for_and_leave_foreign_ones_out():
    own, other = make_shop(), make_shop()
    first, second, foreign = make_order(own), make_order(own), make_order(other)
    asked = [second.pk, foreign.pk, first.pk, 999_999]
    assert [row["id"] for row in rows_by_id(asked)] == [second.pk, foreign.pk, first.pk]
    assert [row["id"] for row in rows_by_id(asked, [own.pk])] == [second.pk, first.pk]
    assert rows_by_id([first.pk], []) == []
    row = rows_by_id([first.pk])[0]
    assert (row["receiver_name"], row["receiver_phone"], row["shop_code"]) == ("李*", "139****5678", own.code)


def test_no_ids_ask_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert rows_by_id([]) == []


def test_a_filter_nobody_registered_is_an_error():
    with pytest.raises(UnknownKeyError):
        filtered(OrderFilter(extra={"nonsense": "x"}))


def test_no_shops_is_nothing_and_none_is_every_shop():
    make_order()
    assert filtered(OrderFilter(shop_ids=[])).count() == 0
    assert filtered(OrderFilter(shop_ids=None)).count() == 1


@pytest.mark.parametrize("size", [1, 3])
def test_a_page_takes_four_queries(size, django_assert_num_queries):
    order = make_order(lines=size)
    for step in range(size):
        make_parcel(order)
        entry(order, "paid", step)
    with django_assert_num_queries(4):
        page = order_page(order.pk)
        assert (len(page.lines), len(page.parcels), len(page.timeline)) == (size, size, size)
        assert page.receiver.name_masked == "李*"


def test_a_page_of_another_shop_is_not_there():
    order = make_order()
    assert order_page(order.pk, [order.shop_id + 1]) is None
    assert order_page(order.pk, [order.shop_id]).order == order


def test_the_path_is_what_was_walked_where_it_is_and_what_lies_ahead():
    order = make_order(status="packed")
    entries = [
        entry(order, "paid", 0), entry(order, "paid", 1), entry(order, "ready", 2, source="hub"),
        entry(order, "packed", 3, source="warehouse"),
    ]  # fmt: skip
    path = path_of(order, entries)
    assert [(step.status, step.state) for step in path] == [
        ("paid", "done"), ("ready", "done"), ("packed", "now"), ("in_transit", "ahead"), ("delivered", "ahead"),
    ]  # fmt: skip
    assert (path[2].source, path[2].at) == ("warehouse", START + timedelta(seconds=3))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("completed", [("completed", "now")]),
        ("refunding", [("refunding", "now")]),
        ("out_for_delivery", [("out_for_delivery", "now"), ("delivered", "ahead")]),
        ("unheard_of", [("unheard_of", "now")]),
    ],
)
def test_the_path_without_a_timeline(status, expected):
    order = make_order()
    order.status = status
    assert [(step.status, step.state) for step in path_of(order, [])] == expected


def test_a_buyer_s_orders_are_counted():
    shop = make_shop()
    buyer = make_buyer(shop)
    orders = [make_order(shop, buyer=buyer) for _ in range(3)]
    assert buyer_order_count(orders[0]) == 3
    assert buyer_order_count(make_order(shop)) == 1
