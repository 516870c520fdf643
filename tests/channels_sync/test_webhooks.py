"""The push endpoint with a small platform of its own, so that no platform's crypto stands between."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from channels_sync.connectors.base import Connector, RawPage, connectors
from channels_sync.connectors.exchange import PushAnswer, Pushed, PushRefusedError
from orderhub.deliveries import drain_inbox
from orderhub.models import InboxItem, Order
from tests.drafts import deliver, draft
from tests.factories import make_shop
from triage.services import load_defaults

SECRET = b"not-a-secret"


class Platform(Connector):
    key = "signed"
    label = "Signed"
    pushes = True

    def accept_push(self, access, request):
        wanted = hmac.new(SECRET, request.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, request.headers.get("x-sign", "")):
            raise PushRefusedError("wrong signature")
        event = json.loads(request.body)
        pushed = Pushed(
            f"e:{event['id']}", request.body, reader=event.get("reader", ""), numbers=event.get("numbers", ())
        )
        return [pushed], PushAnswer(b'{"ok":1}')

    def fetch(self, access, numbers) -> Iterator[RawPage]:
        body = json.dumps([draft(number) for number in numbers]).encode()
        yield RawPage("fetched", body, "application/json", "draft", len(numbers))


@pytest.fixture
def shop(monkeypatch, transactional_db):
    load_defaults()
    monkeypatch.setitem(connectors._items, "signed", Platform())
    return make_shop("hooked", platform="signed")


def push(client, body, *, sign=True, code="hooked"):
    raw = json.dumps(body).encode()
    signature = hmac.new(SECRET, raw, hashlib.sha256).hexdigest() if sign else "0"
    return client.post(f"/hooks/{code}/", raw, content_type="application/json", headers={"x-sign": signature})


@pytest.mark.usefixtures("shop")
def test_a_push_that_names_orders_has_them_fetched_after_the_answer(client):
    answer = push(client, {"id": 1, "numbers": ["T1", "T2"]})
    assert (answer.status_code, answer.content) == (200, b'{"ok":1}')
    assert Order.objects.count() == 0
    assert drain_inbox() == 1
    assert set(Order.objects.values_list("external_no", flat=True)) == {"T1", "T2"}


@pytest.mark.usefixtures("shop")
def test_the_same_event_five_times_is_stored_once(client):
    codes = {push(client, {"id": 7, "numbers": ["T1"]}).status_code for _ in range(5)}
    assert (codes, InboxItem.objects.count()) == ({200}, 1)


@pytest.mark.usefixtures("shop")
def test_a_wrong_signature_is_refused_and_nothing_is_stored(client):
    assert push(client, {"id": 1, "numbers": ["T1"]}, sign=False).status_code == 401
    assert InboxItem.objects.count() == 0


def test_a_shop_that_is_not_there_or_does_not_push_says_nothing_of_it(client, shop):
    make_shop("quiet", platform="file")
    assert [push(client, {"id": 1}, code=code).status_code for code in ("nobody", "quiet")] == [404, 404]


def test_a_push_that_waited_while_its_order_was_polled_asks_the_platform_nothing(client, shop):
    deliver(shop, draft("T1"), draft("T2"))
    for number, waited in (("T1", timedelta(minutes=3)), ("T2", timedelta(minutes=1))):
        push(client, {"id": number, "numbers": [number]})
        newest = InboxItem.objects.latest("pk").pk
        InboxItem.objects.filter(pk=newest).update(received_at=timezone.now() - waited)
    with mock.patch.object(Platform, "fetch", autospec=True, side_effect=Platform.fetch) as fetch:
        drain_inbox()
    assert [call.args[2] for call in fetch.call_args_list] == [["T2"]]
    assert set(InboxItem.objects.filter(source="push").values_list("state", "rows")) == {("done", 0), ("done", 1)}
