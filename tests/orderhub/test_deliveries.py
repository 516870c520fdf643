import orjson
import pytest

from channels_sync import readers
from channels_sync.connectors.base import ThrottledError
from orderhub.deliveries import drain_inbox, process
from orderhub.models import InboxItem, Order
from orderhub.services.inbox import receive, receive_pushes
from tests.channels_sync.slow import slow_platform
from tests.drafts import deliver, draft
from tests.factories import make_shop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rules")]


@pytest.fixture
def shop():
    return make_shop("flagship", merge_window_seconds=600)


def test_the_same_delivery_again_is_told_from_memory(shop):
    first = deliver(shop, draft(), key="k")
    assert deliver(shop, draft(), key="k").as_json() == first.as_json()
    assert InboxItem.objects.count() == 1


def test_a_body_that_cannot_be_read_at_all_is_set_aside_with_its_bytes(shop):
    item = receive(shop=shop, source="push", reader="draft", delivery_key="x", body=b'{"orders": [')
    with pytest.raises(Exception, match=r".+"):
        process(item.pk)
    item.refresh_from_db()
    assert item.state in {"new", "dead"}
    assert item.last_error
    assert item.body == b'{"orders": ['


def test_what_happens_at_commit_happens_with_the_last_batch_or_not_at_all(shop, settings):
    settings.HUB_BATCH_SIZE = 2
    seen = []
    item = receive(
        shop=shop, source="poll", reader="draft", delivery_key="p",
        body=orjson.dumps([draft(f"T{n}") for n in range(5)]),
    )  # fmt: skip
    process(item.pk, at_commit=lambda cursor: seen.append(Order.objects.count()))
    assert seen == [5]


def test_an_empty_page_still_moves_the_cursor(shop):
    seen = []
    item = receive(shop=shop, source="poll", reader="draft", delivery_key="p", body=b"[]")
    process(item.pk, at_commit=lambda cursor: seen.append(True))
    assert seen == [True]


def test_a_delivery_that_breaks_its_reader_holds_up_no_other(shop, monkeypatch):
    real = readers.read

    def read(reader, body, content_type):
        return {}["13912345678"] if body == b"broken" else real(reader, body, content_type)

    monkeypatch.setattr(readers, "read", read)
    for key, body in (("a", b"broken"), ("b", orjson.dumps(draft()))):
        receive(shop=shop, source="push", reader="draft", delivery_key=key, body=body)
    assert drain_inbox() == 2
    assert list(InboxItem.objects.order_by("pk").values_list("state", "attempts", "last_error")) == [
        ("new", 1, "KeyError"),
        ("done", 1, ""),
    ]
    assert Order.objects.count() == 1


@pytest.fixture
def slow(monkeypatch):
    return slow_platform(monkeypatch, "orderhub.deliveries")


def pushes(*numbers):
    slow_shop = make_shop("slow", platform="slow")
    receive_pushes(shop=slow_shop, events=[(f"push {n}", b"", "", [number], "") for n, number in enumerate(numbers)])
    return slow_shop


def test_pushes_are_fetched_in_lots_each_order_once(slow):
    pushes(*(f"T{n}" for n in range(30)), "T3", "T0")
    assert drain_inbox() == 32
    assert [len(lot) for lot in slow.asked] == [8, 8, 8, 6]
    assert set(InboxItem.objects.filter(source="push").values_list("state", "attempts")) == {("done", 1)}


def test_what_a_slow_platform_leaves_no_time_for_is_handed_back_without_a_try(slow):
    slow.seconds = 30
    pushes(*(f"T{n}" for n in range(10)))
    drain_inbox()
    assert [len(lot) for lot in slow.asked] == [8]
    waiting = InboxItem.objects.filter(source="push", state="new").order_by("pk")
    assert list(waiting.values_list("delivery_key", "attempts")) == [("push 8", 0), ("push 9", 0)]
    waiting.update(leased_until=None)
    drain_inbox()
    assert slow.asked[1] == ["T8", "T9"]


def test_a_platform_that_refuses_the_shop_is_asked_once_and_all_its_pushes_wait(slow):
    slow.refusal = ThrottledError("too many calls", retry_after=90)
    pushes(*(f"T{n}" for n in range(10)))
    drain_inbox()
    assert [len(lot) for lot in slow.asked] == [8]
    told = InboxItem.objects.filter(source="push").values_list("state", "attempts", "last_error").distinct()
    assert list(told) == [("new", 0, "too many calls")]
    assert drain_inbox() == 0


def test_refusals_now_and_then_do_not_put_the_oldest_off_for_ever(slow):
    slow.refusal = ThrottledError("too many calls", retry_after=90)
    shop = pushes("T0", "T1")
    drain_inbox()
    until = dict(InboxItem.objects.values_list("pk", "leased_until"))
    receive_pushes(shop=shop, events=[("late", b"", "", ["T2"], "")])
    assert drain_inbox() == 1
    assert {pk: moment for pk, moment in InboxItem.objects.values_list("pk", "leased_until") if pk in until} == until
