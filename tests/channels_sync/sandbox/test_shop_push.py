import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from channels_sync.sandbox import shop_push
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.sandbox.shop_push import Hub, ShopPush
from channels_sync.sandbox.store import Store


class FakeHub:
    """The intake end point as the shop sees it; `statuses` are answered in turn, then 200."""

    def __init__(self):
        self.calls = []
        self.statuses = []
        self.url = ""


@pytest.fixture
def hub():
    fake = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.calls.append((self.path, self.headers["Authorization"], self.headers["Idempotency-Key"], body))
            self.send_response(fake.statuses.pop(0) if fake.statuses else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield fake
    server.shutdown()
    server.server_close()


@contextmanager
def shop(clock, hub, state_dir=None):
    options = Options(taobao_share=0.0, moves=False, hub=Hub(hub.url, "t0k3n", "mini"), state_dir=state_dir)
    with Sandbox(options, now=clock) as sandbox:
        yield sandbox


def numbers(call):
    return [draft["external_no"] for draft in call[3]["orders"]]


def test_orders_are_pushed_once_with_token_and_key(clock, hub):
    with shop(clock, hub) as sandbox:
        made = sandbox.live.make(3)
        sandbox.push.step()
        assert sandbox.push.step() == 1.0
    ((path, token, key, body),) = hub.calls
    assert (path, token, body["shop"]) == ("/api/v1/intake/", "Token t0k3n", "mini")
    assert sorted(numbers(hub.calls[0])) == sorted(made)
    assert len(key) == 36
    assert body["orders"][0]["buyer"]["ip"]


def test_failed_batch_is_repeated_with_its_key_and_grows_pauses(clock, hub):
    hub.statuses = [503, 401, 429]
    with shop(clock, hub) as sandbox:
        sandbox.live.make(1)
        assert [sandbox.push.step() for _ in range(4)] == [1.0, 2.0, 4.0, 0.0]
        assert sandbox.push.last_error == ""
    assert len({call[2] for call in hub.calls}) == 1
    assert hub.calls[0][3] == hub.calls[3][3]


def test_batch_that_was_never_answered_goes_out_again_after_a_restart(clock, hub, tmp_path):
    hub.statuses = [500]
    with shop(clock, hub, tmp_path) as sandbox:
        made = sandbox.live.make(2)
        sandbox.push.step()
    with shop(clock, hub, tmp_path) as sandbox:
        sandbox.push.step()
        assert sandbox.store.totals()["to_push"] == 0
    assert sorted(numbers(hub.calls[1])) == sorted(made)
    assert hub.calls[0][2] == hub.calls[1][2]


def test_absent_hub_loses_nothing(clock, hub):
    with shop(clock, hub) as sandbox:
        sandbox.live.make(1)
        away = ShopPush(sandbox.store, Hub("http://127.0.0.1:9", "t", "mini"), clock)
        assert away.step() == 1.0
        assert "Connection" in away.last_error
        assert sandbox.store.totals()["to_push"] == 1
        sandbox.push.step()
        assert sandbox.store.totals()["to_push"] == 0


def test_changed_order_is_pushed_again(clock, hub):
    with shop(clock, hub) as sandbox:
        (number,) = sandbox.live.make(1)
        sandbox.push.step()
        clock.forward(seconds=9)
        sandbox.live.change(number, "note")
        sandbox.push.step()
    first, second = (call[3]["orders"][0] for call in hub.calls)
    assert second["modified_at"] > first["modified_at"]
    assert second["seller_remark"]


def test_change_while_a_batch_is_out_is_not_taken_for_pushed(clock, hub):
    hub.statuses = [500]
    with shop(clock, hub) as sandbox:
        (number,) = sandbox.live.make(1)
        sandbox.push.step()
        sandbox.live.change(number, "note")
        sandbox.push.step()
        assert sandbox.store.totals()["to_push"] == 1
        sandbox.push.step()
    assert [call[3]["orders"][0]["seller_remark"] != "" for call in hub.calls][-1]


def test_batch_that_is_always_refused_is_put_aside(clock, hub):
    hub.statuses = [400] * shop_push.PATIENCE
    with shop(clock, hub) as sandbox:
        sandbox.live.make(1)
        for _ in range(shop_push.PATIENCE):
            sandbox.push.step()
        assert sandbox.store.totals()["refused_batches"] == 1
        assert sandbox.push.last_error.startswith("HTTP 400")
        sandbox.live.make(1)
        assert sandbox.push.step() == 0.0


def test_large_heap_goes_in_batches_of_at_most_a_thousand(clock, hub):
    with shop(clock, hub) as sandbox:
        sandbox.live.make(450)
        push = ShopPush(sandbox.store, Hub(hub.url, "t", "mini"), clock, size=200)
        while push.step() == 0.0:
            pass
    assert [len(call[3]["orders"]) for call in hub.calls] == [200, 200, 50]


def test_orders_of_the_future_wait(clock, hub):
    with shop(clock, hub) as sandbox:
        sandbox.live.rate = 600
        sandbox.live.beat(1)
        waiting = sandbox.store.totals()["to_push"]
        assert waiting >= 10
        clock.forward(minutes=20)
        sandbox.push.step()
        assert sandbox.store.totals()["to_push"] == 0
    assert len(numbers(hub.calls[0])) == waiting


def test_memory_store_needs_no_file():
    assert Store().totals()["mini"] == 0
