import pytest

from orderhub.models import Effect, Order, StockLevel
from orderhub.selectors.books import Difference, differences
from tests.drafts import deliver, draft
from tests.factories import make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(rules):
    StockLevel.objects.create(sku="SERUM-30", warehouse="HZ", on_hand=5)
    deliver(make_shop(), draft("T1"))


@pytest.mark.usefixtures("pool")
def test_the_books_agree_after_an_intake():
    assert differences() == []


@pytest.mark.usefixtures("pool")
def test_a_leaked_reservation_and_a_lost_push_are_found():
    StockLevel.objects.update(reserved=3)
    Effect.objects.all().delete()
    assert differences() == [
        Difference("reserved stock", "SERUM-30 @ HZ", 3, 1),
        Difference("warehouse push of a ready order", "T1", 1, 0),
    ]


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize(("status", "word"), [("wms_queued", "queued"), ("wms_failed", "failed")])
def test_an_order_whose_push_was_dropped_is_found_unless_the_channel_holds_it(status, word):
    Order.objects.update(status=status)
    for state in ("pending", "sending", "done", "dead"):
        Effect.objects.update(state=state)
        assert differences() == []
    Effect.objects.update(state="cancelled")
    assert differences() == [Difference(f"warehouse push of a {word} order", "T1", 1, 0)]
    Order.objects.update(channel_hold="LOCKED")
    assert differences() == []
