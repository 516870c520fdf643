from datetime import timedelta

import pytest

from orderhub.console import paging
from orderhub.console.paging import Keyset, capped_count, count_or_guess, count_text
from orderhub.models import Order, Sku
from tests.factories import START, make_order, make_shop

KEYSET = Keyset(("created_at", "id"))


def walk(keyset: Keyset, size: int, *, backwards: bool, start: Order) -> list[int]:
    """Read to one end from `start`, page by page, by cursor only."""
    seen, row = [], start
    while row:
        key = keyset.read(keyset.key_of(row), Order)
        rows = Order.objects.filter(keyset.beyond(key, backwards=backwards))
        page = list(rows.order_by(*keyset.ordering(backwards=backwards))[:size])
        seen += [order.pk for order in page]
        row = page[-1] if page else None
    return seen


@pytest.mark.django_db
@pytest.mark.parametrize("descending", [True, False])
def test_every_row_is_read_once_in_both_directions_though_times_are_equal(descending):
    shop = make_shop()
    ids = [make_order(shop, created_at=START + timedelta(seconds=number // 3)).pk for number in range(8)]
    keyset = Keyset(("created_at", "id"), descending)
    in_order = ids[::-1] if descending else ids
    first, last = Order.objects.get(pk=in_order[0]), Order.objects.get(pk=in_order[-1])
    assert walk(keyset, 3, backwards=False, start=first) == in_order[1:]
    assert walk(keyset, 3, backwards=True, start=last) == in_order[:-1][::-1]


@pytest.mark.parametrize("text", ["", "x", "bm8", "MjAyNnwx", "%00", "MjAyNi0xMS0xMVQwMDowMDowMHwx", "a" * 300])
def test_a_cursor_that_cannot_be_read_is_no_cursor(text):
    assert KEYSET.read(text, Order) is None


def test_no_cursor_is_no_cursor_for_a_key_of_one_text_either():
    assert Keyset(("code",)).read("", Sku) is None


@pytest.mark.django_db
def test_counting_stops_at_the_cap(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(paging, "COUNT_CAP", 2)
    shop = make_shop()
    for _ in range(4):
        make_order(shop)
    with django_assert_num_queries(1):
        assert capped_count(Order.objects.all()) == 3
    # What the planner expects of a table that was never analysed is its own affair.
    monkeypatch.setattr(paging, "expected_rows", lambda rows: 4)
    with django_assert_num_queries(1):
        assert count_or_guess(Order.objects.all()) == 3
    assert count_text(3) == "2+"
    assert count_text(2) == "2"


@pytest.mark.django_db
def test_where_far_more_rows_are_expected_nothing_is_counted(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(paging, "COUNT_CAP", 2)
    monkeypatch.setattr(paging, "expected_rows", lambda rows: 9)
    with django_assert_num_queries(0):
        assert count_or_guess(Order.objects.all()) == 3
