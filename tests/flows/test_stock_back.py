"""From an order on one channel to what the other channels show: reserved once, told everywhere."""

from datetime import timedelta

import pytest
from django.db.models import F, Sum
from django.utils import timezone

from channels_sync.models import Listing
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.selectors.offers import offers
from channels_sync.services.stock import want
from orderhub.backlog import drain_backlog
from orderhub.management.demo import load_prices, load_stock
from orderhub.models import Effect, Order, OrderLine, ParkedLine, StockLevel
from orderhub.pulls import pull_shop
from orderhub.services import outbox, stock
from orderhub.services.gate import set_gate
from orderhub.services.status import change_status
from tests.channels_sync.stores import PLATFORMS, Store, sandbox
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stores(settings):
    """Four shops that sell the same sixty articles out of one warehouse."""
    load_defaults()
    load_stock(SANDBOX)
    load_prices(SANDBOX)
    with sandbox(settings) as running:
        yield {name: Store(name, running) for name in PLATFORMS}


def write_all():
    done = 1
    while done:
        want()
        Effect.objects.filter(kind="stock").update(due_at=F("created_at"))
        drained = outbox.drain(kinds=["stock"])
        assert drained.errors == []
        done = drained.total


def pull_all(stores, orders):
    next(iter(stores.values())).sandbox.live.make(orders)
    for store in stores.values():
        pull_shop(store.shop.pk, force=True)


def left(sku):
    free = StockLevel.objects.filter(sku=sku).aggregate(left=Sum(F("on_hand") - F("reserved")))["left"]
    waiting = ParkedLine.objects.filter(sku=sku).aggregate(pieces=Sum("quantity"))["pieces"] or 0
    return max(free - waiting, 0)


def all_right(stores):
    """Check every channel item of every shop, on our side and on the platform's."""
    rows = Listing.objects.filter(state="matched").select_related("shop")
    found = offers([row.pk for row in rows])
    for row in rows:
        offer, store = found[row.pk], stores[row.shop.platform]
        assert (row.outer_id, offer.shown, offer.differs) == (row.outer_id, left(row.outer_id), False)
        # Douyin's own number leaves out what its unpaid orders hold.
        if row.shop.platform != "douyin":
            assert store.told(row.outer_id)[-1] == offer.shown
    return len(rows)


def test_what_one_channel_sells_every_channel_shows(stores):
    pull_all(stores, 120)
    write_all()
    before = all_right(stores)
    assert before > 100
    reserved = OrderLine.objects.aggregate(pieces=Sum("reserved"))["pieces"]
    assert reserved > 50
    pull_all(stores, 60)
    assert OrderLine.objects.aggregate(pieces=Sum("reserved"))["pieces"] > reserved
    assert len(want()) == 4
    write_all()
    assert all_right(stores) >= before


def test_what_a_cancelled_order_gives_back_is_shown_again(stores):
    pull_all(stores, 60)
    write_all()
    assert Order.objects.filter(status="ready").count() > 20
    line = OrderLine.objects.filter(reserved__gt=0, order__status="ready").order_by("pk").first()
    shown = left(line.sku)
    change_status(order_ids=[line.order_id], to="cancelled", actor="boss")
    assert left(line.sku) > shown
    write_all()
    all_right(stores)


def test_what_waits_before_a_closed_gate_counts_as_sold(stores):
    pull_all(stores, 40)
    write_all()
    orders = Order.objects.count()
    set_gate(shop_id=None, state="paused", reason="count", actor="boss")
    pull_all(stores, 20)
    assert Order.objects.count() == orders
    waiting = ParkedLine.objects.aggregate(pieces=Sum("quantity"))["pieces"]
    assert waiting > 10
    assert want(since=timezone.now() - timedelta(minutes=1)) != []
    write_all()
    all_right(stores)
    stock.import_levels(rows=[{"sku": "SERUM-30", "warehouse": "WH01", "on_hand": 5000, "title": "",
                               "list_price_fen": None}], actor="count")  # fmt: skip
    write_all()
    all_right(stores)
    shown = dict(Listing.objects.values_list("pk", "shown"))
    set_gate(shop_id=None, state="open", reason="counted", actor="boss")
    while ParkedLine.objects.exists():
        drain_backlog()
    assert want() == []
    assert dict(Listing.objects.values_list("pk", "shown")) == shown
