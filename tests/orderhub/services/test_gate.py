from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from orderhub.core.errors import FieldError
from orderhub.core.words import GateState
from orderhub.models import Gate, GateChange
from orderhub.selectors.gate import gate_of
from orderhub.services.gate import admit, charge, entitled, set_gate, shares, worthwhile
from tests.drafts import deliver, draft
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_shop("flagship")


def put(shop_id, state, rate=None, reason="stock count"):
    return set_gate(shop_id=shop_id, state=state, rate_per_minute=rate, reason=reason, actor="boss")


def idle(seconds):
    Gate.objects.update(paced_until=timezone.now() - timedelta(seconds=seconds))


def allowed(shop_id):
    with connection.cursor() as cursor:
        return admit(cursor, shop_id)[0]


def test_without_a_word_the_gate_is_open(shop):
    assert gate_of(shop.pk).is_open
    assert gate_of(None).state == GateState.OPEN


def test_a_change_says_who_why_and_since_when(shop):
    put(shop.pk, "paused", reason="  prices   are wrong ")
    view = gate_of(shop.pk)
    assert (view.state, view.shop_id, view.reason, view.actor) == ("paused", shop.pk, "prices are wrong", "boss")
    assert abs(view.changed_at - timezone.now()) < timedelta(seconds=30)
    assert gate_of(make_shop().pk).is_open


def test_every_change_stays_in_the_history(shop):
    put(None, "paused")
    put(None, "trickle", 30, reason="counted half")
    put(shop.pk, "paused")
    put(None, "open", reason="counted")
    told = GateChange.objects.order_by("id").values_list("shop", "state_from", "state_to", "rate_per_minute", "reason")
    assert list(told) == [
        (None, "open", "paused", None, "stock count"),
        (None, "paused", "trickle", 30, "counted half"),
        (shop.pk, "open", "paused", None, "stock count"),
        (None, "trickle", "open", None, "counted"),
    ]
    assert Gate.objects.count() == 2


@pytest.mark.parametrize(
    ("everyone", "own", "state", "rate", "whose"),
    [
        (("open", None), ("paused", None), "paused", None, "own"),
        (("paused", None), ("open", None), "paused", None, "all"),
        (("paused", None), ("paused", None), "paused", None, "all"),
        (("trickle", 10), ("paused", None), "paused", None, "own"),
        (("trickle", 10), ("open", None), "trickle", 10, "all"),
        (("trickle", 10), ("trickle", 5), "trickle", 5, "own"),
        (("trickle", 5), ("trickle", 10), "trickle", 5, "all"),
        (("open", None), ("trickle", 7), "trickle", 7, "own"),
    ],
)
def test_the_stricter_gate_wins(shop, everyone, own, state, rate, whose):
    put(None, *everyone)
    put(shop.pk, *own)
    view = gate_of(shop.pk)
    assert (view.state, view.rate_per_minute, view.shop_id) == (state, rate, shop.pk if whose == "own" else None)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"state": "closed"}, "state"),
        ({"reason": " "}, "reason"),
        ({"state": "trickle"}, "rate_per_minute"),
        ({"state": "trickle", "rate_per_minute": 0}, "rate_per_minute"),
        ({"state": "trickle", "rate_per_minute": 1_000_001}, "rate_per_minute"),
        ({"state": "paused", "rate_per_minute": 5}, "rate_per_minute"),
        ({"shop_id": 10**9}, "shop"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field_and_changes_nothing(values, field):
    given = {"shop_id": None, "state": "paused", "reason": "stock count", "actor": "boss"} | values
    with pytest.raises(FieldError) as refused:
        set_gate(**given)
    assert refused.value.path == field
    assert (Gate.objects.count(), GateChange.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("rate", "seconds", "orders"),
    [(60, 0.9, 0), (60, 1, 1), (60, 10.5, 10), (60, 3600, 30), (1, 59, 0), (1, 60, 1), (1, 3600, 1), (600, -3, 0)],
)
def test_a_pace_lets_in_what_it_gathered_and_at_most_half_a_minute_of_it(rate, seconds, orders):
    assert entitled(rate, seconds) == orders


def test_a_pace_is_booked_order_by_order(shop):
    put(shop.pk, "trickle", 6)
    assert allowed(shop.pk) == 0
    idle(1000)
    with connection.cursor() as cursor:
        most, costs = admit(cursor, shop.pk)
        charge(cursor, costs, 2)
    assert (most, allowed(shop.pk)) == (3, 1)


def test_both_paces_hold(shop):
    put(None, "trickle", 10)
    put(shop.pk, "trickle", 4)
    idle(1000)
    assert (allowed(shop.pk), allowed(make_shop().pk)) == (2, 5)


def test_a_paused_gate_lets_nothing_in_whatever_it_gathered(shop):
    put(shop.pk, "trickle", 60)
    put(None, "paused")
    idle(100)
    assert allowed(shop.pk) == 0


def test_a_new_pace_begins_with_the_change(shop):
    put(shop.pk, "trickle", 4)
    idle(1000)
    put(shop.pk, "trickle", 6)
    assert allowed(shop.pk) == 0


def test_only_shops_with_waiting_orders_behind_gates_that_let_some_in_have_a_share(shop, settings):
    settings.HUB_BACKLOG_PER_MINUTE = 20
    other, empty = make_shop(), make_shop()
    put(None, "paused")
    deliver(shop, draft())
    deliver(other, draft())
    put(other.pk, "paused")
    idle(1000)
    assert shares(500).by_shop == {}
    put(None, "open")
    idle(1000)
    got = shares(500)
    assert (got.for_all, got.by_shop) == (10, {shop.pk: 10})
    assert empty.pk not in got.by_shop


def test_a_fast_pace_gathers_a_second_first(shop, settings):
    settings.HUB_BACKLOG_PER_MINUTE = 12_000
    put(None, "paused")
    deliver(shop, draft())
    put(None, "open")
    idle(-60)
    assert shares(500).by_shop == {}
    idle(1000)
    assert shares(500).by_shop == {shop.pk: 500}


@pytest.mark.parametrize(
    ("rate", "seconds", "orders"), [(12_000, 0.9, 0), (12_000, 1.1, 220), (60, 1, 1), (None, 0, 500)]
)
def test_less_than_a_second_of_a_pace_is_let_gather(rate, seconds, orders):
    assert worthwhile(rate, seconds, 500) == orders
