import hashlib

import orjson
import pytest

from channels_sync import readers
from channels_sync.connectors.base import RawPage
from channels_sync.services import news
from orderhub.deliveries import process
from orderhub.models import InboxItem, Order, ParkedOrder, Reject
from orderhub.models.inbox import pack
from orderhub.services.gate import set_gate
from tests.drafts import draft, later
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]


@pytest.fixture
def shop():
    return make_shop("s")


def page(*rows):
    body = orjson.dumps(list(rows))
    return RawPage(f"p:{hashlib.sha256(body).hexdigest()}", body, "application/json", "draft", len(rows))


def take(shop, *rows):
    return process(news.store(shop, page(*rows), source="poll").pk).counts()


def test_an_order_that_returns_to_what_it_was_without_a_new_time_is_taken_in_again(shop):
    for flag in ("blue", "red", "blue", "red"):
        take(shop, draft(flag=flag))
        assert Order.objects.get().flag == flag
    assert InboxItem.objects.count() == 4


def test_a_repeat_that_says_nothing_new_is_stored_once(shop):
    take(shop, draft("A"), draft("B"))
    take(shop, draft("A", flag="red", modified_at=later(5)))
    take(shop, draft("A"), draft("B"))
    assert Order.objects.get(external_no="A").flag == "red"
    assert InboxItem.objects.count() == 2


def test_a_repeat_that_nobody_could_read_is_stored_once(shop):
    take(shop, draft("A", paid_fen="many"))
    take(shop, draft("A", paid_fen="many"))
    assert InboxItem.objects.count() == 1


def test_what_waits_before_the_gate_is_stored_once_and_taken_again_where_it_differs(shop):
    set_gate(shop_id=shop.pk, state="paused", reason="flood", actor="boss")
    for flag, stored in (("blue", 1), ("blue", 1), ("red", 2), ("red", 2), ("blue", 3)):
        take(shop, draft(flag=flag))
        assert (InboxItem.objects.count(), orjson.loads(ParkedOrder.objects.get().raw_row)["flag"]) == (stored, flag)


def test_a_late_page_takes_no_place_from_a_newer_one_before_the_gate(shop):
    set_gate(shop_id=shop.pk, state="paused", reason="flood", actor="boss")
    first, second = (news.store(shop, page(draft(flag=flag)), source="poll") for flag in ("blue", "red"))
    process(second.pk)
    process(first.pk)
    assert orjson.loads(ParkedOrder.objects.get().raw_row)["flag"] == "red"


def test_a_row_that_was_refused_as_it_is_says_nothing_new(shop):
    told = page(draft())
    (row,) = readers.read("draft", told.body, told.content_type)
    assert news.has_news(shop, told)
    Reject.objects.create(shop=shop, external_no="T1", reason="no", packed_row=pack(row.raw))
    assert [news.has_news(shop, one) for one in (told, page(draft(flag="red")))] == [False, True]


def test_a_row_of_which_a_reject_was_erased_is_news_and_one_that_nobody_can_read_is_not(shop):
    Reject.objects.create(shop=shop, external_no="T1", reason="no", packed_row=b"")
    assert [news.has_news(shop, one) for one in (page(draft()), page(draft(paid_fen="many")))] == [True, False]


def test_an_order_before_the_gate_that_nobody_can_open_is_taken_again(shop):
    set_gate(shop_id=shop.pk, state="paused", reason="flood", actor="boss")
    take(shop, draft())
    assert not news.has_news(shop, page(draft()))
    ParkedOrder.objects.update(packed_row=b"\x01\x03old" + bytes(40))
    assert news.has_news(shop, page(draft()))


def test_a_page_that_still_waits_is_not_stored_twice(shop):
    first, second = (news.store(shop, page(draft()), source="poll") for _ in range(2))
    assert first.pk == second.pk
