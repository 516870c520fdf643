"""A hub whose clock is ahead of a platform's: every order comes, and the board says what is wrong."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_sync.selectors.board import board
from channels_sync.selectors.troubles import Level, troubles
from orderhub.models import Order
from tests.channels_sync.world import hub_and_platforms
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)


def told():
    return [(one.key, one.level, one.count) for one in troubles(board().channels[0], timezone.now())
            if one.key in {"clock", "late"}]  # fmt: skip


@pytest.mark.parametrize(("platform", "seconds"), [("taobao", 400), ("jd", 312), ("douyin", 400)])
def test_no_order_is_missed_while_the_hub_is_ahead(settings, platform, seconds, monkeypatch):
    monkeypatch.setattr("channels_sync.sandbox.jd.CLOCK_TOLERANCE", 600)  # it must see the pull, however slow we are
    load_defaults()
    with hub_and_platforms(settings, platform) as world:
        clock, behind = world.sandbox.now, timedelta(seconds=seconds)
        world.sandbox.faults.add({"kind": "clock_skew", "seconds": -seconds, "times": 9999})
        world.sandbox.live.make(8)
        world.pull()
        clock.now -= behind
        world.sandbox.live.make(8)
        clock.now += behind
        world.pull()
        assert set(Order.objects.values_list("external_no", flat=True)) == set(world.drafts(platform)) != set()
        ((key, level, count),) = told()
        assert (key, level) == ("clock", Level.WARN) and seconds <= count <= seconds + 3

        world.sandbox.faults.clear()
        world.pull()
        world.pull()
        assert told() == []
