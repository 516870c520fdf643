from datetime import timedelta

import pytest

from orderhub.models import ParkedOrder
from orderhub.selectors.figures import gate_figures
from orderhub.selectors.gate import gate_overview
from orderhub.services.gate import set_gate
from tests.drafts import deliver, draft
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shops():
    """Two shops with 30 and 60 waiting orders behind a paused gate."""
    put(None, "paused")
    made = [make_shop("one"), make_shop("two")]
    for shop, count in zip(made, (30, 60), strict=True):
        deliver(shop, *(draft(f"T{n}", ship_by=f"2026-11-1{2 + n % 3}T00:00:00+08:00") for n in range(count)))
    return made


def put(shop, state, rate=None):
    set_gate(shop_id=shop and shop.pk, state=state, rate_per_minute=rate, reason="stock count", actor="boss")


def minutes(overview, moment):
    return round((moment - overview.at) / timedelta(minutes=1), 6)


def test_a_calm_hub_has_nothing_to_tell(db):
    overview = gate_overview()
    assert (overview.is_calm, overview.waiting, overview.shops, overview.ends_at) == (True, 0, [], None)


def test_behind_a_paused_gate_there_is_no_end(shops):
    overview = gate_overview()
    assert [(shop.code, shop.waiting, shop.ends_at) for shop in overview.shops] == [
        ("one", 30, None),
        ("two", 60, None),
    ]
    assert (overview.waiting, overview.ends_at, overview.strictest.state) == (90, None, "paused")
    assert overview.oldest.isoformat() == "2026-11-11T16:00:00+00:00"


def test_the_end_follows_the_slowest_pace(shops):
    put(None, "trickle", 10)
    overview = gate_overview()
    assert [minutes(overview, shop.ends_at) for shop in overview.shops] == [9, 9]
    put(shops[1], "trickle", 2)
    overview = gate_overview()
    assert [minutes(overview, shop.ends_at) for shop in overview.shops] == [9, 30]
    assert minutes(overview, overview.ends_at) == 30


def test_a_shop_that_is_paused_does_not_slow_the_others(shops):
    put(None, "trickle", 10)
    put(shops[1], "paused")
    overview = gate_overview()
    assert [shop.ends_at and minutes(overview, shop.ends_at) for shop in overview.shops] == [3, None]
    assert overview.ends_at is None


def test_an_open_gate_drains_at_the_pace_of_the_settings(shops, settings):
    settings.HUB_BACKLOG_PER_MINUTE = 45
    put(None, "open")
    overview = gate_overview()
    assert (minutes(overview, overview.ends_at), overview.is_calm) == (2, False)
    ParkedOrder.objects.all().delete()
    assert gate_overview().is_calm


def test_figures_say_state_and_backlog(shops):
    put(shops[0], "trickle", 5)
    states, waiting, overdue = gate_figures()
    on = {labels for labels, number in states.samples if number}
    assert on == {("", "paused"), ("one", "trickle"), ("two", "open")}
    assert dict(waiting.samples) == {("one",): 30.0, ("two",): 60.0}
    assert set(dict(overdue.samples)) == {("one",), ("two",)}
