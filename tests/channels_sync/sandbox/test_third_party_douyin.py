"""The Douyin emulator answers and pushes to a client that somebody else wrote."""

import json
import time

import pytest
from doudian import DouDian
from doudian.type import AppType

from channels_sync.sandbox import douyin_push, hooks
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox


@pytest.fixture
def china(monkeypatch):
    """The client writes its timestamps in local time, which it takes for China's."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def sandbox():
    with Sandbox(Options(shares={"douyin": 1}, moves=False)) as running:
        yield running


def client(sandbox, secret=SANDBOX.douyin_secret):
    found = DouDian(SANDBOX.douyin_app_key, secret, app_type=AppType.TOOL)
    found._gate_way = f"{sandbox.url}/douyin"
    return found


@pytest.mark.usefixtures("china")
def test_a_foreign_client_gets_a_token_lists_orders_and_sees_errors(sandbox):
    made = sandbox.live.make(3)
    ours = client(sandbox)
    assert ours.init_token(SANDBOX.douyin_code)
    now = int(time.time())
    window = {"update_time_start": now - 600, "update_time_end": now + 60, "page": 0, "size": 10}
    answer = ours.request("/order/searchList", {**window, "order_by": "update_time", "product": "双11<礼盒>&A"})
    assert answer["err_no"] == 0
    assert {row["order_id"] for row in answer["data"]["shop_order_list"]} == set(made)
    remark = {"order_id": made[0], "remark": "改发顺丰", "is_add_star": "true", "star": "5"}
    assert ours.request("/order/addOrderRemark", remark)["code"] == 10000
    assert sandbox.store.get(made[0]).draft["flag"] == "red"
    stranger = client(sandbox, "another")
    stranger._token = ours._token
    assert stranger.request("/order/searchList", window)["sub_code"] == "isv.signature-invalid"


def test_a_foreign_client_accepts_its_pushes(sandbox, monkeypatch):
    calls = []
    monkeypatch.setattr(hooks, "post", lambda url, headers, body: calls.append((headers, body)) or (200, b"{}"))
    (number,) = sandbox.live.make(1)
    pusher = douyin_push.DouyinPush(sandbox.store, SANDBOX, sandbox.faults, sandbox.now, "http://x/")
    pusher.step()
    headers, body = calls[0]
    events = client(sandbox).callback(headers, body)
    assert json.loads(events[0]["data"])["p_id"] == int(number)
    assert client(sandbox).callback(headers, body + b" ") is None
