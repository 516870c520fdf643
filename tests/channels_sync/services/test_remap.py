import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_sync.bundles import TOLD, Part
from channels_sync.models import Listing
from channels_sync.services import mapping, remap
from channels_sync.services.remap import OpenOrdersOnly
from orderhub import remapping
from orderhub.core.told import ignored_lines
from orderhub.models import Order, OrderLine, Sku, TimelineEntry
from orderhub.pipeline import take_batch
from tests.channels_sync.services.test_listings import ITEM, available, lines_of, make_listing, stocked
from tests.drafts import deliver, draft, later, line
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]


@pytest.fixture
def shop():
    return make_shop("tb", platform="taobao")


def change(listing, *parts):
    Sku.objects.bulk_create([Sku(code=sku) for sku, _count in parts], ignore_conflicts=True)
    return mapping.set_parts(listing_id=listing.pk, parts=[Part(*part) for part in parts], actor="ada")


def follow(*listings, most=10**6):
    return remapping.remap([listing.pk for listing in listings], "ada", most)


def test_waiting_orders_follow_and_their_stock_with_them(shop):
    stocked(SERUM=10, MASK=10)
    deliver(shop, draft("T1", lines=[line(**ITEM)]), draft("T2", lines=[line(**ITEM, quantity=2)]))
    listing = Listing.objects.get()
    change(listing, ("SERUM", 1), ("MASK", 2))
    assert follow(listing) == (2, 0)
    assert lines_of("T2") == [("1.1", "SERUM", 2, 4300, 4300), ("1.2", "MASK", 4, 4300, 8600)]
    assert (available("SERUM"), available("MASK")) == (7, 4)
    change(listing, ("MASK", 1))
    assert follow(listing) == (2, 0)
    assert lines_of("T2") == [("1", "MASK", 2, 12900, 12900)]
    assert (available("SERUM"), available("MASK")) == (10, 7)


def test_open_orders_give_back_what_they_hold_of_an_item_that_is_put_aside(shop):
    stocked(SERUM=10)
    deliver(shop, draft(lines=[line(**ITEM)]))
    listing = Listing.objects.get()
    change(listing, ("SERUM", 1))
    follow(listing)
    assert available("SERUM") == 9
    mapping.ignore(listing_ids=[listing.pk], actor="ada")
    assert (follow(listing), follow(listing)) == ((1, 0), (0, 0))
    assert (available("SERUM"), ignored_lines(Order.objects.get().extra)) == (10, {"1"})


def test_to_and_fro_gives_the_first_lines_again(shop):
    row = draft(lines=[line(**ITEM), line(line_no="2", sku="PLAIN")])
    deliver(shop, row)
    listing = Listing.objects.get()
    before = lines_of()
    change(listing, ("SERUM", 3))
    follow(listing)
    assert lines_of() != before
    mapping.reopen(listing_ids=[listing.pk], actor="ada")
    assert follow(listing) == (1, 0)
    assert lines_of() == before


def test_a_repeat_after_the_change_is_unchanged(shop):
    row = draft(lines=[line(**ITEM)])
    deliver(shop, row)
    listing = Listing.objects.get()
    change(listing, ("SERUM", 3))
    follow(listing)
    after = lines_of()
    assert deliver(shop, row).counts()["unchanged"] == 1
    assert lines_of() == after
    assert deliver(shop, {**row, "modified_at": later(9), "seller_remark": "x"}).counts()["changed"] == 1
    assert lines_of() == after


def test_the_second_time_nothing_is_left_to_do(shop):
    deliver(shop, draft(lines=[line(**ITEM)]))
    listing = Listing.objects.get()
    change(listing, ("SERUM", 3))
    assert (follow(listing), follow(listing)) == ((1, 0), (0, 0))
    assert TimelineEntry.objects.filter(kind="change").count() == 1


@pytest.mark.parametrize("status", ["wms_queued", "picking", "in_transit", "cancelled", "completed"])
def test_an_order_that_left_keeps_its_lines(shop, status):
    deliver(shop, draft(lines=[line(**ITEM)]))
    Order.objects.update(status=status)
    listing = Listing.objects.get()
    before = lines_of()
    change(listing, ("SERUM", 3))
    assert follow(listing) == (0, 0)
    assert lines_of() == before


def meanwhile(monkeypatch, happens):
    """Let something happen right before the orders are taken up."""

    def late(*args):
        happens()
        return take_batch(*args)

    monkeypatch.setattr(remapping, "take_batch", late)


def test_an_order_that_leaves_meanwhile_keeps_its_lines(shop, monkeypatch):
    deliver(shop, draft(lines=[line(**ITEM)]))
    listing = Listing.objects.get()
    change(listing, ("SERUM", 3))
    before = lines_of()
    meanwhile(monkeypatch, lambda: Order.objects.update(status="wms_queued"))
    assert (follow(listing), lines_of()) == ((0, 0), before)


@pytest.mark.parametrize("minute", [0, 9])
def test_what_the_channel_says_meanwhile_is_not_overwritten(shop, monkeypatch, minute):
    row = draft(lines=[line(**ITEM)])
    deliver(shop, row)
    listing = Listing.objects.get()
    change(listing, ("MASK", 2))
    follow(listing)
    change(listing, ("SERUM", 3))
    newer = {**row, "modified_at": later(minute), "buyer_remark": "newer"}
    newer["lines"] = [line(**ITEM), line(line_no="2", sku="PLAIN")]
    meanwhile(monkeypatch, lambda: deliver(shop, newer))
    follow(listing)
    assert (Order.objects.get().buyer_remark, [found[1] for found in lines_of()]) == ("newer", ["SERUM", "PLAIN"])


def test_the_raw_delivery_of_an_order_stays_known(shop):
    deliver(shop, draft(lines=[line(**ITEM)]))
    inbox_id = Order.objects.get().inbox_id
    listing = Listing.objects.get()
    change(listing, ("SERUM", 3))
    follow(listing)
    assert inbox_id is not None
    assert Order.objects.get().inbox_id == inbox_id


def test_other_items_and_other_shops_are_left_alone(shop):
    other = make_shop("jd")
    deliver(shop, draft("T1", lines=[line(**ITEM)]), draft("T2", lines=[line(item_id="99", sku="SET-1")]))
    deliver(other, draft("T3", lines=[line(**ITEM)]))
    listing = Listing.objects.get(shop=shop, item_id="11")
    change(listing, ("SERUM", 3))
    assert follow(listing) == (1, 0)
    assert [lines_of(number)[0][1] for number in ("T1", "T2", "T3")] == ["SERUM", "SET-1", "SET-1"]


def test_a_code_without_ids_reaches_lines_told_by_it(shop):
    deliver(shop, draft("T1", lines=[line(sku="SET-1")]), draft("T2", lines=[line(**ITEM)]))
    code = make_listing(shop, item_id="", sku_id="")
    change(code, ("SERUM", 3))
    assert remapping.remap_changed() == 2
    assert lines_of("T1") == lines_of("T2") == [("1.1", "SERUM", 3, 4300, 12900)]
    change(code, ("MASK", 1))
    assert remapping.remap_changed() == 2
    assert lines_of("T1") == lines_of("T2") == [("1", "MASK", 1, 12900, 12900)]


def test_more_than_asked_for_is_left_to_the_job(shop):
    deliver(shop, *(draft(f"T{n}", lines=[line(**ITEM)]) for n in range(3)))
    listing = Listing.objects.get()
    change(listing, ("SERUM", 3))
    assert follow(listing, most=2) == (2, 1)
    assert remapping.remap_changed() == 1
    assert set(OrderLine.objects.values_list("sku", flat=True)) == {"SERUM"}


def test_an_item_is_settled_only_once_no_delivery_can_be_on_its_way(shop):
    listing = make_listing(shop)
    change(listing, ("SERUM", 3))
    remapping.remap_changed()
    assert remap.due()[0] == [listing.pk]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE channels_sync_listing SET remap_until = now() - interval '1 second'")
    remapping.remap_changed()
    assert remap.due() == ([], None)


@pytest.mark.parametrize("orders", [2, 20])
def test_orders_are_mapped_again_set_wise(shop, orders):
    deliver(shop, *(draft(f"T{n}", lines=[line(**ITEM)]) for n in range(orders)))
    listing = Listing.objects.get()
    change(listing, ("SERUM", 3))
    with CaptureQueriesContext(connection) as queries:
        rows = OpenOrdersOnly(list(Order.objects.values_list("pk", flat=True)), shop).read()
    assert (len(rows), len(queries)) == (orders, 5)


def test_notes_of_the_channel_follow_too(shop):
    deliver(shop, draft(lines=[line(**ITEM)]))
    listing = Listing.objects.get()
    change(listing, ("SERUM", 3))
    follow(listing)
    assert Order.objects.get().extra[TOLD][0]["as"] == ["1.1"]
