"""Orders of a webhook shop that wait for a status word, and go on once somebody enters it."""

import pytest

from channels_sync.connectors.webhook import _order
from channels_sync.services.status_words import waiting
from orderhub.models import Order, TimelineEntry
from orderhub.remapping import let_go_known_words
from tests.drafts import deliver, draft
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]


@pytest.fixture
def shop():
    shop = make_shop("w", platform="webhook", settings={"statuses": {"PAID": "paid"}})
    deliver(shop, *(_order(draft(number, status=word), {}) for number, word in (("A", "已付款"), ("B", "CLOSED"))))
    return shop


def enter(shop, **words):
    shop.settings = {"statuses": words}
    shop.save()
    return let_go_known_words()


def states():
    return list(Order.objects.order_by("external_no").values_list("status", "channel_hold", "channel_status"))


def test_an_order_goes_on_with_what_its_word_means_once_somebody_entered_it(shop):
    assert states() == [("paid", "unknown:已付款", "已付款"), ("paid", "unknown:CLOSED", "CLOSED")]
    assert enter(shop, PAID="paid") == 0
    assert enter(shop, 已付款="paid", CLOSED="cancelled") == 2
    assert states() == [("ready", "", "已付款"), ("cancelled", "", "CLOSED")]
    assert TimelineEntry.objects.filter(status_to="ready").count() == 1
    assert let_go_known_words() == 0


@pytest.mark.parametrize("words", [{"已付款": "payed"}, {"已付款": 7}, {}])
def test_a_word_that_means_nothing_lets_nothing_go(shop, words):
    assert enter(shop, **words) == 0
    assert states()[0] == ("paid", "unknown:已付款", "已付款")


def test_other_holds_stay(shop):
    Order.objects.update(channel_hold="risk")
    assert enter(shop, 已付款="paid", risk="paid") == 0


def test_a_hold_of_the_systems_own_stays_when_its_orders_word_is_entered(shop):
    deliver(shop, _order(draft("C", status="CLOSED", channel_hold="risk"), {}))
    deliver(shop, _order(draft("D", status="PAID", channel_hold="risk"), {"PAID": "paid"}))
    assert enter(shop, PAID="paid", CLOSED="cancelled") == 2
    assert states()[1:] == [("cancelled", "", "CLOSED"), ("cancelled", "risk", "CLOSED"), ("paid", "risk", "PAID")]
    assert let_go_known_words() == 0


def test_a_word_that_means_unpaid_waits_for_the_next_version(shop):
    assert enter(shop, 已付款="unpaid") == 0
    assert states()[0] == ("paid", "unknown:已付款", "已付款")
    assert waiting() == {}
