"""From the channel to the warehouse: real HTTP on both ends, the pipeline between them."""

import pytest
from django.utils import timezone

from channels_sync.connectors.http import TRIES
from channels_sync.models import ShopSync, SyncRun
from orderhub.deliveries import drain_inbox
from orderhub.models import Effect, InboxItem, Order
from orderhub.pipeline import drain_outbox
from orderhub.pulls import pull_shop
from orderhub.selectors.books import differences
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(taobao_shop):
    load_defaults()
    return taobao_shop


def delivered(platform):
    return {row["code"]: row["times"] for row in platform.store.query("SELECT code, times FROM deliveries")}


def due_now():
    Effect.objects.update(due_at=timezone.now())


def test_every_order_of_the_channel_is_judged_and_the_regular_ones_reach_the_warehouse_once(platform, shop):
    numbers = set(platform.live.make(120))
    counts = pull_shop(shop.pk)
    assert counts == {"new": 120, "changed": 0, "unchanged": 0, "stale": 0, "held": 0, "rejected": 0}
    assert set(Order.objects.values_list("external_no", flat=True)) == numbers
    ready = set(Order.objects.filter(status="ready").values_list("external_no", flat=True))
    assert 60 < len(ready) < 120
    due_now()
    done = []
    while (drained := drain_outbox()).total:
        done.append(drained.done)
    assert sum(done) == len(ready)
    assert delivered(platform) == {f"tb-{number}": 1 for number in ready}
    assert set(Order.objects.filter(status="wms_accepted").values_list("external_no", flat=True)) == ready
    assert differences() == []


def test_a_second_pull_changes_nothing(platform, shop):
    platform.live.make(40)
    pull_shop(shop.pk)
    again = pull_shop(shop.pk, force=True)
    assert again["new"] == again["changed"] == 0
    assert Order.objects.count() == 40


def test_a_channel_that_fails_in_the_middle_is_read_to_the_end_by_the_next_run(platform, shop):
    platform.live.make(250)
    platform.faults.add({"method": "taobao.trade.fullinfo.get", "kind": "http500", "times": 200})
    pull_shop(shop.pk)
    sync = ShopSync.objects.get()
    assert (sync.last_error != "", sync.consecutive_failures) == (True, 1)
    platform.faults.clear()
    pull_shop(shop.pk, force=True)
    assert Order.objects.count() == 250
    assert SyncRun.objects.order_by("-pk").first().state == "done"
    assert not InboxItem.objects.exclude(state="done").exists()


def test_a_trade_that_cannot_be_shown_now_stops_no_other_and_comes_later(platform, shop):
    shop.settings = {**shop.settings, "detail_workers": 1}
    shop.save()
    made = set(platform.live.make(5))
    platform.faults.add({"method": "taobao.trade.fullinfo.get", "kind": "http500", "times": TRIES})
    assert pull_shop(shop.pk)["new"] == 4
    assert ShopSync.objects.get().last_error == ""
    drain_inbox()
    assert set(Order.objects.values_list("external_no", flat=True)) == made
    assert not InboxItem.objects.exclude(state="done").exists()


def test_an_order_cancelled_before_the_push_never_reaches_the_warehouse(platform, shop):
    (number,) = platform.live.make(1)
    pull_shop(shop.pk)
    Order.objects.update(status="ready")
    Order.objects.filter(external_no=number).update(status="cancelled")
    due_now()
    drain_outbox()
    assert delivered(platform) == {}
