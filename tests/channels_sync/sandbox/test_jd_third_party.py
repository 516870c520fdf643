"""The JD emulator answers a client that somebody else wrote."""

import json
import time
from datetime import timedelta

import pytest
from pyjos.client import JdClient

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox, utc_now
from tests.channels_sync.sandbox.conftest import at


class Request:
    """What this client executes; it signs ASCII only, so that other texts must be escaped."""

    def __init__(self, method, **args):
        self.api_method_name = method
        self.api_params = json.dumps(args)


@pytest.fixture
def china(monkeypatch):
    """This client stamps its requests with the machine's local time."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_foreign_client_lists_orders_writes_and_sees_errors(china):
    with Sandbox(Options(shares={"jd": 1.0}, moves=False)) as sandbox:
        made = sandbox.live.make(20)
        client = JdClient()
        client.app_key, client.app_secret = SANDBOX.jd_app_key, SANDBOX.jd_app_secret
        client.server_url = f"{sandbox.url}/jd/routerjson"
        search = Request(
            "jingdong.pop.order.search", start_date=at(utc_now() - timedelta(hours=1)), end_date=at(utc_now()),
            order_state="WAIT_SELLER_STOCK_OUT", optional_fields="orderId,itemInfoList", page="1", page_size="50",
            dateType="0", sortType="0",
        )  # fmt: skip
        answer = client.execute(search, SANDBOX.jd_token)["jingdong_pop_order_search_responce"]
        numbers = [row["orderId"] for row in answer["searchorderinfo_result"]["orderInfoList"]]
        assert numbers
        assert set(numbers) <= set(made)
        note = Request("jingdong.pop.order.modifyVenderRemark", order_id=numbers[0], flag=1, remark="加急")
        told = client.execute(note, SANDBOX.jd_token)["jingdong_pop_order_modifyVenderRemark_responce"]
        assert told["modifyvenderremark_result"]["success"] is True
        assert sandbox.store.get(numbers[0]).draft["seller_remark"] == "加急"
        assert client.execute(search, "another token")["error_response"]["code"] == "19"
        client.app_secret = "wrong"
        assert client.execute(search, SANDBOX.jd_token)["error_response"]["code"] == "12"
