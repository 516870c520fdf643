import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.douyin_push import MOST_TRIES
from channels_sync.sandbox.server import Options, Sandbox

TAKEN = b'{"code":0,"msg":"success"}'


class FakeHub:
    """The hook as the platform sees it; `answers` are given in turn, then the right one."""

    def __init__(self):
        self.calls = []
        self.answers = []
        self.url = ""

    def events(self):
        return [event for _headers, body in self.calls for event in json.loads(body)]

    def tags(self):
        return [event["tag"] for event in self.events()]


@pytest.fixture
def hub():
    fake = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fake.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status, answer = fake.answers.pop(0) if fake.answers else (200, TAKEN)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/dy/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def sandbox(clock, hub):
    with Sandbox(Options(shares={"douyin": 1}, moves=False, hooks={"douyin": hub.url}), now=clock) as running:
        yield running


@pytest.fixture
def pusher(sandbox):
    return sandbox.pushers[-1]


def paid(sandbox):
    while True:
        (number,) = sandbox.live.make(1)
        draft = sandbox.store.get(number).draft
        if draft["status"] == "paid" and not draft["channel_hold"] and draft["lines"][0]["refund"] == "none":
            return number


def drain(pusher):
    while pusher.step() == 0.0:
        pass


def test_a_new_order_is_told_once_and_signed_over_the_raw_body(sandbox, hub, pusher):
    number = paid(sandbox)
    drain(pusher)
    drain(pusher)
    headers, body = hub.calls[0]
    key, secret = SANDBOX.douyin_app_key.encode(), SANDBOX.douyin_secret.encode()
    assert headers["app-id"] == SANDBOX.douyin_app_key
    assert headers["event-sign"] == hashlib.md5(key + body + secret).hexdigest()
    told = [json.loads(event["data"])["p_id"] for event in hub.events()]
    assert told.count(int(number)) == 2
    assert hub.tags()[-2:] == ["100", "101"]
    assert len({event["msg_id"] for event in hub.events()}) == len(hub.events())


@pytest.mark.parametrize(
    ("change", "tags"), [("note", ["113"]), ("move", ["105"]), ("ask_refund", ["200"]), ("hold", ["110"])]
)
def test_each_change_has_its_event(sandbox, hub, pusher, clock, change, tags):
    number = paid(sandbox)
    drain(pusher)
    hub.calls.clear()
    clock.forward(seconds=5)
    sandbox.live.change(number, change)
    drain(pusher)
    assert hub.tags() == tags


@pytest.mark.parametrize("answer", [(500, b""), (200, b"ok"), (200, b'{"code":1}'), (503, TAKEN)])
def test_any_other_answer_is_pushed_again_with_the_same_ids(sandbox, hub, pusher, clock, answer):
    hub.answers = [answer]
    paid(sandbox)
    assert pusher.step() == 1.0
    assert pusher.last_error
    clock.forward(seconds=2)
    drain(pusher)
    first, second = (json.loads(body) for _headers, body in hub.calls[:2])
    assert first == second
    assert (pusher.open_events(), pusher.last_error) == (0, "")


def test_pauses_grow_and_in_the_end_an_event_is_lost(sandbox, hub, pusher, clock):
    hub.answers = [(500, b"")] * 100
    paid(sandbox)
    while pusher.open_events() or not hub.calls:
        pusher.step()
        clock.forward(seconds=70)
    tries = [json.loads(body)[0]["msg_id"] for _headers, body in hub.calls]
    assert tries.count(tries[0]) == MOST_TRIES


def test_a_hub_that_is_away_is_tried_again(sandbox, hub, pusher, clock):
    pusher._url = "http://127.0.0.1:9/hooks/dy/"
    paid(sandbox)
    assert pusher.step() == 1.0
    assert "Connection" in pusher.last_error
    pusher._url = hub.url
    clock.forward(seconds=2)
    drain(pusher)
    assert hub.tags()[:2] == ["100", "101"]


@pytest.mark.parametrize(("kind", "calls"), [("duplicates", 2), ("out_of_order", 1), ("disconnect", 0)])
def test_faults_of_the_push(sandbox, hub, pusher, kind, calls):
    paid(sandbox)
    sandbox.faults.add({"kind": kind, "method": "douyin.push"})
    pusher.step()
    assert len(hub.calls) == calls
    assert pusher.open_events() == 0
    if kind == "out_of_order":
        assert hub.tags()[-1] == "100"


def test_late_events_come_after_their_time(sandbox, hub, pusher, clock):
    paid(sandbox)
    sandbox.faults.add({"kind": "slow", "method": "douyin.push", "seconds": 5})
    drain(pusher)
    assert (hub.calls, pusher.open_events() > 0) == ([], True)
    clock.forward(seconds=6)
    drain(pusher)
    assert hub.tags()[0] == "100"


def test_what_was_not_told_goes_out_after_a_restart(clock, hub, tmp_path):
    options = Options(shares={"douyin": 1}, moves=False, hooks={"douyin": hub.url}, state_dir=tmp_path)
    hub.answers = [(500, b"")]
    with Sandbox(options, now=clock) as first:
        paid(first)
        first.pushers[-1].step()
    clock.forward(seconds=3)
    with Sandbox(options, now=clock) as second:
        drain(second.pushers[-1])
    assert hub.calls[0][1] == hub.calls[1][1]
