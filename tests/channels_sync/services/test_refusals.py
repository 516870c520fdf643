"""A trade whose details Taobao refuses because it was paid this moment, and shows a little later."""

import pytest

from channels_sync.connectors.taobao.pull import FULL
from channels_sync.sandbox.replies import json_reply
from orderhub.models import Order, Reject
from tests.channels_sync.world import hub_and_platforms

pytestmark = pytest.mark.usefixtures("rules")


@pytest.fixture
def world(settings, db):
    with hub_and_platforms(settings, "taobao") as world:
        yield world


@pytest.fixture
def hidden(world, monkeypatch):
    """A set of numbers whose details are refused."""
    hidden, answer = set(), world.sandbox.top.answer

    def without_some(params):
        if params["method"] == FULL and params["tid"] in hidden:
            return json_reply({"error_response": {"code": 15, "sub_code": "isv.trade-not-exist", "sub_msg": "无"}})
        return answer(params)

    monkeypatch.setattr(world.sandbox.top, "answer", without_some)
    return hidden


def paid(world):
    return next(no for no in world.sandbox.live.make(60) if world.drafts("taobao")[no]["status"] == "paid")


def states():
    return list(Reject.objects.order_by("pk").values_list("external_no", "state"))


def test_it_is_asked_for_with_the_next_pulls_and_its_reject_closes_when_it_comes_in(world, hidden):
    number = paid(world)
    hidden.add(number)
    world.pull()
    assert states() == [(number, "open")]
    world.sandbox.live.make(1)
    world.pull()
    assert states() == [(number, "open")]
    hidden.clear()
    world.pull()
    assert (states(), Order.objects.filter(external_no=number).count()) == ([(number, "taken")], 1)


@pytest.mark.parametrize("stored", [b"\x01gone", b""], ids=["no data key", "erased"])
def test_a_reject_that_cannot_be_read_any_more_stops_nothing(world, stored):
    number = paid(world)
    Reject.objects.create(shop=world.shops["taobao"], external_no=number, reason="no money", packed_row=stored)
    world.pull()
    assert (states(), Order.objects.filter(external_no=number).count()) == ([(number, "open")], 1)


def test_other_rejects_of_an_order_stay(world):
    number = paid(world)
    reject = Reject(shop=world.shops["taobao"], external_no=number, reason="no money")
    reject.raw_row = b'{"tid":1}'
    reject.save()
    world.pull()
    assert states() == [(number, "open")]
