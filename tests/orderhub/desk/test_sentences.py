from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from orderhub.core.words import Status
from orderhub.desk.sentences import awaits_shipping, day_and_time, status_sentence
from orderhub.models import Parcel
from orderhub.selectors.orders import order_page
from tests.factories import make_order, make_parcel

NOW = datetime(2026, 11, 11, 4, 0, tzinfo=UTC)
"""12:00 in Shanghai."""
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def say(order):
    return status_sentence(order_page(order.pk), NOW)


@pytest.mark.django_db
def test_a_deadline_ahead_is_promised_and_one_behind_is_owned():
    order = make_order(status="packed", ship_by=NOW + 6 * HOUR)
    assert say(order) == "Your order is packed and about to be handed to the courier. It leaves by today 18:00."
    order = make_order(status="packed", ship_by=NOW - HOUR)
    assert say(order).endswith("It should have left by today 11:00; we are sorry and hurry it along.")


@pytest.mark.django_db
def test_on_the_road_only_what_was_handed_over_is_told():
    order = make_order(status="in_transit", ship_by=NOW - HOUR)
    assert say(order) == "Your parcel is on its way."
    make_parcel(order, "SF1", carrier="SF", handed_over_at=NOW - 20 * HOUR)
    assert say(order) == (
        "Your parcel is on its way. SF Express has had it since yesterday 16:00, tracking number SF1."
    )


@pytest.mark.django_db
def test_of_several_parcels_the_last_that_is_still_on_its_way_is_told():
    order = make_order(status="in_transit")
    make_parcel(order, "SF1", carrier="SF", handed_over_at=NOW - 20 * HOUR)
    make_parcel(order, "SF2", carrier="SF", handed_over_at=NOW - 5 * HOUR, delivered_at=NOW - HOUR)
    make_parcel(order, "SF3", carrier="SF")
    assert say(order).endswith(" SF Express has had it since yesterday 16:00, tracking number SF1.")
    make_parcel(order, "SF4", carrier="SF", handed_over_at=NOW - 2 * HOUR)
    make_parcel(order, "SF5", carrier="SF", handed_over_at=NOW - 3 * HOUR)
    assert say(order).endswith(" SF Express has had it since today 10:00, tracking number SF4.")
    Parcel.objects.update(delivered_at=NOW)
    assert say(order) == "Your parcel is on its way."


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["delivered", "completed"])
def test_several_parcels_have_arrived_when_the_last_one_has(status):
    order = make_order(status=status)
    make_parcel(order, "SF1", carrier="SF", handed_over_at=NOW - 96 * HOUR, delivered_at=NOW - 48 * HOUR)
    make_parcel(order, "SF2", carrier="SF", handed_over_at=NOW - 90 * HOUR, delivered_at=NOW - 72 * HOUR)
    make_parcel(order, "SF3", carrier="SF")
    assert say(order).endswith(" It arrived on November 9 12:00.")


@pytest.mark.django_db
def test_nothing_is_said_of_why_an_order_is_held():
    order = make_order(status="in_triage_hold", lane="abnormal", ship_by=NOW + 30 * HOUR)
    assert say(order) == (
        "We are checking the details of your order by hand and arrange it right after. It leaves by tomorrow 18:00."
    )


@pytest.mark.django_db
@pytest.mark.parametrize("status", Status.values)
def test_every_status_has_its_sentence(status):
    with translation.override("en"):
        assert len(say(make_order(status=status, ship_by=NOW + HOUR))) > 20
    assert "looking into" not in say(make_order(status=status))


@pytest.mark.parametrize(
    ("status", "awaits"),
    [("paid", True), ("short", True), ("wms_failed", True), ("awaiting_pickup", True), ("in_transit", False),
     ("unpaid", False), ("cancelled", False), ("refunding", False), ("nonsense", False)],
)  # fmt: skip
def test_a_deadline_counts_only_between_payment_and_hand_over(status, awaits):
    assert awaits_shipping(status) is awaits


@pytest.mark.parametrize(
    ("moment", "words"),
    [(NOW, "today 12:00"), (NOW - 13 * HOUR, "yesterday 23:00"), (NOW + 12 * HOUR, "tomorrow 00:00"),
     (NOW + 48 * HOUR, "November 13 12:00")],
)  # fmt: skip
def test_days_are_named_as_people_do_in_local_time(moment, words):
    assert day_and_time(moment, NOW) == words
