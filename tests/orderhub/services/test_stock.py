import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from orderhub.core.draft import LineDraft
from orderhub.core.errors import FieldError
from orderhub.models import Sku, StockChange, StockLevel
from orderhub.services import stock
from tests.factories import make_order

pytestmark = pytest.mark.django_db


def level(sku="A", on_hand=10, reserved=0, warehouse="HZ"):
    return StockLevel.objects.create(sku=sku, warehouse=warehouse, on_hand=on_hand, reserved=reserved)


def line(quantity, sku="A", refund="none"):
    return LineDraft(line_no="1", sku=sku, quantity=quantity, refund=refund)


def shelf_of(*skus):
    with connection.cursor() as cursor:
        return stock.read_shelf(cursor, skus)


def book(shelf):
    with transaction.atomic(), connection.cursor() as cursor:
        stock.book(cursor, shelf)


def test_the_last_pieces_go_once_and_the_rest_is_short():
    level(on_hand=3)
    shelf = shelf_of("A")
    assert shelf.serve(line(2), "") == stock.Allocation("HZ", 2, 0)
    assert shelf.serve(line(2), "") == stock.Allocation("HZ", 1, 1)
    book(shelf)
    assert StockLevel.objects.get().reserved == 3


def test_a_sku_that_nobody_counts_is_neither_reserved_nor_short():
    assert shelf_of("A").serve(line(5), "") == stock.NOTHING


def test_a_refunded_line_takes_nothing():
    level()
    assert shelf_of("A").serve(line(1, refund="done"), "") == stock.NOTHING


def test_the_preferred_warehouse_serves_when_it_can_else_the_fullest():
    level(on_hand=5, warehouse="HZ")
    level(on_hand=9, warehouse="GZ")
    shelf = shelf_of("A")
    assert shelf.serve(line(5), "HZ").warehouse == "HZ"
    assert shelf.serve(line(1), "HZ").warehouse == "GZ"


def test_one_warehouse_alone_serves_what_it_has():
    level(on_hand=1, warehouse="HZ")
    level(on_hand=9, warehouse="GZ")
    shelf = shelf_of("A")
    assert shelf.serve_from("HZ", line(5)) == stock.Allocation("HZ", 1, 4)
    assert shelf.serve_from("HZ", line(5, refund="agreed")) == stock.Allocation("HZ", 0, 0)
    assert shelf.serve_from("SH", line(5)) == stock.Allocation("SH", 0, 0)


def test_the_shops_own_warehouses_serve_alone_where_they_count_the_sku():
    level(on_hand=1, warehouse="HZ")
    level(on_hand=9, warehouse="GZ")
    assert shelf_of("A").serve(line(5), "HZ", ["HZ"]) == stock.Allocation("HZ", 1, 4)
    assert shelf_of("A").serve(line(5), "HZ", ["HZ", "GZ"]) == stock.Allocation("GZ", 5, 0)
    assert shelf_of("A").serve(line(5), "BJ", ["BJ"]) == stock.Allocation("GZ", 5, 0)


def test_what_another_batch_took_meanwhile_is_noticed_and_nothing_is_booked():
    level(sku="A", on_hand=1)
    level(sku="B", on_hand=9)
    shelf = shelf_of("A", "B")
    shelf.serve(line(1, "A"), "")
    shelf.serve(line(1, "B"), "")
    StockLevel.objects.filter(sku="A").update(reserved=1)
    with pytest.raises(stock.StockMovedError):
        book(shelf)
    assert list(StockLevel.objects.order_by("sku").values_list("reserved", flat=True)) == [1, 0]


def reserved_order():
    order = make_order()
    order.lines.update(sku="A", reserved=2, warehouse="HZ", quantity=2)
    return order


def test_a_cancelled_order_gives_its_pieces_back_once():
    level(on_hand=10, reserved=2)
    order = reserved_order()
    with connection.cursor() as cursor:
        stock.release(cursor, [order.pk])
        stock.release(cursor, [order.pk])
    assert StockLevel.objects.values_list("on_hand", "reserved").get() == (10, 0)
    assert StockChange.objects.count() == 0


def test_a_shipped_order_uses_its_pieces_up_with_a_ledger_row():
    level(on_hand=10, reserved=2)
    order = reserved_order()
    with connection.cursor() as cursor:
        stock.use_up(cursor, [order.pk], actor="qimen")
    assert StockLevel.objects.values_list("on_hand", "reserved").get() == (8, 0)
    assert StockChange.objects.values_list("delta", "on_hand", "cause", "actor").get() == (-2, 8, "shipped", "qimen")


def counted(**changes):
    return stock.read_level(
        {"sku": "A", "warehouse": "HZ", "on_hand": 5, "title": "精华液", "list_price_fen": 12900} | changes
    )


def test_a_count_sets_levels_skus_and_the_ledger_and_its_repeat_changes_nothing():
    assert stock.import_levels(rows=[counted()], actor="file") == 1
    assert stock.import_levels(rows=[counted()], actor="file") == 0
    assert Sku.objects.values_list("code", "title", "list_price_fen").get() == ("A", "精华液", 12900)
    assert StockChange.objects.values_list("delta", "on_hand", "cause").get() == (5, 5, "count")


def test_a_count_of_levels_that_are_there_notes_the_difference_of_each():
    stock.import_levels(rows=[counted(on_hand=10)], actor="file")
    stock.import_levels(rows=[counted(on_hand=13)], actor="file")
    stock.import_levels(rows=[counted(on_hand=7), counted(sku="B"), counted(warehouse="GZ")], actor="file")
    rows = [counted(on_hand=8), counted(sku="B", on_hand=1), counted(warehouse="GZ"), counted(sku="C", on_hand=4)]
    assert stock.import_levels(rows=rows, actor="file") == 3
    changes = StockChange.objects.order_by("id").values_list("sku", "warehouse", "delta", "on_hand")
    assert list(changes)[:2] == [("A", "HZ", 10, 10), ("A", "HZ", 3, 13)]
    assert sorted(changes[2:5]) == [("A", "GZ", 5, 5), ("A", "HZ", -6, 7), ("B", "HZ", 5, 5)]
    assert sorted(changes[5:]) == [("A", "HZ", 1, 8), ("B", "HZ", -4, 1), ("C", "HZ", 4, 4)]


def is_somebody_waiting():
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_a_count_locks_levels_by_their_ids_as_bookings_do():
    first, second = level(sku="B"), level(sku="A")

    def work():
        try:
            stock.import_levels(rows=[counted(), counted(sku="B")], actor="file")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            StockLevel.objects.select_for_update(no_key=True).get(pk=first.pk)
            done = pool.submit(work)
            while not (is_somebody_waiting() or done.done()):
                time.sleep(0.01)
            StockLevel.objects.select_for_update(no_key=True, nowait=True).get(pk=second.pk)
        done.result(10)
    assert list(StockChange.objects.values_list("delta", flat=True)) == [-5, -5]


def test_a_count_below_the_reservations_is_kept():
    level(on_hand=10, reserved=8)
    stock.import_levels(rows=[counted(on_hand=3)], actor="file")
    assert StockLevel.objects.values_list("on_hand", "reserved").get() == (3, 8)
    assert StockLevel.objects.get().available == 0


@pytest.mark.parametrize(
    ("changes", "path"),
    [({"sku": ""}, "sku"), ({"warehouse": 5}, "warehouse"), ({"on_hand": -1}, "on_hand"),
     ({"on_hand": True}, "on_hand"), ({"list_price_fen": "12"}, "list_price_fen")],
)  # fmt: skip
def test_a_bad_stock_row_names_its_field(changes, path):
    with pytest.raises(FieldError) as caught:
        counted(**changes)
    assert caught.value.path == path
