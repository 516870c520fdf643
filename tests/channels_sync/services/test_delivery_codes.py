import pytest

from channels_sync.services.delivery_codes import DeliveryOrder, delivery_order_code, find_orders
from orderhub.models import Warehouse
from tests.factories import make_order, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def house():
    return Warehouse.objects.create(code="WH01", name="仓")


def found(house, *codes):
    answer = find_orders([(house, code) for code in codes])
    return {code: answer.get((house.pk, code)) for code in codes}


def test_an_order_has_one_code_until_it_is_given_back():
    assert [delivery_order_code("t-b", "T-1", count) for count in range(3)] == ["t-b-T-1", "t-b-T-1-R1", "t-b-T-1-R2"]


def test_old_codes_and_the_present_one_find_the_order_future_ones_do_not(house):
    order = make_order(make_shop("t-b", warehouse=house), external_no="T-1", given_back=1)
    assert found(house, "t-b-T-1", "t-b-T-1-R1", "t-b-T-1-R2", "t-b-T-1-R01") == {
        "t-b-T-1": DeliveryOrder(order.pk, 0), "t-b-T-1-R1": DeliveryOrder(order.pk, 1),
        "t-b-T-1-R2": None, "t-b-T-1-R01": None,
    }  # fmt: skip


def test_a_number_that_looks_like_a_repeat_is_found_while_it_has_one_meaning(house):
    shop = make_shop("tb", warehouse=house)
    order, other = make_order(shop, external_no="1-R1"), make_order(shop, external_no="1")
    assert found(house, "tb-1-R1") == {"tb-1-R1": DeliveryOrder(order.pk, 0)}
    other.given_back = 1
    other.save()
    assert found(house, "tb-1-R1") == {"tb-1-R1": None}


def test_the_number_of_queries_does_not_grow_with_the_codes(house, django_assert_num_queries):
    shop = make_shop("tb", warehouse=house)
    codes = [f"tb-{make_order(shop).external_no}" for _ in range(3)]
    with django_assert_num_queries(1):
        assert all(found(house, *codes).values())
