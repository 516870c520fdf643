"""Orders in several parcels: what the warehouse says of one of them."""

from datetime import UTC, datetime

import pytest

from channels_sync.services import reports
from orderhub.models import Parcel, TimelineEntry
from tests.channels_sync.callbacks import CODE, CONFIRM, STEP, accepted_order, confirm, level, post, state, step

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(taobao_shop):
    return accepted_order(taobao_shop.warehouse)


FIRST = (CONFIRM, confirm(CODE, ("YTO", "YT1", [("1", "A", 1)]), key="1", final=False))
LAST = (CONFIRM, confirm(CODE, ("YTO", "YT2", [("1", "A", 1)]), key="2"))
END = (CONFIRM, confirm(CODE, key="3", at="2026-11-11 20:00:00"))
WHOLE = (CONFIRM, confirm(CODE, ("YTO", "YT1", [("1", "A", 2)]), key="4"))
CORRECTED = (CONFIRM, confirm(CODE, ("YTO", "YT2", [("1", "A", 2)]), key="5"))
CORRECTED_LAST = (CONFIRM, confirm(CODE, ("YTO", "YT3", [("1", "A", 1)]), key="6"))
UNSAID = (CONFIRM, confirm(CODE, ("YTO", "YT1", []), ("YTO", "YT2", []), key="7"))


def signed(number, hour=18, node="SIGN"):
    return STEP, step(CODE, node, f"2026-11-11 {hour}:00:00", expressCode=number)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([FIRST, signed("YT1")], "packed"),
        ([FIRST, signed("YT1"), LAST], "in_transit"),
        ([FIRST, LAST, signed("YT2")], "in_transit"),
        ([FIRST, LAST, signed("YT2"), signed("YT1", 19)], "delivered"),
        ([LAST, signed("YT2"), signed("YT1", 19), FIRST], "delivered"),
        ([FIRST, LAST, signed("YT1"), signed("YT2", 19, "REFUSE")], "in_transit"),
        ([FIRST, LAST, signed("")], "delivered"),
        ([LAST, signed("YT2", 19, "REFUSE")], "returning"),
        ([WHOLE, CORRECTED, signed("YT2")], "delivered"),
        ([WHOLE, CORRECTED, signed("YT2", 19, "REFUSE")], "returning"),
        ([FIRST, LAST, CORRECTED_LAST, signed("YT1")], "in_transit"),
        ([FIRST, LAST, CORRECTED_LAST, signed("YT3"), signed("YT1", 19)], "delivered"),
        ([UNSAID, signed("YT2")], "in_transit"),
        ([UNSAID, signed("YT2"), signed("YT1", 19)], "delivered"),
        ([FIRST, LAST, signed("YT1", 18, "REFUSE")], "in_transit"),
        ([FIRST, LAST, signed("YT2", 19, "REFUSE"), signed("YT1", 18, "TMSCANCELED")], "returning"),
        ([FIRST, signed("YT1", 18, "REFUSE"), END], "returning"),
    ],
)
def test_the_end_of_one_parcel_is_not_that_of_the_order(client, order, events, status, at_once):
    for event in events:
        post(client, *event)
        if not at_once:
            reports.drain()
    reports.drain()
    assert state(order)[0] == status


def test_a_parcel_that_was_signed_for_while_the_rest_is_packed_takes_nothing_off_the_stock(client, order):
    for event in (FIRST, signed("YT1")):
        post(client, *event)
    reports.drain()
    assert level() == (9, 1)
    assert Parcel.objects.get().delivered_at == datetime(2026, 11, 11, 10, tzinfo=UTC)
    assert TimelineEntry.objects.latest("pk").data == {"node": "SIGN", "tracking_no": "YT1"}


def test_a_parcel_that_came_back_alone_is_told_in_the_timeline(client, order):
    for event in (FIRST, LAST, signed("YT1", 18, "REFUSE")):
        post(client, *event)
        reports.drain()
    assert TimelineEntry.objects.latest("pk").data == {"node": "REFUSE", "tracking_no": "YT1", "says": "returning"}


def test_a_last_word_after_all_parcels_were_signed_for_ends_the_order(client, order):
    for event in (FIRST, signed("YT1"), (CONFIRM, confirm(CODE, key="3"))):
        post(client, *event)
        reports.drain()
    assert state(order) == ("delivered", "delivered")
