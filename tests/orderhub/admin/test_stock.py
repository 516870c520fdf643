import re

import pytest

from orderhub.models import Sku, StockLevel, Warehouse

LEVELS = "/ops/orderhub/stocklevel/"
SKUS = "/ops/orderhub/sku/"


@pytest.mark.parametrize("rows", [1, 3])
def test_the_lists_need_a_fixed_number_of_queries(supervisor, rows, django_assert_num_queries):
    for number in range(rows):
        StockLevel.objects.create(sku=f"s{number}", warehouse="w", on_hand=1)
        Sku.objects.create(code=f"s{number}")
    supervisor.get(LEVELS)
    with django_assert_num_queries(7):
        assert supervisor.get(LEVELS).content.decode().count("<tr data-href") == rows
    with django_assert_num_queries(5):
        assert supervisor.get(SKUS).content.decode().count("<tr data-href") == rows


def test_warehouses_are_called_by_their_names(supervisor):
    Warehouse.objects.create(code="hz", name="杭州仓")
    StockLevel.objects.create(sku="a", warehouse="hz", on_hand=1)
    StockLevel.objects.create(sku="b", warehouse="old", on_hand=1)
    body = supervisor.get(LEVELS).content.decode()
    assert re.findall(r"(杭州仓|old|hz)</(?:td|option)>", body) == ["杭州仓", "old", "杭州仓", "old"]
    assert [row.sku for row in supervisor.get(f"{LEVELS}?warehouse=hz").context["cl"].result_list] == ["a"]


def test_oversold_and_sold_out_are_told_apart(supervisor):
    for sku, on_hand, reserved in (("good", 5, 1), ("out", 5, 5), ("over", 5, 8)):
        StockLevel.objects.create(sku=sku, warehouse="w", on_hand=on_hand, reserved=reserved)

    def shown(view):
        return [row.sku for row in supervisor.get(f"{LEVELS}?view={view}").context["cl"].result_list]

    assert shown("all") == ["good", "out", "over"]
    assert shown("out") == ["out", "over"]
    assert shown("oversold") == ["over"]


@pytest.mark.parametrize(("typed", "fen"), [("129", 12900), ("129.50", 12950), ("¥1,290.00", 129000), ("", None)])
def test_prices_are_typed_in_yuan_and_kept_in_fen(supervisor, typed, fen):
    sku = Sku.objects.create(code="s", list_price_fen=1)
    supervisor.post(f"{SKUS}{sku.pk}/change/", {"title": "t", "list_price_fen": typed, "floor_price_fen": ""})
    sku.refresh_from_db()
    assert sku.list_price_fen == fen


@pytest.mark.parametrize("typed", ["12.345", "abc", "-1", "1e99", "200000000"])
def test_what_is_no_price_is_refused_beside_the_field(supervisor, typed):
    sku = Sku.objects.create(code="s", list_price_fen=1)
    response = supervisor.post(
        f"{SKUS}{sku.pk}/change/", {"title": "t", "list_price_fen": typed, "floor_price_fen": ""}
    )
    assert list(response.context["adminform"].form.errors) == ["list_price_fen"]
    sku.refresh_from_db()
    assert sku.list_price_fen == 1


def test_a_stored_price_is_shown_in_yuan(supervisor):
    sku = Sku.objects.create(code="s", list_price_fen=12950)
    assert 'value="129.50"' in supervisor.get(f"{SKUS}{sku.pk}/change/").content.decode()
