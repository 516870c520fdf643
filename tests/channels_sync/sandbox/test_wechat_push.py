"""What the emulated WeChat shop tells by itself, opened by a library that somebody else wrote."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from wechatpy.crypto import WeChatCrypto

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox


class Hub:
    """Notes the events it is told; answers with the next of `answers`, then always as the platform wants it."""

    def __init__(self):
        self.events, self.answers = [], []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                hub.events.append(hub.open(self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                status, body = hub.answers.pop(0) if hub.answers else (200, b"success")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/wx/"

    @staticmethod
    def open(path, body):
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        crypto = WeChatCrypto(SANDBOX.wechat_push_token, SANDBOX.wechat_push_key, SANDBOX.wechat_app_id)
        text = crypto.decrypt_message(json.loads(body), query["msg_signature"], query["timestamp"], query["nonce"])
        return json.loads(text)


@pytest.fixture
def hub():
    hub = Hub()
    thread = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield hub
    hub.server.shutdown()
    thread.join()
    hub.server.server_close()


@pytest.fixture
def sandbox(hub, clock):
    options = Options(shares={"wechat": 1.0}, moves=False, hooks={"wechat": hub.url})
    with Sandbox(options, now=clock) as sandbox:
        yield sandbox


def test_every_new_and_changed_order_is_told_once(hub, sandbox, clock):
    (push,) = sandbox.pushers
    made = sandbox.live.make(5)
    while push.step() == 0:
        pass
    assert sorted(str(event["order_info"]["order_id"]) for event in hub.events if "order_info" in event) <= sorted(made)
    assert len(hub.events) == 5
    assert all(isinstance(event["order_info"]["order_id"], int) for event in hub.events if "order_info" in event)
    number = next(n for n in made if sandbox.store.get(n).draft["status"] == "paid")
    clock.forward(seconds=5)
    sandbox.live.change(number, "ask_refund")
    push.step()
    assert hub.events[-1]["Event"] == "channels_ec_aftersale_update"
    assert str(hub.events[-1]["finder_shop_aftersale_status_update"]["order_id"]) == number
    assert push.step() > 0
    assert len(hub.events) == 6


@pytest.mark.parametrize("refusal", [(503, b""), (401, b""), (200, b"what?")])
def test_what_is_not_taken_comes_again_as_the_platform_does(hub, sandbox, clock, refusal):
    (push,) = sandbox.pushers
    sandbox.live.make(1)
    hub.answers = [refusal] * 99
    for number, wait in enumerate((0, 0, 0, 10, 60, 300, 1800, 3600, 3600, 3600), 1):
        if wait:
            clock.forward(seconds=wait - 1)
            push.step()
            assert len(hub.events) == number - 1
            clock.forward(seconds=1)
        push.step()
        assert len(hub.events) == number
    clock.forward(hours=3)
    push.step()
    assert len(hub.events) == 10
    assert (push.told, push.given_up) == (0, 1)


def test_a_hub_that_is_away_is_told_later(hub, sandbox, clock):
    (push,) = sandbox.pushers
    sandbox.live.make(1)
    push._url = "http://127.0.0.1:9/hooks/wx/"
    push.step()
    assert push.last_error
    push._url = hub.url
    push.step()
    assert len(hub.events) == 1
    assert push.told == 1


def told(hub):
    return [event["order_info"]["order_id"] for event in hub.events]


@pytest.mark.parametrize(
    ("kind", "order"), [("disconnect", [1, 2]), ("duplicates", [0, 0, 1, 2]), ("out_of_order", [1, 0, 2])]
)
def test_faults_of_the_push(hub, sandbox, kind, order):
    (push,) = sandbox.pushers
    made = [int(number) for number in sandbox.live.make(3)]
    sandbox.faults.add({"kind": kind, "method": "wechat.push"})
    while push.step() == 0:
        pass
    first = sorted(made)
    assert [first.index(number) for number in told(hub)] == order
    assert push.lost == (kind == "disconnect")


def test_a_late_event_comes_after_its_time(hub, sandbox, clock):
    (push,) = sandbox.pushers
    sandbox.live.make(1)
    sandbox.faults.add({"kind": "slow", "method": "wechat.push", "seconds": 5})
    while push.step() == 0:
        pass
    assert told(hub) == []
    clock.forward(seconds=6)
    push.step()
    assert len(told(hub)) == 1
