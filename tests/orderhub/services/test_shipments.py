"""Hand-overs in every order and however often: each piece leaves the stock once."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from django.utils import timezone

from orderhub.core.parcels import Pieces, ToldParcel
from orderhub.models import Order, OrderLine, Parcel, ParcelLine, Sku, StockChange, StockLevel, TimelineEntry
from orderhub.selectors.books import differences
from orderhub.services.shipments import HandOver, hand_over
from orderhub.services.status import Claim, apply_claims, change_status
from tests.factories import make_order, make_shop

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 11, 2, 0, tzinfo=UTC)


@pytest.fixture
def order():
    """An order of 3 A and 2 B, all of them reserved."""
    made = make_order(make_shop("s"), status="wms_accepted", lines=2)
    for line, (sku, pieces) in zip(made.lines.order_by("id"), (("A", 3), ("B", 2)), strict=True):
        OrderLine.objects.filter(pk=line.pk).update(sku=sku, quantity=pieces, reserved=pieces, warehouse="WH01")
        Sku.objects.create(code=sku)
        StockLevel.objects.create(sku=sku, warehouse="WH01", on_hand=100, reserved=pieces)
    return made


def parcel(number, **pieces):
    lines = [Pieces({"a": "1", "b": "2"}[name], name.upper(), count) for name, count in pieces.items()]
    return ToldParcel("YTO", number, 500, lines)


def told(order, *parcels, is_final=True, lines=()):
    return hand_over(
        hand_overs=[HandOver(order.pk, AT, is_final, "WH01", parcels, lines)], actor="warehouse:WH01"
    )  # fmt: skip


def levels():
    return {sku: (on_hand, reserved) for sku, on_hand, reserved in StockLevel.objects.values_list(
        "sku", "on_hand", "reserved")}  # fmt: skip


def gone():
    rows = ParcelLine.objects.filter(quantity__gt=0).values_list("parcel__tracking_no", "line_no", "quantity")
    return sorted(rows, key=str)


def test_a_whole_order_in_one_parcel(order):
    (handed,) = told(order, parcel("P1", a=3, b=2))
    assert levels() == {"A": (97, 0), "B": (98, 0)}
    assert gone() == [("P1", "1", 3), ("P1", "2", 2)]
    found = Parcel.objects.get()
    assert (found.carrier, found.weight_grams, found.handed_over_at, found.warehouse_code) == ("YTO", 500, AT, "WH01")
    assert (handed.new_ids, handed.last_parcel_id, handed.is_complete) == ([found.pk], found.pk, True)
    assert list(StockChange.objects.order_by("sku").values_list("sku", "delta", "cause")) == [
        ("A", -3, "shipped"), ("B", -2, "shipped"),
    ]  # fmt: skip
    entry = TimelineEntry.objects.get()
    assert (entry.kind, entry.source, entry.data) == (
        "parcel", "warehouse", {"carrier": "YTO", "tracking_no": "P1", "pieces": 5},
    )  # fmt: skip


def test_a_part_takes_only_what_left(order):
    (handed,) = told(order, parcel("P1", a=2), is_final=False)
    assert levels() == {"A": (98, 1), "B": (100, 2)}
    assert not handed.is_complete
    assert differences() == []


def test_the_same_hand_over_again_changes_nothing(order):
    for _ in range(3):
        handed = told(order, parcel("P1", a=3, b=2))
    assert levels() == {"A": (97, 0), "B": (98, 0)}
    assert handed[0].new_ids == []
    assert (StockChange.objects.count(), TimelineEntry.objects.count()) == (2, 1)


@pytest.mark.parametrize("sequence", list(permutations(range(4))))
def test_parts_the_whole_and_the_step_in_any_order_end_alike(order, sequence):
    events = [
        lambda: told(order, parcel("P1", a=1, b=2), is_final=False),
        lambda: told(order, parcel("P2", a=2)),
        lambda: apply_claims(claims=[Claim(order.pk, "warehouse", "in_transit", AT)], actor="x"),
        lambda: told(order, parcel("P1", a=1, b=2), is_final=False),
    ]
    for place in sequence:
        events[place]()
    assert levels() == {"A": (97, 0), "B": (98, 0)}
    assert gone() == [("P1", "1", 1), ("P1", "2", 2), ("P2", "1", 2)]
    assert sum(StockChange.objects.values_list("delta", flat=True)) == -5
    assert differences() == []


@pytest.mark.parametrize("left_before", [False, True])
def test_what_did_not_leave_with_the_last_parcel_goes_back(order, left_before):
    if left_before:
        change_status(order_ids=[order.pk], to="in_transit", actor="x", source="warehouse")
        assert levels() == {"A": (97, 0), "B": (98, 0)}
    told(order, parcel("P1", a=3, b=1))
    assert levels() == {"A": (97, 0), "B": (99, 0)}
    assert differences() == []


def test_a_parcel_without_contents_holds_what_the_lines_say_or_everything(order):
    told(order, ToldParcel("SF", "P1"), lines=[Pieces("1", "A", 3), Pieces("2", "B", 1)])
    assert gone() == [("P1", "1", 3), ("P1", "2", 1)]
    assert levels() == {"A": (97, 0), "B": (99, 0)}


def test_parcels_nobody_said_anything_of_take_the_rest_once(order):
    told(order, ToldParcel("SF", "P1"), ToldParcel("SF", "P2"))
    assert gone() == [("P1", "1", 3), ("P1", "2", 2)]
    assert levels() == {"A": (97, 0), "B": (98, 0)}


def test_a_last_word_without_parcels_takes_the_order_off_and_a_late_parcel_does_not_again(order):
    told(order)
    assert levels() == {"A": (97, 0), "B": (98, 0)}
    told(order, parcel("P1", a=3, b=2))
    assert levels() == {"A": (97, 0), "B": (98, 0)}
    assert gone() == [("P1", "1", 3), ("P1", "2", 2)]


def test_lines_named_by_sku_only_are_filled_one_after_the_other_also_when_told_again(order):
    OrderLine.objects.filter(order=order, line_no="2").update(sku="A")
    StockLevel.objects.filter(sku="B").update(reserved=0)
    StockLevel.objects.filter(sku="A").update(reserved=5)
    for _ in range(2):
        told(order, ToldParcel("YTO", "P1", None, [Pieces("", "A", 5)]))
    assert gone() == [("P1", "1", 3), ("P1", "2", 2)]
    assert levels()["A"] == (95, 0)


def test_an_article_that_was_not_ordered_leaves_the_stock_too(order):
    StockLevel.objects.create(sku="GIFT", warehouse="WH01", on_hand=10)
    told(order, ToldParcel("YTO", "P1", None, [Pieces("1", "A", 3), Pieces("2", "B", 2), Pieces("9", "GIFT", 1)]))
    assert levels()["GIFT"] == (9, 0)


def test_pieces_that_leave_after_a_cancellation_are_off_the_stock(order):
    change_status(order_ids=[order.pk], to="cancelled", actor="x")
    assert levels() == {"A": (100, 0), "B": (100, 0)}
    told(order, parcel("P1", a=3, b=2))
    apply_claims(claims=[Claim(order.pk, "warehouse", "in_transit", timezone.now())], actor="x")
    assert levels() == {"A": (97, 0), "B": (98, 0)}
    order.refresh_from_db()
    assert (order.status, order.has_drift) == ("cancelled", True)


def test_an_article_that_was_put_aside_is_not_waited_for_and_leaves_no_stock(order):
    Order.objects.update(extra={"channel_lines": [{"line_no": "2", "ignored": True}]})
    (handed,) = told(order, parcel("P1"))
    assert (handed.is_complete, gone(), levels()["B"][0]) == (True, [("P1", "1", 3)], 100)


@pytest.mark.parametrize("by_sku", [False, True])
def test_a_waybill_that_is_corrected_takes_nothing_off_the_stock_again(order, by_sku):
    told(order, parcel("P1", a=3, b=2))
    corrected = parcel("P2", a=3)
    if by_sku:
        corrected = ToldParcel("YTO", "P2", None, [Pieces("", "A", 3)])
    told(order, corrected)
    assert (gone(), levels()) == ([("P1", "1", 3), ("P1", "2", 2)], {"A": (97, 0), "B": (98, 0)})
    problem = TimelineEntry.objects.get(kind="warehouse_problem")
    assert problem.data == {"carrier": "YTO", "tracking_no": "P2", "too_many": 3}


def test_more_than_was_ordered_leaves_no_stock_and_is_told(order):
    told(order, parcel("P1", a=2), is_final=False)
    told(order, parcel("P2", a=2, b=2))
    assert gone() == [("P1", "1", 2), ("P2", "1", 1), ("P2", "2", 2)]
    assert levels() == {"A": (97, 0), "B": (98, 0)}
    assert TimelineEntry.objects.get(kind="warehouse_problem").data["too_many"] == 1


def test_a_parcel_keeps_what_it_holds_where_less_is_ordered_by_now(order):
    told(order, parcel("P1", a=3, b=2))
    OrderLine.objects.filter(line_no="1").update(quantity=2)
    told(order, parcel("P1", a=3, b=2))
    assert (gone(), levels()["A"]) == ([("P1", "1", 3), ("P1", "2", 2)], (97, 0))
    assert not TimelineEntry.objects.filter(kind="warehouse_problem").exists()


def test_two_orders_may_travel_in_one_parcel(order):
    other = make_order(order.shop, status="packed")
    hand_over(
        hand_overs=[
            HandOver(order.pk, AT, True, "WH01", [parcel("P1", a=3, b=2)]),
            HandOver(other.pk, AT + timedelta(seconds=1), True, "WH01", [ToldParcel("YTO", "P1")]),
        ],
        actor="x",
    )
    found = Parcel.objects.get()
    assert set(found.orders.values_list("pk", flat=True)) == {order.pk, other.pk}
    assert found.handed_over_at == AT


def test_unknown_orders_are_left_out(order):
    assert hand_over(hand_overs=[HandOver(order.pk + 999, AT, True, "WH01")], actor="x") == []
    assert Order.objects.count() == 1


def test_many_hand_overs_cost_as_many_queries_as_one(order, django_assert_num_queries):
    others = [make_order(order.shop, status="packed") for _ in range(3)]
    with django_assert_num_queries(11):
        told(order, parcel("P1", a=3, b=2))
    with django_assert_num_queries(11):
        hand_over(
            hand_overs=[
                HandOver(o.pk, AT, True, "WH01", [ToldParcel("YTO", f"Q{o.pk}", None, [Pieces("1", "A", 1)])])
                for o in others
            ],
            actor="x",
        )
