"""The signed webhook: what is let in, what is refused, and what becomes of status words."""

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import pytest

from channels_sync.connectors.base import ShopAccess, connectors
from channels_sync.connectors.exchange import PushRefusedError, PushRequest
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.sandbox.webhook_push import WORDS
from orderhub.deliveries import drain_inbox
from orderhub.models import InboxItem, Order, Reject
from tests.channels_sync.clock import PlatformClock
from tests.drafts import draft
from tests.factories import make_shop
from triage.services import load_defaults

NOW = 1_800_000_000
SECRET = SANDBOX.webhook_secret
MEANINGS = {word: status for status, word in WORDS.items()}


def sign(body, stamp=NOW, secret=SECRET):
    return "sha256=" + hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


def push(body, *, stamp=NOW, signature=None, method="POST", settings=None, **credentials):
    access = ShopAccess(
        shop_id=1, code="w", credentials={"secret": SECRET, **credentials}, settings=settings or {},
        budget=lambda _key, _rate: None, known=lambda versions: set(),
    )  # fmt: skip
    headers = {"x-hub-timestamp": str(stamp), "x-hub-signature": sign(body, stamp) if signature is None else signature}
    return connectors.get("webhook").accept_push(access, PushRequest(method, {}, headers, body))


@pytest.fixture(autouse=True)
def now(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: NOW + 0.0)


def orders(events):
    return json.loads(events[0].body)


def test_a_known_signature():
    # Worked out with another tool: printf '1800000000.{}' | openssl dgst -sha256 -hmac key
    assert sign(b"{}", secret="key") == "sha256=" + KNOWN


KNOWN = "7321475872b03ff21bdc2dfd86ea2d99ec29c479fbe4a77aa6acf4509505493f"


@pytest.mark.parametrize("form", [lambda o: o, lambda o: [o], lambda o: {"orders": [o]}])
def test_an_order_a_list_or_an_object_of_orders(form):
    body = json.dumps(form(draft("W1"))).encode()
    (event,), answer = push(body)
    assert (event.reader, event.body, answer.status) == ("draft", body, 200)
    assert json.loads(answer.body) == {"received": 1}


def test_the_same_body_has_the_same_key_at_any_time():
    body = json.dumps(draft("W1")).encode()
    keys = {push(body, stamp=NOW + offset)[0][0].delivery_key for offset in (-299, 0, 299)}
    assert len(keys) == 1
    assert push(json.dumps(draft("W2")).encode())[0][0].delivery_key not in keys


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"stamp": NOW - 301}, 401, "a replay, or a clock"), ({"stamp": NOW + 301}, 401, "a replay, or a clock"),
        ({"stamp": "soon"}, 401, "unix seconds"), ({"stamp": ""}, 401, "unix seconds"), ({"stamp": "٣"}, 401, "unix"),
        ({"stamp": "9" * 12}, 401, "unix seconds"), ({"signature": ""}, 401, "signature is wrong"),
        ({"signature": "sha256=" + "0" * 64}, 401, "wrong"), ({"signature": "ß"}, 401, "wrong"),
        ({"method": "GET"}, 405, "by POST"),
    ],
)  # fmt: skip
def test_what_is_not_the_shops_is_refused(given, status, words):
    with pytest.raises(PushRefusedError, match=words) as refused:
        push(json.dumps(draft("W1")).encode(), **given)
    assert refused.value.status == status


def test_one_changed_byte_is_refused():
    body = json.dumps(draft("W1")).encode()
    with pytest.raises(PushRefusedError, match="signature"):
        push(body.replace(b"W1", b"W2"), signature=sign(body))


@pytest.mark.parametrize("body", [b"", b"{", b"7", b'"W1"', b'{"orders": 7}', b"\xff"])
def test_a_signed_body_that_is_no_orders_is_refused(body):
    with pytest.raises(PushRefusedError) as refused:
        push(body)
    assert refused.value.status == 400


def test_no_orders_are_no_event():
    events, answer = push(b'{"orders": []}')
    assert (events, json.loads(answer.body)) == ([], {"received": 0})


def test_the_window_is_a_setting_and_nonsense_leaves_it():
    body = json.dumps(draft("W1")).encode()
    assert push(body, stamp=NOW - 900, settings={"replay_seconds": 1000})[0]
    for window in (0, -5, "long", None):
        with pytest.raises(PushRefusedError):
            push(body, stamp=NOW - 301, settings={"replay_seconds": window})


def test_the_previous_secret_is_good_until_it_is_taken_out():
    body = json.dumps(draft("W1")).encode()
    old = sign(body, secret="old")
    assert push(body, signature=old, previous_secret="old")[0]
    with pytest.raises(PushRefusedError):
        push(body, signature=old)


def test_status_words_become_the_hubs_and_unknown_ones_hold_their_order():
    told = [draft(f"W{n}", status=word) for n, word in enumerate(("PAID", "paid", "FROZEN"))]
    events, _ = push(json.dumps(told).encode(), settings={"statuses": {"PAID": "paid"}})
    shown = [(o["status"], o.get("channel_status"), o.get("channel_hold")) for o in orders(events)]
    assert shown == [("paid", "PAID", None), ("paid", None, None), ("paid", "FROZEN", "unknown:FROZEN")]


def test_a_hold_of_the_other_system_is_kept_beside_an_unknown_word():
    events, _ = push(json.dumps(draft("W1", status="FROZEN", channel_hold="fraud")).encode())
    assert [(o["status"], o["channel_hold"]) for o in orders(events)] == [("paid", "fraud")]


def test_rows_that_are_no_orders_are_left_to_the_reader():
    events, _ = push(json.dumps([7, {"status": 5}, draft("W1", status="X")]).encode())
    assert orders(events)[:2] == [7, {"status": 5}]


@pytest.fixture
def shop(transactional_db):
    load_defaults()
    shop = make_shop("w", platform="webhook", settings={"statuses": MEANINGS})
    shop.credentials = {"secret": SECRET}
    shop.save()
    return shop


@pytest.fixture
def system(live_server, settings, shop, monkeypatch):
    """The emulated shop system, which posts to the hub."""
    monkeypatch.undo()
    settings.ALLOWED_HOSTS = ["*"]
    options = Options(shares={"webhook": 1}, moves=False, serial=1, hooks={"webhook": f"{live_server.url}/hooks/w/"})
    with Sandbox(options, now=PlatformClock()) as sandbox:
        yield sandbox


def tell(system):
    (push,) = system.pushers
    waits = [push.step() for _ in range(40)]
    assert waits[-1] == 1.0, push.last_error
    while drain_inbox(50, min_age_seconds=0):
        pass


def in_pool():
    rows = Order.objects.values_list("external_no", "paid_fen", "seller_remark", "modified_at")
    return {number: (paid, remark, at) for number, paid, remark, at in rows}


def on_the_other_side(system):
    return {
        o.draft["external_no"]: (
            o.draft["paid_fen"], o.draft["seller_remark"],
            datetime.fromisoformat(o.draft["modified_at"]).astimezone(UTC),
        )
        for o in system.store.latest("webhook", 1000)
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["", "disconnect", "answer_lost", "duplicates", "out_of_order"])
def test_every_order_and_change_comes_whatever_happens_to_the_messages(system, kind):
    made = system.live.make(70)
    tell(system)
    if kind:
        system.faults.add({"kind": kind, "method": "webhook.push", "times": 3})
    for number in made[:8]:
        system.now.forward()
        system.live.change(number, "note")
        tell(system)
    assert in_pool() == on_the_other_side(system)
    assert Reject.objects.count() == 0
    assert [fault["fired"] for fault in system.faults.listing()] == ([3] if kind else [])


@pytest.mark.django_db(transaction=True)
def test_the_hub_refuses_a_wrong_signature_and_keeps_nothing(system, shop):
    shop.credentials = {"secret": "another"}
    shop.save()
    system.live.make(1)
    (push,) = system.pushers
    assert push.step() == 1.0
    assert push.last_error.startswith("HTTP 401")
    assert InboxItem.objects.count() == 0
