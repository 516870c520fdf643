import orjson
import pytest

from channels_sync import readers
from orderhub.deliveries import drain_inbox, process
from orderhub.models import InboxItem, Order
from orderhub.services.inbox import receive
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
