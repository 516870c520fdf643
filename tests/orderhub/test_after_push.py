"""Orders that the buyer changes after the warehouse was told: people see them until they left or one accepts it."""

import pytest

from orderhub.core.errors import HubError
from orderhub.models import Order, StockLevel
from orderhub.rejudging import release_order, retriage
from tests.drafts import RECEIVER, deliver, draft, later, line
from tests.factories import make_shop
from triage.models import Finding
from triage.selectors.findings import marks_of
from triage.services import clear_after_push

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]
MOVED = {"receiver": RECEIVER | {"detail": "文三路 91 号 1 幢 201 室"}}
MORE = {"lines": [line(quantity=3)]}


@pytest.fixture
def shop():
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=10)
    return make_shop("s")


@pytest.fixture
def order(shop):
    """An order that the warehouse is working on."""
    deliver(shop, draft())
    Order.objects.update(status="picking", warehouse_claim="picking")
    return Order.objects.get()


def tell(shop, minute, **changes):
    deliver(shop, draft(**changes, modified_at=later(minute)))


def found():
    """Return what is noted, and whether that is open."""
    rows = Finding.objects.filter(code="changed_after_push")
    return [(sorted(row.values["changed"]), row.cleared_at is None and row.accepted_at is None) for row in rows]


@pytest.mark.parametrize(("changes", "named"), [
    (MOVED, ["receiver"]), (MORE, ["lines"]), (MOVED | MORE, ["lines", "receiver"]),
    ({"lines": [line(sku="SERUM-50")]}, ["lines"]),
])  # fmt: skip
def test_another_receiver_or_other_goods_are_noted_and_stay_so(shop, order, changes, named):
    tell(shop, 5, **changes)
    assert found() == [(named, True)]
    tell(shop, 6, **changes, seller_remark="called")
    retriage([order.pk], "hub")
    assert found() == [(named, True)]


@pytest.mark.parametrize("changes", [
    {"buyer_remark": "放门口"}, {"seller_remark": "call", "flag": "red"}, {"status": "in_transit"}, {"freight_fen": 1},
    {"lines": [line(refund="asked")]}, {"lines": [line(title="精华液", paid_fen=12800)]},
])  # fmt: skip
def test_what_leaves_goods_and_receiver_as_they_were_is_not(shop, order, changes):
    tell(shop, 5, **changes)
    assert found() == []


@pytest.mark.parametrize("status", ["ready", "wms_failed", "in_transit", "cancelled"])
def test_neither_is_what_the_warehouse_has_not_got(shop, order, status):
    Order.objects.update(status=status)
    tell(shop, 5, **MOVED)
    assert found() == []


def test_a_refund_withdrawn_is_no_change_but_one_done_for_a_line_is(shop):
    lines = [line(), line(line_no="2", sku="CREAM")]
    deliver(shop, draft(lines=lines))
    Order.objects.update(status="packed", warehouse_claim="packed")
    tell(shop, 5, lines=[line(), line(line_no="2", sku="CREAM", refund="asked")])
    tell(shop, 6, lines=[line(), line(line_no="2", sku="CREAM", refund="refused")])
    assert found() == []
    tell(shop, 7, lines=[line(), line(line_no="2", sku="CREAM", refund="done")])
    assert (found(), Order.objects.get().status) == ([(["lines"], True)], "packed")


def test_changes_add_up_while_nobody_has_looked(shop, order):
    tell(shop, 5, **MOVED)
    tell(shop, 6, **MOVED, **MORE)
    assert found() == [(["lines", "receiver"], True)]


def test_a_person_accepts_it_and_the_next_change_opens_it_again(shop, order):
    tell(shop, 5, **MOVED)
    seen = marks_of([order.pk])[order.pk]
    release_order(order.pk, "boss", "仓库已改单", True, seen)
    assert (found(), Order.objects.get().status) == ([(["receiver"], False)], "picking")
    assert Finding.objects.get(code="changed_after_push").accepted_by == "boss"
    tell(shop, 6, **MOVED, **MORE)
    assert found() == [(["lines"], True)]
    with pytest.raises(HubError):
        release_order(order.pk, "boss", "仓库已改单", True, seen)
    assert found() == [(["lines"], True)]


@pytest.mark.parametrize(("status", "under_refund", "is_open"), [
    ("packed", "", True), ("refunding", "packed", True), ("refunding", "in_transit", False), ("in_transit", "", False),
    ("cancelled", "", False), ("wms_failed", "", False),
])  # fmt: skip
def test_it_is_over_once_the_warehouse_has_the_order_no_more(shop, order, status, under_refund, is_open):
    tell(shop, 5, **MOVED)
    Order.objects.update(status=status, under_refund=under_refund)
    assert clear_after_push() == (0 if is_open else 1)
    assert found() == [(["receiver"], is_open)]
    assert clear_after_push() == 0
