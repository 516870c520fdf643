"""The emulator answers a client that somebody else wrote."""

import http.client

import pytest
import taobao_open
from taobao_open.api.base import RestApi, TopException

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox, utc_now


class SoldIncrement(RestApi):
    def __init__(self, port):
        super().__init__("127.0.0.1", port)
        now = int(utc_now().timestamp()) + 8 * 3600
        self.fields = "tid,orders"
        self.start_modified = _gmt8(now - 600)
        self.end_modified = _gmt8(now + 60)

    def getapiname(self):
        return "taobao.trades.sold.increment.get"


def _gmt8(seconds):
    return utc_now().fromtimestamp(seconds, utc_now().tzinfo).strftime("%Y-%m-%d %H:%M:%S")


@pytest.fixture
def closing(monkeypatch):
    """Close the connections of this client, which it never does itself."""
    made = []

    class Kept(http.client.HTTPConnection):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(http.client, "HTTPConnection", Kept)
    yield
    for connection in made:
        connection.close()
    assert made


@pytest.mark.usefixtures("closing")
def test_foreign_client_lists_orders_and_sees_errors():
    with Sandbox(Options(taobao_share=1.0, moves=False)) as sandbox:
        made = sandbox.live.make(3)
        request = SoldIncrement(int(sandbox.url.rsplit(":", 1)[1]))
        request.set_app_info(taobao_open.appinfo(SANDBOX.app_key, SANDBOX.app_secret))
        answer = request.getResponse(SANDBOX.session)["trades_sold_increment_get_response"]
        assert {str(trade["tid"]) for trade in answer["trades"]["trade"]} == set(made)
        request.set_app_info(taobao_open.appinfo(SANDBOX.app_key, "wrong"))
        with pytest.raises(TopException) as refused:
            request.getResponse(SANDBOX.session)
        assert refused.value.errorcode == 25
