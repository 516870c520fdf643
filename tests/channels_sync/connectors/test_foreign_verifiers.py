"""What our connectors send, checked by the signing code of SDKs that somebody else wrote.

The other direction, foreign clients against the emulators, is in `tests/channels_sync/sandbox/test_*third_party*.py`:
otherwise client and emulator could share one mistake.
"""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from doudian import DouDian
from doudian.type import AppType
from pyjos.client import JdClient
from taobao_open.api.base import sign as top_sign

from channels_sync.connectors.base import ShopAccess, Window, connectors
from channels_sync.connectors.exchange import Memo, StockWrite
from channels_sync.sandbox.credentials import SANDBOX
from orderhub.core.errors import HubError
from orderhub.management.demo import shops_of
from tests.channels_sync.wire import Wire

CREDENTIALS = {platform: credentials for _code, platform, _name, credentials in shops_of(SANDBOX)}
MEMO = Memo("1234567890", "addr ok & paid=1", "red")
STOCK = StockWrite("620000000001", "6200000000011", "SKU-1", 7, "key-1")


class Budget:
    def take(self, calls):
        return [time.monotonic()] * calls

    def block(self, seconds):
        pass


def access(platform):
    return ShopAccess(
        shop_id=1, code="x", credentials=CREDENTIALS[platform], settings={}, budget=lambda _key, _rate: Budget(),
        known=lambda versions: set(),
    )  # fmt: skip


def pull(platform):
    now = datetime.now(UTC)
    window = Window(now - timedelta(minutes=30), now)
    return lambda: list(connectors.get(platform).pull(access(platform), window))


def write(platform, name, value):
    return lambda: getattr(connectors.get(platform), name)(access(platform), value)


CALLS = {
    "pull": lambda platform: pull(platform),
    "memo": lambda platform: write(platform, "write_memo", MEMO),
    "stock": lambda platform: write(platform, "write_stock", [STOCK]),
}


@pytest.fixture
def sent(settings):
    """Make a call against a server that answers nothing useful; return its parameters and the bare query and body."""
    with Wire() as server:
        server.body({})
        settings.TAOBAO_GATEWAY_URL = settings.JD_GATEWAY_URL = server.url
        settings.DOUYIN_GATEWAY_URL = server.url

        def make(platform, call):
            with suppress(HubError):
                CALLS[call](platform)()
            head, body = server.requests[0]
            path, _, query = head.split(b" ")[1].decode().partition("?")
            return path, dict(parse_qsl(query, keep_blank_values=True)), body.decode()

        yield make


@pytest.mark.parametrize("call", CALLS)
def test_taobao(sent, call):
    _path, query, body = sent("taobao", call)
    params = {**query, **dict(parse_qsl(body, keep_blank_values=True))}
    given = params.pop("sign")
    assert given == top_sign(SANDBOX.app_secret, params)


@pytest.mark.parametrize("call", CALLS)
def test_jd(sent, call):
    _path, query, body = sent("jd", call)
    params = {**query, **dict(parse_qsl(body, keep_blank_values=True))}
    given = params.pop("sign")
    client = JdClient()
    client.app_secret = SANDBOX.jd_app_secret
    assert given == client.generate_sign(params)


@pytest.mark.parametrize("call", CALLS)
def test_douyin(sent, call):
    path, query, body = sent("douyin", call)
    client = DouDian(SANDBOX.douyin_app_key, SANDBOX.douyin_secret, app_type=AppType.TOOL)
    assert query["method"] == path.removeprefix("/x/").replace("/", ".")
    assert query["sign"] == client._sign(query["method"], body, query["timestamp"])
