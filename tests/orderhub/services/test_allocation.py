"""Stock of orders that the channel changes after pieces of them have left."""

from datetime import timedelta

import pytest

from orderhub.core.parcels import Pieces, ToldParcel
from orderhub.models import Order, StockLevel
from orderhub.services import stock
from orderhub.services.shipments import HandOver, hand_over
from orderhub.services.status import Claim, apply_claims
from tests.drafts import deliver, draft, later, line
from tests.factories import make_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db
TWO = (("1", "A"), ("2", "B"))


@pytest.fixture
def shop():
    load_defaults()
    shop = make_shop("s")
    rows = [{"sku": sku, "warehouse": "WH01", "on_hand": 10, "title": "", "list_price_fen": None} for _, sku in TWO]
    stock.import_levels(rows=rows, actor="x")
    return shop


def lines(**refunds):
    return [line(line_no=no, sku=sku, refund=refunds.get(sku, "none")) for no, sku in TWO]


def tell(shop, minute, **changes):
    changes = {"lines": lines(), "total_fen": 25800, "paid_fen": 25800, **changes}
    deliver(shop, draft(modified_at=later(minute), **changes))


def leave(*numbers, final):
    order = Order.objects.get()
    parcel = ToldParcel("YTO", f"P{numbers[0]}", None, [Pieces(number, "", 1) for number in numbers])
    hand_over(hand_overs=[HandOver(order.pk, order.modified_at, final, "WH01", [parcel])], actor="x")
    claim = Claim(order.pk, "warehouse", "in_transit", order.modified_at, is_partial=not final)
    apply_claims(claims=[claim], actor="x")


def levels():
    rows = StockLevel.objects.order_by("sku").values_list("on_hand", "reserved")
    return list(rows)


def test_a_refund_asked_on_the_road_reserves_nothing_again(shop):
    tell(shop, 1)
    Order.objects.update(status="packed")
    leave("1", "2", final=True)
    assert levels() == [(9, 0), (9, 0)]
    tell(shop, 2, status="in_transit", lines=lines(A="asked"))
    assert (Order.objects.get().status, levels()) == ("refunding", [(9, 0), (9, 0)])
    apply_claims(claims=[Claim(Order.objects.get().pk, "warehouse", "delivered", Order.objects.get().received_at)],
                 actor="x")  # fmt: skip
    assert (Order.objects.get().under_refund, levels()) == ("delivered", [(9, 0), (9, 0)])


def test_an_order_first_seen_on_the_road_with_its_refund_open_reserves_nothing(shop):
    tell(shop, 1, status="in_transit", lines=lines(A="asked"))
    order = Order.objects.get()
    assert (order.status, order.under_refund, levels()) == ("refunding", "in_transit", [(10, 0), (10, 0)])


def test_a_change_after_a_part_left_keeps_the_rest_reserved_and_takes_nothing_more(shop):
    tell(shop, 1)
    Order.objects.update(status="packed")
    leave("1", final=False)
    assert levels() == [(9, 0), (10, 1)]
    tell(shop, 2, status="in_transit")
    assert levels() == [(9, 0), (10, 1)]
    leave("2", final=True)
    assert levels() == [(9, 0), (9, 0)]


def test_a_line_refunded_before_it_left_gives_its_pieces_back(shop):
    tell(shop, 1)
    Order.objects.update(status="packed")
    leave("1", final=False)
    tell(shop, 2, status="in_transit", lines=lines(B="done"))
    assert levels() == [(9, 0), (10, 0)]


def test_a_step_with_the_rest_does_not_reserve_what_has_left_once_more(shop):
    tell(shop, 1)
    Order.objects.update(status="packed")
    leave("1", final=False)
    order = Order.objects.get()
    apply_claims(claims=[Claim(order.pk, "warehouse", "awaiting_pickup", later_than(order))], actor="x")
    tell(shop, 2, buyer_remark="快点")
    assert levels() == [(9, 0), (10, 1)]
    assert list(Order.objects.get().lines.order_by("line_no").values_list("reserved", "short")) == [(0, 0), (1, 0)]


def later_than(order):
    return order.modified_at + timedelta(minutes=1)


@pytest.mark.parametrize(("refund", "kept"), [("asked", 1), ("refused", 1), ("agreed", 0)])
def test_the_rest_stays_reserved_while_it_is_to_be_sent(shop, refund, kept):
    tell(shop, 1)
    Order.objects.update(status="packed")
    leave("1", final=False)
    tell(shop, 2, lines=lines(B=refund))
    assert levels() == [(9, 0), (10, kept)]
