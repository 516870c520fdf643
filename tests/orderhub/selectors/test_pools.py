"""The warehouses that SQL finds for a shop must be those that allocation reserves in."""

import pytest
from django.db import connection

from orderhub.core.draft import LineDraft
from orderhub.models import StockLevel, Warehouse
from orderhub.selectors.pools import HOUSES, POOL
from orderhub.services.stock import read_shelf
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


def pool(shop, sku):
    """Return the warehouses that serve the SKU, and their free pieces."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {HOUSES} SELECT pool.* FROM (SELECT %s::bigint AS shop_id, %s::text AS sku) w {POOL}",
            [shop.pk, sku],
        )
        return cursor.fetchone()


@pytest.mark.parametrize(
    ("own", "settings", "houses"),
    [
        ("HZ", {}, ["HZ"]),
        ("HZ", {"stock_warehouses": ["SH", "BJ"]}, ["BJ", "SH"]),
        ("HZ", {"stock_warehouses": ["GZ", "SH"]}, ["SH"]),
        ("HZ", {"stock_warehouses": ["GZ"]}, ["BJ", "HZ", "SH"]),
        ("HZ", {"stock_warehouses": []}, ["HZ"]),
        ("HZ", {"stock_warehouses": "SH"}, ["HZ"]),
        ("HZ", {"stock_warehouses": {"SH": 1}}, ["HZ"]),
        ("HZ", {"stock_warehouses": ["SH", 1]}, ["HZ"]),
        ("HZ", {"stock_warehouses": ["SH", ["SH"]]}, ["HZ"]),
        ("HZ", {"stock_warehouses": None}, ["HZ"]),
        ("GZ", {}, ["BJ", "HZ", "SH"]),
        ("", {}, ["BJ", "HZ", "SH"]),
    ],
)
def test_a_pool_is_where_allocation_reserves(own, settings, houses):
    shop = make_shop(settings=settings, warehouse=Warehouse.objects.create(code=own) if own else None)
    free = {"SH": 4, "HZ": 2, "BJ": 1}
    for code, pieces in free.items():
        StockLevel.objects.create(sku="A", warehouse=code, on_hand=pieces + 1, reserved=1)
    with connection.cursor() as cursor:
        shelf = read_shelf(cursor, ["A"])
    taken = {shelf.serve(LineDraft(line_no="1", sku="A", quantity=4), "", shop.stock_warehouses).warehouse
             for _ in free}  # fmt: skip
    assert pool(shop, "A") == (houses, sum(free[code] for code in houses))
    assert taken == set(houses)


def test_an_oversold_warehouse_takes_nothing_from_another_and_what_nobody_counts_has_no_pool():
    shop = make_shop()
    StockLevel.objects.create(sku="A", warehouse="HZ", on_hand=1, reserved=5)
    StockLevel.objects.create(sku="A", warehouse="SH", on_hand=3)
    assert pool(shop, "A") == (["HZ", "SH"], 3)
    assert pool(shop, "B") == (None, None)
