from datetime import datetime, timedelta
from threading import Barrier, Thread

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_sync.bundles import TOLD
from channels_sync.models import Listing, ListingPart
from channels_sync.readers import read
from channels_sync.selectors.offers import offers
from channels_sync.services import listings, mapping
from channels_sync.services.listings import map_drafts
from orderhub.core.draft import read_draft
from orderhub.core.told import ignored_lines
from orderhub.models import Order, OrderLine, Sku, StockLevel
from orderhub.services import stock
from tests.drafts import deliver, draft, later, line
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]

ITEM = {"item_id": "11", "sku_id": "12", "sku": "SET-1"}


@pytest.fixture
def shop():
    return make_shop("tb", platform="taobao")


def make_listing(shop, *parts, item_id="11", sku_id="12", outer_id="SET-1", **values):
    values = {"state": "matched" if parts else "unmatched", **values}
    listing = Listing.objects.create(shop=shop, item_id=item_id, sku_id=sku_id, outer_id=outer_id, **values)
    for sku, quantity in parts:
        ListingPart.objects.create(listing=listing, sku=sku, quantity=quantity)
    return listing


def lines_of(number="T1"):
    rows = OrderLine.objects.filter(order__external_no=number).order_by("pk")
    return [(row.line_no, row.sku, row.quantity, row.unit_price_fen, row.paid_fen) for row in rows]


def stocked(**levels):
    rows = [{"sku": sku, "warehouse": "W", "on_hand": count, "title": sku, "list_price_fen": None}
            for sku, count in levels.items()]  # fmt: skip
    stock.import_levels(rows=rows, actor="test")


def available(sku):
    level = StockLevel.objects.get(sku=sku)
    return level.on_hand - level.reserved


def test_an_item_is_replaced_by_its_own_sku(shop):
    make_listing(shop, ("OWN-1", 1))
    assert deliver(shop, draft(lines=[line(**ITEM)])).counts()["new"] == 1
    assert lines_of() == [("1", "OWN-1", 1, 12900, 12900)]


def test_parts_of_a_bundle_take_their_stock(shop):
    make_listing(shop, ("SERUM", 1), ("MASK", 5))
    stocked(SERUM=10, MASK=11)
    deliver(shop, draft(lines=[line(**ITEM, quantity=2, unit_price_fen=6000, paid_fen=11999)], total_fen=12000))
    assert lines_of() == [("1.1", "SERUM", 2, 1000, 1999), ("1.2", "MASK", 10, 1000, 10000)]
    assert (available("SERUM"), available("MASK")) == (8, 1)
    order = Order.objects.get()
    assert (order.total_fen, order.item_count) == (12000, 12)


def test_a_missing_part_makes_the_order_short(shop):
    make_listing(shop, ("SERUM", 1), ("MASK", 5))
    stocked(SERUM=10, MASK=4)
    deliver(shop, draft(lines=[line(**ITEM)]))
    assert OrderLine.objects.get(sku="MASK").short == 1
    assert Order.objects.get().status == "short"


def test_an_order_read_again_is_unchanged(shop):
    make_listing(shop, ("SERUM", 1), ("MASK", 5))
    row = draft(lines=[line(**ITEM)])
    deliver(shop, row)
    assert deliver(shop, row).counts()["unchanged"] == 1
    assert len(lines_of()) == 2


def test_an_unknown_item_is_noted_and_the_order_enters(shop):
    row = draft(lines=[line(**ITEM, title="礼盒", spec="红")])
    assert deliver(shop, row).counts()["new"] == 1
    listing = Listing.objects.get()
    assert (listing.item_id, listing.sku_id, listing.outer_id) == ("11", "12", "SET-1")
    assert (listing.title, listing.spec, listing.state, listing.suggestions) == ("礼盒", "红", "unmatched", [])
    assert lines_of() == [("1", "SET-1", 1, 12900, 12900)]
    assert Order.objects.get().extra[TOLD] == [{"line_no": "1", "item_id": "11", "sku_id": "12"}]


def test_a_code_that_is_an_own_sku_is_matched_by_itself(shop):
    stocked(**{"SET-1": 5})
    deliver(shop, draft(lines=[line(**ITEM)]))
    listing = Listing.objects.get()
    assert (listing.state, [(p.sku, p.quantity) for p in listing.parts.all()]) == ("matched", [("SET-1", 1)])
    assert available("SET-1") == 4


@pytest.mark.parametrize("code", ["12", "11"])
def test_a_platform_id_in_place_of_the_code_is_no_merchant_code(shop, code):
    deliver(shop, draft(lines=[line(item_id="11", sku_id="12", sku=code)]))
    assert Listing.objects.get().outer_id == ""


def test_a_code_that_stands_for_a_bundle_serves_every_item_with_it(shop):
    make_listing(shop, ("SERUM", 2), item_id="", sku_id="")
    deliver(shop, draft("T1", lines=[line(**ITEM)]), draft("T2", lines=[line(sku="SET-1")]))
    assert lines_of("T1") == lines_of("T2") == [("1.1", "SERUM", 2, 6450, 12900)]
    assert Listing.objects.get(item_id="11").state == "matched"


def test_lines_told_by_their_codes_alone_are_not_noted(shop):
    with CaptureQueriesContext(connection) as queries:
        (row,) = map_drafts(None, shop, rows_of(draft(lines=[line(), line(line_no="2", sku="OTHER")])))
    assert (len(queries), row.told, Listing.objects.count()) == (1, None, 0)


def notes_of_one(shop, *lines):
    (row,) = map_drafts(None, shop, rows_of(draft(lines=list(lines))))
    return row.draft.raw.get(TOLD)


def test_what_nobody_knows_is_marked_once_the_hub_knows_any_sku(shop):
    lines = (line(**ITEM), line(line_no="2", sku="OTHER"), line(line_no="3"))
    assert notes_of_one(shop, *lines) == [{"line_no": "1", "item_id": "11", "sku_id": "12"}]
    Sku.objects.create(code="SERUM-30")
    assert notes_of_one(shop, *lines) == [
        {"line_no": "1", "item_id": "11", "sku_id": "12", "unmatched": True},
        {"line_no": "2", "item_id": "", "sku_id": "", "unmatched": True},
    ]
    assert sorted(Listing.objects.values_list("item_id", "outer_id", "state")) == [
        ("", "OTHER", "unmatched"), ("11", "SET-1", "unmatched"),
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["unmatched", "ignored"])
def test_a_known_item_is_marked_while_nobody_said_what_it_is_and_when_it_needs_no_sku(shop, state):
    Sku.objects.create(code="SERUM-30")
    make_listing(shop, state=state)
    (note,) = notes_of_one(shop, line(**ITEM))
    assert note == {"line_no": "1", "item_id": "11", "sku_id": "12", state: True}


def test_an_item_put_back_among_the_unmatched_is_marked_though_its_code_is_an_own_sku(shop):
    Sku.objects.create(code="SET-1")
    make_listing(shop)
    assert "unmatched" not in notes_of_one(shop, line(**ITEM))[0]
    Listing.objects.update(mapped_at=timezone.now())
    assert notes_of_one(shop, line(**ITEM))[0]["unmatched"] is True


def test_codes_are_looked_up_once_however_many_they_are(shop):
    Sku.objects.bulk_create(Sku(code=f"S{n}") for n in range(30))
    rows = rows_of(*(draft(f"T{n}", lines=[line(sku=f"S{n}")]) for n in range(30)))
    with CaptureQueriesContext(connection) as queries:
        map_drafts(None, shop, rows)
    assert (len(queries), Listing.objects.count(), {row.told for row in rows}) == (1, 0, {None})


def test_the_note_of_a_bundle_names_it(shop):
    make_listing(shop, ("SERUM", 1), ("MASK", 5))
    (note,) = notes_of_one(shop, line(**ITEM))
    assert (note["article"], note["as"], note["unit_price_fen"]) == ("SET-1", ["1.1", "1.2"], 12900)


def test_an_ignored_item_keeps_what_the_channel_told(shop):
    make_listing(shop, ("OWN-1", 1), state="ignored")
    deliver(shop, draft(lines=[line(**ITEM)]))
    assert lines_of() == [("1", "SET-1", 1, 12900, 12900)]


def test_no_stock_is_reserved_for_an_ignored_item_also_when_it_is_put_aside_later(shop):
    stocked(**{"SET-1": 5, "SERUM-30": 5})
    listing = make_listing(shop, ("SET-1", 1))
    row = draft(lines=[line(), line(line_no="2", **ITEM)])
    deliver(shop, row)
    assert (available("SET-1"), available("SERUM-30")) == (4, 4)
    mapping.ignore(listing_ids=[listing.pk], actor="ada")
    deliver(shop, {**row, "modified_at": later(5)})
    assert (available("SET-1"), available("SERUM-30")) == (5, 4)


def test_an_item_that_was_ignored_stays_so_in_the_warehouse(shop):
    listing = make_listing(shop, state="ignored")
    row = draft(lines=[line(**ITEM)])
    deliver(shop, row)
    Order.objects.update(status="wms_accepted")
    change_parts(listing, ("SERUM", 2))
    deliver(shop, {**row, "modified_at": later(5), "seller_remark": "new"})
    assert ignored_lines(Order.objects.get().extra) == {"1"}
    assert lines_of() == [("1", "SET-1", 1, 12900, 12900)]


def test_the_items_of_another_shop_do_not_count(shop):
    make_listing(make_shop("jd"), ("OWN-1", 1))
    deliver(shop, draft(lines=[line(**ITEM)]))
    assert lines_of()[0][1] == "SET-1"


def rows_of(*drafts):
    return read("draft", orjson.dumps(list(drafts)), "application/json")


@pytest.mark.parametrize("orders", [1, 30])
def test_a_delivery_asks_once_however_many_orders_it_has(shop, orders):
    make_listing(shop, ("SERUM", 1), ("MASK", 5))
    rows = rows_of(*(draft(f"T{n}", lines=[line(**ITEM), line(line_no="2", **ITEM)]) for n in range(orders)))
    with CaptureQueriesContext(connection) as queries:
        map_drafts(None, shop, rows)
    assert len(queries) == 1


def test_mapping_twice_is_mapping_once(shop):
    make_listing(shop, ("SERUM", 1), ("MASK", 5))
    rows = rows_of(draft(lines=[line(**ITEM)]))
    once = map_drafts(None, shop, rows)[0].draft
    assert map_drafts(None, shop, rows)[0].draft == once


def test_what_a_source_writes_in_our_place_is_not_believed(shop):
    row = draft(lines=[line()], raw={TOLD: [{"line_no": "1", "as": ["1"], "sku": "EVIL", "quantity": 9}]})
    deliver(shop, row)
    deliver(shop, {**row, "external_no": "T2", "lines": [line(sku="")]})
    assert list(Order.objects.values_list("extra", flat=True)) == [None] * 2


def test_rows_that_cannot_be_read_go_past(shop):
    rows = rows_of({"external_no": "T1"}, draft("T2", lines=[line(**ITEM)]))
    first, second = map_drafts(None, shop, rows)
    assert (first.draft, first.error.path) == (None, "status")
    assert second.draft.lines[0].sku == "SET-1"


def ordered(minutes):
    """The time of an order, some minutes after those of the drafts."""
    return datetime.fromisoformat("2026-11-11T00:00:07+08:00") + timedelta(minutes=minutes)


def order_of(number, minutes, code="SET-1", **changes):
    return draft(number, created_at=ordered(minutes).isoformat(), lines=[line(**{**ITEM, "sku": code}, **changes)])


def test_names_are_renewed_and_the_sight_is_noted_once_an_hour(shop):
    listing = make_listing(shop, ("OWN-1", 1), title="old", last_seen_at=ordered(0))
    deliver(shop, order_of("T1", 61, title="new"), order_of("T0", 30, title="between"))
    seen = Listing.objects.get(pk=listing.pk)
    assert (seen.title, seen.spec, seen.last_seen_at) == ("new", "", ordered(61))
    deliver(shop, order_of("T2", 120, title="newer"))
    deliver(shop, order_of("T3", 0, title="older"))
    again = Listing.objects.get(pk=listing.pk)
    assert (again.title, again.last_seen_at) == ("new", ordered(61))


def told_code(shop):
    """The merchant code whose stock the channel item is told."""
    rows = Listing.objects.filter(shop=shop)
    found = offers([row.pk for row in rows])
    return [(row.outer_id, found[row.pk].should_show) for row in rows if found[row.pk].should_show is not None]


def test_a_changed_code_counts_from_its_first_order(shop):
    stocked(A=10, B=20)
    deliver(shop, order_of("T1", 1, "A"))
    assert told_code(shop) == [("A", 9)]
    deliver(shop, order_of("T2", 2, "B"))
    assert told_code(shop) == [("B", 19)]
    deliver(shop, order_of("T3", 3, "A"))
    assert told_code(shop) == [("A", 8)]
    deliver(shop, order_of("T4", 4, "B"), order_of("T5", 5, "A"), order_of("T6", 6, "B"))
    assert told_code(shop) == [("B", 17)]


def test_news_of_an_older_order_does_not_bring_its_code_back(shop):
    stocked(A=10, B=20)
    deliver(shop, order_of("T1", 1, "A"), order_of("T2", 2, "B"))
    deliver(shop, {**order_of("T1", 1, "A"), "modified_at": later(9), "seller_remark": "new"})
    deliver(shop, order_of("T0", 0, "C"))
    assert told_code(shop) == [("B", 19)]
    assert lines_of("T1")[0][1] == "A"


def test_a_code_that_comes_back_is_told_whatever_it_was_told_before(shop):
    stocked(A=10, B=20)
    deliver(shop, order_of("T1", 1, "A"), order_of("T2", 2, "B"))
    Listing.objects.update(shown=8, shown_at=timezone.now())
    deliver(shop, order_of("T3", 3, "A"))
    assert dict(Listing.objects.values_list("outer_id", "shown")) == {"A": None, "B": 8}


def test_an_order_dated_ahead_is_seen_now(shop):
    deliver(shop, draft(created_at=(timezone.now() + timedelta(hours=1)).isoformat(), lines=[line(**ITEM)]))
    assert Listing.objects.get().last_seen_at <= timezone.now()


def change_parts(listing, *parts):
    """As a person does: the parts change now, after the orders of the tests."""
    listing.parts.all().delete()
    for sku, quantity in parts:
        ListingPart.objects.create(listing=listing, sku=sku, quantity=quantity)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_listing SET mapped_at = now(), state = 'matched' WHERE id = %s", [listing.pk]
        )


def test_an_order_in_the_warehouse_keeps_the_parts_it_left_with(shop):
    listing = make_listing(shop, ("SERUM", 1), ("MASK", 5))
    row = draft(lines=[line(**ITEM, quantity=2)])
    deliver(shop, row)
    before = lines_of()
    Order.objects.update(status="wms_accepted", warehouse_claim="wms_accepted")
    change_parts(listing, ("OTHER", 1))
    changed = {**row, "modified_at": later(5), "seller_remark": "new"}
    assert deliver(shop, changed).counts()["changed"] == 1
    assert lines_of() == before


def test_an_item_that_was_plain_keeps_its_sku_in_the_warehouse(shop):
    listing = make_listing(shop)
    row = draft(lines=[line(**ITEM)])
    deliver(shop, row)
    Order.objects.update(status="wms_accepted")
    change_parts(listing, ("SERUM", 2))
    deliver(shop, {**row, "modified_at": later(5), "seller_remark": "new"})
    assert lines_of() == [("1", "SET-1", 1, 12900, 12900)]


def test_an_order_that_waits_follows_the_new_parts(shop):
    listing = make_listing(shop)
    row = draft(lines=[line(**ITEM)])
    deliver(shop, row)
    change_parts(listing, ("SERUM", 2))
    deliver(shop, {**row, "modified_at": later(5), "seller_remark": "new"})
    assert lines_of() == [("1.1", "SERUM", 2, 6450, 12900)]


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_the_same_unknown_items_note_them_once():
    shop = make_shop("tb", platform="taobao")
    Sku.objects.create(code="S1")
    barrier = Barrier(2)
    errors = []

    def work(order):
        try:
            rows = rows_of(*(draft(f"T{n}", lines=[line(item_id=str(n), sku=f"S{n}")]) for n in order))
            barrier.wait(10)
            map_drafts(None, shop, rows)
        except Exception as error:  # noqa: BLE001  (told to the test)
            errors.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work, args=(order,)) for order in (range(50), range(49, -1, -1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert Listing.objects.count() == 50
    assert list(ListingPart.objects.values_list("sku", "listing__outer_id")) == [("S1", "S1")]


def test_a_line_of_a_draft_may_name_no_item_at_all(shop):
    deliver(shop, draft(lines=[line(sku="")]))
    assert (lines_of()[0][1], Listing.objects.count()) == ("", 0)


def test_settled_parts_win_over_new_ones():
    told = read_draft(draft(lines=[line(**ITEM)]))
    key = ("11", "12", "SET-1")
    new, old = (listings.Part("NEW", 2),), (listings.Part("OLD", 3),)
    assert listings.mapped(told, {key: new}, {"1": old}).lines[0].sku == "OLD"
