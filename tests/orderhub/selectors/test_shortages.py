from datetime import timedelta

import pytest

from orderhub.models import OrderLine, StockLevel, Warehouse
from orderhub.selectors.shortages import orders_to_restock
from tests.factories import START, make_order, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_shop()


def short(shop, hours, *gaps, status="short"):
    """Make an order to be shipped within `hours` that lacks `gaps`: SKU, missing pieces, and what it got from where."""
    order = make_order(shop, status=status, lines=0, ship_by=hours and START + timedelta(hours=hours))
    for number, (sku, missing, *had) in enumerate(gaps):
        got, house = had or (0, "HZ")
        OrderLine.objects.create(shop=shop, order=order, line_no=str(number), sku=sku, quantity=missing + got,
                                 short=missing, reserved=got, warehouse=house)  # fmt: skip
    return order.pk


def sends_from(code, **values):
    return make_shop(warehouse=Warehouse.objects.get_or_create(code=code)[0], **values)


def free(sku, pieces, warehouse="HZ", reserved=0):
    StockLevel.objects.create(sku=sku, warehouse=warehouse, on_hand=pieces + reserved, reserved=reserved)


def test_the_order_that_would_be_late_first_comes_first(shop, django_assert_num_queries):
    never, last, first = short(shop, None, ("A", 1)), short(shop, 9, ("A", 1)), short(shop, 3, ("A", 2))
    short(shop, 1, ("A", 1), status="ready")
    free("A", 4)
    with django_assert_num_queries(1):
        assert orders_to_restock() == [first, last, never]
    assert orders_to_restock(limit=2) == [first, last]


@pytest.mark.parametrize(
    ("status", "counts"),
    [("wms_queued", True), ("wms_failed", True), ("packed", True), ("in_transit", False), ("in_triage_hold", False),
     ("refunding", False), ("cancelled", False)],
)  # fmt: skip
def test_whatever_the_warehouse_sends_needs_its_pieces(shop, status, counts):
    order = short(shop, 1, ("A", 1), status=status)
    free("A", 1)
    assert orders_to_restock() == ([order] if counts else [])


def test_pieces_are_not_offered_to_more_orders_than_they_serve(shop):
    first, second = short(shop, 1, ("A", 3)), short(make_shop(), 2, ("A", 1))
    short(shop, 3, ("A", 1))
    free("A", 4)
    assert orders_to_restock() == [first, second]
    StockLevel.objects.update(on_hand=2)
    assert orders_to_restock() == [first]


def test_an_order_waits_until_every_article_is_there_and_blocks_nobody(shop):
    both, other = short(shop, 1, ("A", 1), ("B", 1)), short(shop, 2, ("A", 1))
    free("A", 1)
    free("B", 0, reserved=2)
    assert orders_to_restock() == [other]
    StockLevel.objects.filter(sku="B").update(reserved=1)
    assert orders_to_restock() == [both]


@pytest.mark.parametrize(("pieces", "helps"), [(2, False), (3, True)])
def test_another_warehouse_helps_only_with_more_than_the_line_has(shop, pieces, helps):
    order = short(shop, 1, ("A", 3, 2, "HZ"))
    free("A", 0, reserved=2)
    free("A", pieces, warehouse="SH")
    assert orders_to_restock() == ([order] if helps else [])


@pytest.mark.parametrize(("status", "house", "helps"),
                         [("wms_failed", "HZ", True), ("wms_accepted", "HZ", False), ("wms_accepted", "SH", True),
                          ("wms_accepted", "", True)])  # fmt: skip
def test_what_a_warehouse_has_is_helped_by_its_own_pieces_only(shop, status, house, helps):
    order = short(shop, 1, ("A", 3, 0, house), status=status)
    free("A", 0)
    free("A", 3, warehouse="SH")
    assert orders_to_restock() == ([order] if helps else [])


def test_two_lines_of_one_article_stand_in_its_queue_as_one(shop):
    order = short(shop, 1, ("A", 2), ("A", 2))
    free("A", 3)
    assert orders_to_restock() == [order]


def test_pieces_that_the_shop_does_not_sell_bring_no_order_back(django_assert_num_queries):
    order = short(sends_from("HZ"), 1, ("A", 3, 2, "HZ"))
    free("A", 0, reserved=2)
    free("A", 50, warehouse="SH")
    with django_assert_num_queries(1):
        assert orders_to_restock() == []
    StockLevel.objects.filter(warehouse="HZ").update(on_hand=3)
    assert orders_to_restock() == [order]


def test_where_none_of_the_shops_warehouses_counts_the_article_any_may_help():
    order = short(sends_from("HZ", settings={"stock_warehouses": ["BJ"]}), 1, ("A", 3))
    free("A", 50, warehouse="SH")
    assert orders_to_restock() == [order]


def test_shops_that_sell_out_of_different_warehouses_do_not_wait_for_each_other():
    first, second, other = short(sends_from("HZ"), 1, ("A", 9)), short(sends_from("HZ"), 2, ("A", 1)), sends_from("SH")
    third, _fourth = short(other, 3, ("A", 2)), short(other, 4, ("A", 1))
    free("A", 9)
    free("A", 2, warehouse="SH")
    assert orders_to_restock() == [first, third]
    StockLevel.objects.filter(warehouse="HZ").update(on_hand=10)
    assert orders_to_restock() == [first, second, third]
