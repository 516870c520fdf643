"""What a listing should show."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from channels_sync.models import Listing, ListingPart
from channels_sync.selectors.offers import SPACING_SECONDS, differing, left_on_sale, offers, shop_offers, terms_of
from orderhub.models import Effect, ParkedLine, ParkedOrder, StockLevel, Warehouse
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


def listing(shop, parts, **values):
    number = Listing.objects.count() + 1
    row = Listing.objects.create(**{"shop": shop, "item_id": str(number), "state": "matched", **values})
    ListingPart.objects.bulk_create(ListingPart(listing=row, sku=sku, quantity=n) for sku, n in parts.items())
    return row


def stock(sku, on_hand, reserved=0, warehouse="WH01"):
    StockLevel.objects.create(sku=sku, warehouse=warehouse, on_hand=on_hand, reserved=reserved)


def shows(row):
    return offers([row.pk])[row.pk].should_show


@pytest.fixture
def shop():
    return make_shop("tb", platform="taobao")


def with_settings(shop, **values):
    shop.settings = values
    shop.save()


def test_a_plain_listing_shows_what_can_be_promised(shop):
    stock("A", 10, reserved=3)
    assert shows(listing(shop, {"A": 1})) == 7


def test_a_bundle_shows_its_scarcest_part(shop):
    stock("A", 10)
    stock("B", 9)
    assert shows(listing(shop, {"A": 1, "B": 2})) == 4
    assert shows(listing(shop, {"A": 3})) == 3


def test_oversold_shows_nothing(shop):
    stock("A", 3, reserved=5)
    assert shows(listing(shop, {"A": 1})) == 0


def test_an_oversold_warehouse_takes_nothing_from_another(shop):
    stock("A", 3, reserved=5)
    stock("A", 8, warehouse="WH02")
    assert shows(listing(shop, {"A": 1})) == 8


def test_buffer_then_share_then_pieces(shop):
    with_settings(shop, stock_buffer=10, stock_share=50)
    stock("A", 45)
    assert shows(listing(shop, {"A": 1})) == 17
    assert shows(listing(shop, {"A": 4})) == 4
    assert shows(listing(shop, {"A": 1}, share_percent=100)) == 35
    assert shows(listing(shop, {"A": 1}, share_percent=0)) == 0
    with_settings(shop, stock_buffer=50)
    assert shows(listing(shop, {"A": 1})) == 0


def test_channels_share_one_sku_each_by_its_own_terms(shop):
    other = make_shop("jd", platform="jd", settings={"stock_share": 60})
    with_settings(shop, stock_share=70)
    stock("A", 100)
    assert [shows(listing(one, {"A": 1})) for one in (shop, other)] == [70, 60]


def test_a_sku_that_nobody_counts_shows_nothing_at_all(shop):
    stock("A", 10)
    found = listing(shop, {"A": 1, "UNCOUNTED": 1})
    assert shows(found) is None
    assert not offers([found.pk])[found.pk].differs


def test_only_the_shops_warehouses_count(shop):
    shop.warehouse = Warehouse.objects.create(code="WH02", name="二仓")
    shop.save()
    stock("A", 10)
    row = listing(shop, {"A": 1})
    assert shows(row) == 0
    stock("A", 4, warehouse="WH02")
    assert shows(row) == 4
    with_settings(shop, stock_warehouses=["WH01", "WH02"])
    assert shows(row) == 14


def parked(shop, sku, quantity):
    order, _made = ParkedOrder.objects.get_or_create(
        shop=shop, external_no="T1", defaults={"modified_at": shop.created_at, "ship_by": shop.created_at}
    )
    ParkedLine.objects.create(shop=shop, parked=order, sku=sku, quantity=quantity)


def test_what_waits_before_the_gate_is_sold_on_every_channel(shop):
    other = make_shop("jd", platform="jd")
    stock("A", 50, reserved=8)
    stock("B", 9)
    parked(shop, "A", 30)
    parked(shop, "B", 10)
    assert [shows(listing(one, {"A": 1})) for one in (shop, other)] == [12, 12]
    assert shows(listing(other, {"A": 5})) == 2
    assert shows(listing(other, {"A": 1, "B": 1})) == 0
    with_settings(shop, stock_buffer=2, stock_share=50)
    assert shows(listing(shop, {"A": 1})) == 5


def test_what_waits_is_taken_from_its_own_warehouse_first(shop):
    north, south = (Warehouse.objects.create(code=code, name=code) for code in ("WH01", "WH02"))
    other = make_shop("jd", platform="jd", warehouse=south)
    whole = make_shop("dy", platform="douyin")
    shop.warehouse = north
    shop.save()
    stock("A", 10)
    stock("A", 8, warehouse="WH02")
    stock("B", 8, warehouse="WH02")
    parked(shop, "A", 7)
    parked(shop, "B", 3)
    assert [shows(listing(one, {"A": 1})) for one in (shop, other, whole)] == [3, 8, 11]
    ParkedLine.objects.filter(sku="A").update(quantity=12)
    assert [shows(listing(one, {"A": 1})) for one in (shop, other, whole)] == [0, 6, 6]
    assert [shows(listing(one, {"B": 1})) for one in (shop, other, whole)] == [0, 5, 5]


def test_what_waits_is_taken_where_its_shop_sells_not_where_it_sends(shop):
    north, south = (Warehouse.objects.create(code=code, name=code) for code in ("WH01", "WH02"))
    others = [make_shop("jd", platform="jd", warehouse=north), make_shop("dy", platform="douyin", warehouse=south)]
    whole = make_shop("wx", platform="wechat", settings={"stock_warehouses": ["WH01", "WH02"]})
    shop.warehouse = north
    with_settings(shop, stock_warehouses=["WH02"])
    stock("A", 10)
    stock("A", 8, warehouse="WH02")
    stock("B", 9)
    parked(shop, "A", 5)
    parked(shop, "B", 4)
    assert [shows(listing(one, {"A": 1})) for one in (shop, *others, whole)] == [3, 10, 3, 13]
    assert [shows(listing(one, {"B": 1})) for one in (*others, whole)] == [5, 0, 5]


def test_shops_that_sell_out_of_one_warehouse_wait_for_its_pieces_together(shop):
    stock("A", 10)
    stock("A", 8, warehouse="WH02")
    with_settings(shop, stock_warehouses=["WH02"])
    parked(shop, "A", 5)
    parked(make_shop("jd", platform="jd", settings={"stock_warehouses": ["WH03", "WH02"]}), "A", 7)
    north = make_shop("dy", platform="douyin", settings={"stock_warehouses": ["WH01"]})
    assert shows(listing(north, {"A": 1})) == 6


@pytest.mark.parametrize(
    "values", [{"state": "unmatched"}, {"state": "ignored"}, {"item_id": "", "sku_id": "", "outer_id": "A"}]
)
def test_what_is_no_matched_item_of_the_channel_is_not_told(shop, values):
    stock("A", 10)
    assert shows(listing(shop, {"A": 1}, **values)) is None


def test_of_one_item_with_two_codes_the_one_last_seen_is_told(shop):
    stock("A", 10)
    stock("B", 20)
    other = make_shop("tb2", platform="taobao")
    first = listing(shop, {"A": 1}, item_id="7", sku_id="8", outer_id="A", shown=4, stock_error="no such item")
    assert shows(first) == 10
    second = listing(shop, {"B": 1}, item_id="7", sku_id="8", outer_id="B", last_seen_at=first.last_seen_at)
    for near in ({"sku_id": "9"}, {"item_id": "6"}, {"shop": other}):
        listing(**{"shop": shop, "parts": {"A": 1}, "item_id": "7", "sku_id": "8", "outer_id": "C", **near})
    assert [shows(row) for row in (first, second)] == [None, 20]
    found = offers([first.pk, second.pk])
    assert [found[row.pk].is_superseded for row in (first, second)] == [True, False]
    assert (shop_offers([shop.pk])[shop.pk].listings, shop_offers([shop.pk])[shop.pk].failing) == (3, 0)
    Listing.objects.filter(pk=first.pk).update(last_seen_at=first.last_seen_at + timedelta(seconds=1))
    assert [shows(row) for row in (first, second)] == [10, None]


def test_nothing_is_told_while_nobody_knows_the_newer_code(shop):
    stock("A", 10)
    first = listing(shop, {"A": 1}, item_id="7", outer_id="A")
    listing(shop, {}, item_id="7", outer_id="B", state="unmatched")
    assert shows(first) is None


def test_codes_without_ids_do_not_supersede_each_other(shop):
    rows = [listing(shop, {"A": 1}, item_id="", outer_id=code) for code in ("A", "B")]
    assert not any(offer.is_superseded for offer in offers([row.pk for row in rows]).values())


def test_a_shop_that_is_not_told_should_show_nothing(shop):
    stock("A", 10)
    row = listing(shop, {"A": 1})
    for values in ({"is_active": False}, {"settings": {"stock_writes": 0}}, {"settings": {"stock_writes": False}}):
        type(shop).objects.filter(pk=shop.pk).update(**values)
        assert shows(row) is None
        assert shop_offers([shop.pk]) == {}
        shop.save()
    assert shows(row) == 10


@pytest.mark.parametrize("bad", ["80", True, 101, -1, 2.5, None, [1]])
def test_terms_that_make_no_sense_count_as_not_set(shop, bad):
    with_settings(shop, stock_share=bad, stock_buffer="x", stock_seconds=-1, stock_warehouses="WH01")
    terms = terms_of(shop)
    assert (terms.share, terms.buffer, terms.spacing, terms.houses) == (100, 0, SPACING_SECONDS, None)


def test_the_shop_in_figures(shop):
    stock("A", 10)
    listing(shop, {"A": 1}, shown=10)
    waiting = [listing(shop, {"A": 1}, shown=9).pk, listing(shop, {"A": 1}, shown=10, asked=8).pk]
    listing(shop, {"A": 1}, shown=10, stock_error="no such item")
    listing(shop, {"B": 1}, shown=3)
    assert shop_offers([shop.pk])[shop.pk].state == ""
    Effect.objects.create(
        shop=shop, kind="stock", key="stock", state="pending", due_at=shop.created_at, created_at=shop.created_at,
        last_error="throttled",
    )  # fmt: skip
    found = shop_offers([shop.pk])[shop.pk]
    assert (found.listings, found.differing, found.failing) == (5, 2, 1)
    assert sorted(differing()) == waiting
    assert (found.state, found.error, found.due_at) == ("pending", "throttled", shop.created_at)


def test_items_that_are_told_no_longer_stay_on_sale(shop):
    silent = make_shop("silent", platform="taobao", settings={"stock_writes": 0})
    aside = {"state": "ignored", "outer_id": "A"}
    told = [listing(shop, {}, **aside, shown=5), listing(shop, {}, **aside, shown=5, asked=7)]
    others = [
        listing(shop, {"A": 1}, shown=5), listing(shop, {}, **aside, shown=0), listing(shop, {}, **aside),
        listing(shop, {}, **aside, shown=5, item_id=""), listing(silent, {}, **aside, shown=5),
        listing(shop, {}, **aside, shown=5, item_id="7"),
    ]  # fmt: skip
    listing(shop, {}, state="unmatched", item_id="7", outer_id="B")
    assert [(row.pk, pieces) for row, pieces in left_on_sale([row.pk for row in told + others])] == [
        (told[0].pk, 5), (told[1].pk, 7),
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [1, 3])
def test_the_number_of_queries_does_not_grow(shop, rows, django_assert_num_queries):
    stock("A", 10)
    ids = [listing(shop, {"A": 1}).pk for _ in range(rows)]
    with django_assert_num_queries(2):
        assert len(offers(ids)) == rows
    with django_assert_num_queries(3):
        shop_offers([shop.pk])


class TestFigures(TestCase):
    @given(
        levels=st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)), min_size=1, max_size=3),
        quantity=st.integers(1, 1000),
        share=st.integers(0, 100),
        buffer=st.integers(0, 1_000_000),
    )
    def test_the_formula(self, levels, quantity, share, buffer):
        shop = make_shop(platform="taobao", settings={"stock_share": share, "stock_buffer": buffer})
        sku = f"S-{shop.pk}"
        for number, (on_hand, reserved) in enumerate(levels):
            stock(sku, on_hand, reserved, warehouse=f"W{number}")
        free = sum(max(on_hand - reserved, 0) for on_hand, reserved in levels)
        expected = min(max(free - buffer, 0) * share // 100 // quantity, 2**31 - 1)
        assert shows(listing(shop, {sku: quantity})) == expected
