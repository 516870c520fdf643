"""From a WeChat shop into the pool: by poll, by push, by both; and back to the shop."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_sync.connectors.base import connectors
from channels_sync.connectors.exchange import Shipment
from channels_sync.connectors.wechat import pull, token
from channels_sync.models import ShopSync
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.services.access import shop_access
from orderhub.core.errors import HubError
from orderhub.deliveries import LOT, drain_inbox
from orderhub.models import InboxItem, Order, Receiver, Reject
from orderhub.pulls import pull_shop
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(transactional_db):
    load_defaults()
    token._slots.clear()
    pull._handed_out.clear()
    shop = make_shop("wx", platform="wechat", settings={"calls_per_second": 1000, "look_back_hours": 1})
    shop.credentials = {
        "app_id": SANDBOX.wechat_app_id, "app_secret": SANDBOX.wechat_secret,
        "push_token": SANDBOX.wechat_push_token, "push_key": SANDBOX.wechat_push_key,
    }  # fmt: skip
    shop.save()
    return shop


@pytest.fixture
def wechat(shop, settings, live_server):
    settings.ALLOWED_HOSTS = ["*"]
    options = Options(shares={"wechat": 1.0}, moves=False, serial=1, hooks={"wechat": f"{live_server.url}/hooks/wx/"})
    with Sandbox(options, now=PlatformClock()) as sandbox:
        settings.WECHAT_GATEWAY_URL = f"{sandbox.url}/wechat"
        yield sandbox


def tell_all(sandbox):
    (push,) = sandbox.pushers
    while push.step() == 0:
        pass
    assert push.last_error == ""
    return push.told


def test_poll_and_push_together_never_double(wechat, shop):
    made = set(wechat.live.make(60))
    assert tell_all(wechat) == 60
    assert InboxItem.objects.filter(source="push").count() == 60
    assert Order.objects.count() == 0
    assert pull_shop(shop.pk)["new"] == 60
    while drain_inbox():
        pass
    assert set(Order.objects.values_list("external_no", flat=True)) == made
    assert Reject.objects.count() == 0


def test_a_push_alone_brings_the_order_and_a_repeat_nothing(wechat, shop):
    (number,) = wechat.live.make(1)
    tell_all(wechat)
    assert drain_inbox() == 1
    order = Order.objects.get()
    assert order.external_no == number
    assert Receiver.objects.get(order=order).oaid != ""
    wechat.live.change(number, "note")
    tell_all(wechat)
    drain_inbox()
    assert Order.objects.get().seller_remark == wechat.store.get(number).draft["seller_remark"]


def test_pushes_are_taken_in_together_and_what_they_name_is_fetched_once(wechat, shop):
    counts = []
    for count in (2, LOT):
        made = wechat.live.make(count)
        for number in made:
            wechat.live.change(number, "note")
        assert tell_all(wechat) > 0
        waiting = InboxItem.objects.filter(state="new").count()
        with CaptureQueriesContext(connection) as queries:
            assert drain_inbox() == waiting >= count
        counts.append(len(queries))
    assert counts[1] <= counts[0]
    assert list(InboxItem.objects.filter(source="event").order_by("pk").values_list("rows", "state")) == [
        (2, "done"),
        (LOT, "done"),
    ]
    assert set(InboxItem.objects.filter(source="push").values_list("state", "rows")) == {("done", 1)}
    assert Order.objects.count() == 2 + LOT


def test_a_push_whose_order_is_refused_keeps_no_other(wechat, shop, monkeypatch):
    made = sorted(wechat.live.make(3))
    tell_all(wechat)
    connector = connectors.get("wechat")
    fetch = connector.fetch

    def refusing(access, numbers):
        if made[1] in numbers:
            raise HubError("not yours")
        return fetch(access, numbers)

    monkeypatch.setattr(connector, "fetch", refusing)
    assert drain_inbox() == 3
    assert sorted(Order.objects.values_list("external_no", flat=True)) == [made[0], made[2]]
    states = InboxItem.objects.filter(source="push").values_list("headers__numbers__0", "state", "last_error")
    assert sorted(states) == [(made[0], "done", ""), (made[1], "dead", "not yours"), (made[2], "done", "")]


def test_an_order_that_cannot_be_shown_now_stops_no_other_and_comes_later(wechat, shop):
    made = set(wechat.live.make(5))
    wechat.faults.add({"kind": "changed_too_often", "times": 1, "method": pull.ORDER})
    assert pull_shop(shop.pk)["new"] == 4
    assert ShopSync.objects.get().last_error == ""
    wechat.faults.add({"kind": "changed_too_often", "times": 1, "method": pull.ORDER})
    drain_inbox()
    assert (Order.objects.count(), InboxItem.objects.filter(state="new").count()) == (4, 1)
    InboxItem.objects.update(leased_until=None)
    drain_inbox()
    assert set(Order.objects.values_list("external_no", flat=True)) == made
    assert InboxItem.objects.exclude(state="done").count() == 0


def test_a_push_for_another_shops_token_is_refused_and_nothing_is_stored(wechat, shop):
    shop.credentials = {**shop.credentials, "push_token": "another"}
    shop.save()
    wechat.live.make(1)
    (push,) = wechat.pushers
    push.step()
    assert (push.told, push.last_error) == (0, "HTTP 401")
    assert InboxItem.objects.count() == 0


def test_what_the_push_missed_the_poll_brings(wechat, shop):
    wechat.live.make(20)
    wechat.faults.add({"kind": "http500", "times": 200})
    pull_shop(shop.pk)
    assert Order.objects.count() == 0
    wechat.faults.clear()
    assert pull_shop(shop.pk, force=True)["new"] == 20


def test_a_window_with_too_many_rows_is_read_in_smaller_ones(wechat, shop):
    wechat.live.backlog(300, 1.0)
    wechat.faults.add({"kind": "too_many", "times": 3})
    pull_shop(shop.pk)
    assert Order.objects.count() >= 250


def test_a_parcel_that_is_told_shows_in_the_next_poll(wechat, shop):
    number = next(n for n in wechat.live.make(9) if wechat.store.get(n).draft["status"] == "paid")
    pull_shop(shop.pk)
    connectors.get("wechat").ship(shop_access(shop), Shipment(number, "SF", "SF123"))
    pull_shop(shop.pk, force=True)
    assert Order.objects.get(external_no=number).channel_status == "30"
