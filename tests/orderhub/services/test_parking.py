"""What orders before the gate will take off the stock is known while they wait."""

from datetime import timedelta
from threading import Barrier, Thread

import orjson
import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from channels_sync.models import Listing, ListingPart
from orderhub.backlog import drain_backlog
from orderhub.deliveries import process
from orderhub.models import Gate, OrderLine, ParkedLine, ParkedOrder, StockLevel
from orderhub.services.gate import set_gate
from orderhub.services.inbox import receive
from tests.drafts import deliver, draft, later, line
from tests.factories import make_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    load_defaults()
    shop = make_shop("flagship")
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=9)
    put("paused")
    return shop


def put(state):
    set_gate(shop_id=None, state=state, reason="count", actor="boss")


def let_in():
    put("open")
    Gate.objects.update(paced_until=timezone.now() - timedelta(seconds=1000))
    return drain_backlog()


def waiting():
    rows = ParkedLine.objects.filter(quantity__gt=0).values_list("sku").annotate(Sum("quantity"))
    return dict(rows.order_by("sku"))


def reserved():
    return StockLevel.objects.get(sku="SERUM-30").reserved


def of(quantity, **changes):
    return {"lines": [line(quantity=quantity, **changes)]}


def test_pieces_of_waiting_orders_are_counted_by_sku(shop):
    deliver(shop, draft("T1", lines=[line(quantity=2), line(line_no="2", sku="MASK"), line(line_no="3")]))
    deliver(shop, draft("T2", **of(4)))
    assert waiting() == {"MASK": 1, "SERUM-30": 7}


def test_a_bundle_counts_as_its_parts(shop):
    listing = Listing.objects.create(shop=shop, item_id="1", outer_id="SET", state="matched")
    ListingPart.objects.create(listing=listing, sku="SERUM-30", quantity=2)
    ListingPart.objects.create(listing=listing, sku="MASK", quantity=5)
    deliver(shop, draft(**of(3, item_id="1", sku="SET")))
    assert waiting() == {"MASK": 15, "SERUM-30": 6}


@pytest.mark.parametrize(
    ("changes", "pieces"),
    [
        ({"status": "unpaid"}, {}),
        ({"status": "cancelled"}, {}),
        ({"status": "refunded"}, {}),
        ({"status": "completed"}, {}),
        ({"presale": "deposit"}, {}),
        (of(3, refund="done"), {}),
        (of(3, refund="agreed"), {}),
        (of(3, refund="asked"), {"SERUM-30": 3}),
        ({"status": "in_transit", **of(3, refund="asked")}, {}),
        ({"channel_hold": "risk"}, {"SERUM-30": 1}),
        (of(3, sku=""), {}),
    ],
)  # fmt: skip
def test_what_would_be_reserved_is_what_waits(shop, changes, pieces):
    deliver(shop, draft(**changes))
    assert waiting() == pieces
    let_in()
    assert ({"SERUM-30": reserved()} if reserved() else {}, waiting()) == (pieces, {})


def test_the_newest_version_counts_alone(shop):
    deliver(shop, draft(modified_at=later(2), **of(3)))
    deliver(shop, draft(modified_at=later(2), **of(3)))
    assert waiting() == {"SERUM-30": 3}
    deliver(shop, draft(modified_at=later(1), **of(9)))
    assert waiting() == {"SERUM-30": 3}
    deliver(shop, draft(modified_at=later(3), lines=[line(quantity=1), line(line_no="2", sku="MASK")]))
    assert waiting() == {"MASK": 1, "SERUM-30": 1}
    deliver(shop, draft(modified_at=later(4), status="cancelled"))
    assert waiting() == {}


def test_what_the_pool_has_reserved_already_does_not_wait_as_well(shop):
    put("open")
    deliver(shop, draft(channel_hold="risk", **of(2)))
    assert reserved() == 2
    put("paused")
    deliver(shop, draft(modified_at=later(1), **of(5)))
    assert (reserved(), waiting()) == (2, {"SERUM-30": 3})
    let_in()
    assert (reserved(), waiting()) == (5, {})


def test_the_reservation_takes_over_as_orders_are_let_in(shop):
    deliver(shop, draft("T1", **of(4)))
    deliver(shop, draft("T2", **of(7)))
    assert (reserved(), waiting()) == (0, {"SERUM-30": 11})
    let_in()
    assert (reserved(), waiting()) == (9, {})
    assert OrderLine.objects.aggregate(pieces=Sum("short"))["pieces"] == 2


def test_a_newer_version_that_passes_the_gate_takes_the_waiting_one_out(shop):
    deliver(shop, draft(**of(4)))
    put("open")
    deliver(shop, draft(modified_at=later(1), **of(5)))
    assert (reserved(), ParkedOrder.objects.count(), ParkedLine.objects.count()) == (5, 0, 0)


def test_an_older_delivery_of_the_same_time_takes_no_waiting_version_out(shop):
    """Douyin moves no time for a refund, and a delivery that was given back is tried again behind later ones."""
    given_back = receive(
        shop=shop, source="push", reader="draft", delivery_key="paid", body=orjson.dumps([draft(**of(4))])
    )
    deliver(shop, draft(**of(4, refund="asked")))
    put("open")
    assert process(given_back.pk).counts()["stale"] == 1
    assert ParkedOrder.objects.count() == 1
    let_in()
    assert (OrderLine.objects.get().refund, ParkedOrder.objects.count()) == ("asked", 0)


def test_a_later_delivery_of_the_same_time_takes_the_waiting_version_out(shop):
    deliver(shop, draft(**of(4)))
    put("open")
    deliver(shop, draft(**of(4, refund="asked")))
    assert (OrderLine.objects.get().refund, ParkedOrder.objects.count()) == ("asked", 0)


def test_an_order_that_cannot_enter_waits_no_longer(shop):
    deliver(shop, draft(**of(4)))
    ParkedOrder.objects.update(reader="gone")
    assert let_in() == 1
    assert ParkedLine.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_workers_that_park_the_same_orders_count_them_once(shop):
    barrier, errors = Barrier(4), []

    def work(number):
        try:
            rows = [draft(f"T{n}", modified_at=later(number), **of(number)) for n in range(40)]
            barrier.wait(10)
            deliver(shop, *(rows if number % 2 else reversed(rows)))
        except Exception as error:  # noqa: BLE001  (told to the test)
            errors.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (errors, waiting()) == ([], {"SERUM-30": 160})
