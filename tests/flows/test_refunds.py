"""Refunds that are asked and withdrawn while the goods go on: beside an order without one, in any order of events."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderhub.core.status_graph import place_of
from orderhub.models import Order, OrderLine, StockLevel
from orderhub.services.allocation import ON_ITS_WAY
from orderhub.services.status import Claim, apply_claims, change_status
from tests.drafts import deliver, draft, later, line
from tests.factories import make_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db
MIDNIGHT = datetime(2026, 11, 10, 16, 0, 31, tzinfo=UTC)
"""The minute 0 of `later`."""
VERSIONS = {"asked": (5, "asked", ""), "still asked": (6, "asked", "say when"), "withdrawn": (7, "refused", "")}
"""What the channel tells, by name: minute, refund of the line, remark."""
GOODS = [
    ("warehouse", "wms_accepted", 1), ("warehouse", "picking", 2), ("warehouse", "packed", 3),
    ("warehouse", "in_transit", 5), ("carrier", "out_for_delivery", 6), ("carrier", "delivered", 7),
    ("warehouse", "wms_failed", 4), ("carrier", "returning", 8), ("hub", "wms_failed", 2),
]  # fmt: skip
"""What is told of the goods: who, what, minute."""
_numbers = count(1)


@pytest.fixture
def shop():
    load_defaults()
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=10**6)
    return make_shop("s")


def pushed(shop, *numbers):
    """Take orders in and send them to the warehouse, whose answer is still to come."""
    deliver(shop, *[draft(number) for number in numbers])
    orders = [Order.objects.get(external_no=number) for number in numbers]
    change_status(order_ids=[order.pk for order in orders], to="wms_queued", actor="outbox")
    return orders


def tell(order, name):
    minute, refund, remark = VERSIONS[name]
    changes = {"lines": [line(refund=refund)], "modified_at": later(minute), "buyer_remark": remark}
    deliver(order.shop, draft(order.external_no, **changes))


def says(order, source, status, minute):
    apply_claims(claims=[Claim(order.pk, source, status, MIDNIGHT + timedelta(minutes=minute))], actor="x")


def reserved(order):
    return OrderLine.objects.values_list("reserved", flat=True).get(order=order)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*VERSIONS, *range(len(GOODS))]), min_size=4, max_size=12))
def test_an_open_refund_stays_visible_and_the_goods_stand_where_they_would_without_one(shop, events):
    number = next(_numbers)
    order, plain = pushed(shop, f"R{number}", f"P{number}")
    told = ""
    for event in events:
        if event in VERSIONS:
            tell(order, event)
            if event == "withdrawn":
                # Whatever is told anew of an order whose push was refused has it judged again, refund or not.
                tell(plain, event)
            told = max(told, event, key=["", *VERSIONS].index)
        else:
            for one in (order, plain):
                says(one, *GOODS[event])
        order.refresh_from_db()
        plain.refresh_from_db()
        assert order.status == ("refunding" if "asked" in told else plain.status)
        assert (order.under_refund != "") == ("asked" in told)
        assert place_of(order.status, order.under_refund) == plain.status
        assert (order.left_at, order.refund_at is not None) == (plain.left_at, "asked" in told)
        # Of goods that return without having left, by the carrier's word alone, no two readings agree.
        if plain.carrier_claim != "returning" or plain.status in ON_ITS_WAY:
            assert reserved(order) == reserved(plain)


@pytest.mark.parametrize(("minute", "is_drift"), [(9, True), (3, False)])
@pytest.mark.parametrize("first", ["refund", "goods"])
def test_what_left_with_a_refund_open_is_marked_whichever_is_told_first(shop, minute, is_drift, first):
    (order,) = pushed(shop, "T1")
    leave = Claim(order.pk, "warehouse", "in_transit", MIDNIGHT + timedelta(minutes=minute))
    steps = [lambda: tell(order, "asked"), lambda: apply_claims(claims=[leave], actor="x")]
    for step in steps if first == "refund" else reversed(steps):
        step()
    order.refresh_from_db()
    assert (order.status, order.warehouse_claim, order.has_drift) == ("refunding", "in_transit", is_drift)
    assert order.refund_at == MIDNIGHT + timedelta(minutes=5)
    tell(order, "still asked")
    order.refresh_from_db()
    assert (order.refund_at, order.has_drift) == (MIDNIGHT + timedelta(minutes=5), is_drift)
    tell(order, "withdrawn")
    order.refresh_from_db()
    assert (order.status, order.refund_at, order.has_drift) == ("in_transit", None, False)
