"""The Douyin gateway seen by a client that shares no code with it."""

import hashlib
import hmac
import json
import urllib.request
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from channels_sync.sandbox import catalogue
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.douyin import expected_sign
from channels_sync.sandbox.server import Options, Sandbox

VECTORS = json.loads((Path(__file__).parents[2] / "payloads" / "vectors" / "douyin.json").read_text(encoding="utf-8"))


class Outside:
    """Calls the gateway with signing code of its own."""

    def __init__(self, sandbox, clock):
        self.sandbox = sandbox
        self.clock = clock

    def call(self, method, params=None, *, secret=SANDBOX.douyin_secret, headers=None, text=None, **changed):
        text = json.dumps(params or {}, sort_keys=True, separators=(",", ":")) if text is None else text
        query = {
            "app_key": SANDBOX.douyin_app_key, "method": method, "access_token": SANDBOX.douyin_token,
            "timestamp": str(int(self.clock().timestamp())), "v": "2", "sign_method": "hmac-sha256", **changed,
        }  # fmt: skip
        bare = "".join(name + query[name] for name in ("app_key", "method")) + f"param_json{text}"
        bare = f"{secret}{bare}timestamp{query['timestamp']}v{query['v']}{secret}".encode()
        if query["sign_method"]:
            query["sign"] = hmac.new(secret.encode(), bare, hashlib.sha256).hexdigest()
        else:
            query["sign"] = hashlib.md5(bare).hexdigest()
        query = {name: value for name, value in query.items() if value}
        url = f"{self.sandbox.url}/douyin/{method.replace('.', '/')}?{urlencode(query)}"
        request = urllib.request.Request(url, text.encode(), headers or {}, method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    def listing(self, **params):
        end = int(self.clock().timestamp())
        given = {"update_time_start": end - 3600, "update_time_end": end, "order_by": "update_time",
                 "order_asc": True, "page": 0, "size": 100, **params}  # fmt: skip
        return self.call("order.searchList", {name: value for name, value in given.items() if value is not None})

    def rows(self, **params):
        return self.listing(**params)["data"]["shop_order_list"]


@pytest.fixture
def douyin(clock):
    with Sandbox(Options(shares={"douyin": 1}, moves=False), now=clock) as sandbox:
        yield Outside(sandbox, clock)


def refused(answer):
    assert answer["data"] is None
    return answer["code"], answer["sub_code"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if "param_json" in v["inputs"]], ids=lambda v: v["id"])
def test_its_signature_equals_that_of_other_sdks(vector):
    inputs = vector["inputs"]
    assert expected_sign(inputs, inputs["param_json"], inputs["app_secret"]) == vector["expected"]["sign"]


def test_without_a_sign_method_md5_is_expected(douyin):
    assert douyin.call("order.logisticsCompanyList", sign_method="")["code"] == 10000


def test_both_envelopes(douyin):
    old = douyin.call("order.logisticsCompanyList")
    new = douyin.call("order.logisticsCompanyList", headers={"x-open-no-old-err-code": "1"})
    assert (old["err_no"], old["code"], old["msg"]) == (0, 10000, "success")
    assert "err_no" not in new


@pytest.mark.parametrize(
    ("changed", "code", "sub_code"),
    [
        ({"app_key": "1"}, 40001, "isv.app-id-missing"),
        ({"access_token": ""}, 40001, "isv.access-token-missing"),
        ({"access_token": "x"}, 40003, "isv.access-token-no-existed"),
        ({"timestamp": "yesterday"}, 40003, "isv.timestamp-format-error"),
        ({"timestamp": "1"}, 40003, "isv.timestamp-invalid"),
        ({"secret": "x"}, 40003, "isv.signature-invalid"),
        ({"v": "1"}, 40003, "isv.parameter-invalid"),
        ({"text": "{"}, 40003, "isv.parameter-format-invalid"),
    ],
)
def test_callers_are_checked(douyin, changed, code, sub_code):
    assert refused(douyin.call("order.logisticsCompanyList", **changed)) == (code, sub_code)


def test_a_method_that_is_not_there(douyin):
    assert refused(douyin.call("order.nothing"))[0] == 70000


def test_datetime_stamps_are_taken_too(douyin, clock):
    assert douyin.call("order.logisticsCompanyList", timestamp=clock().strftime("%Y-%m-%d %H:%M:%S"))["code"] == 10000


@pytest.mark.parametrize(
    ("params", "number"),
    [({"page": -1}, "10035"), ({"size": 101}, "20008"), ({"page": 100}, "20013"),
     ({"update_time_start": None}, "20011"), ({"combine_status": [{"order_status": "2"}, {}]}, "20012")],
)  # fmt: skip
def test_the_rules_of_the_list(douyin, params, number):
    assert refused(douyin.listing(**params)) == (40004, f"isv.parameter-invalid:{number}")


def test_orders_by_creation_go_ninety_days_back(douyin, clock):
    end = int(clock().timestamp())
    window = {"create_time_start": end - 91 * 86_400, "create_time_end": end, "update_time_start": None}
    assert refused(douyin.listing(**window, order_by="create_time"))[1] == "isv.parameter-invalid:20022"


def test_milliseconds_find_nothing(douyin, clock):
    douyin.sandbox.live.make(2)
    end = int(clock().timestamp()) * 1000
    assert douyin.rows(update_time_start=end - 3_600_000, update_time_end=end) == []


def test_pages_count_from_zero_and_the_newest_come_first_unless_asked(douyin):
    douyin.sandbox.live.backlog(25, 0.9)
    answer = douyin.listing(size=10)["data"]
    whole = [row["update_time"] for page in range(3) for row in douyin.rows(size=10, page=page)]
    assert (answer["page"], answer["size"], "has_more" in answer) == (0, 10, False)
    assert len(whole) == answer["total"]
    assert whole == sorted(whole)
    latest_first = [row["update_time"] for row in douyin.rows(order_asc=False)]
    assert latest_first == sorted(whole, reverse=True)


def test_lists_by_state(douyin):
    made = douyin.sandbox.live.make(60)
    states = {row["order_id"]: row["order_status"] for row in douyin.rows()}
    paid = douyin.rows(combine_status=[{"order_status": "2,101"}])
    assert set(states) == set(made)
    assert {row["order_id"] for row in paid} == {number for number, state in states.items() if state == 2}


def test_an_order_in_fen_seconds_and_sealed(douyin):
    (number,) = douyin.sandbox.live.make(1)
    (row,) = douyin.rows()
    draft = douyin.sandbox.store.get(number).draft
    assert row["order_id"] == row["sku_order_list"][0]["order_id"] == number
    assert row["pay_amount"] == draft["total_fen"] - draft["discount_fen"] + draft["freight_fen"]
    assert row["create_time"] == int(datetime.fromisoformat(draft["created_at"]).timestamp())
    assert (row["post_tel"], row["post_receiver"], row["post_addr"]["detail"]) == ("", "", "")
    text = json.dumps(row, ensure_ascii=False)
    for name in ("name", "phone", "detail"):
        assert draft["receiver"][name] not in text
    assert row["post_addr"]["town"]["name"] == draft["receiver"]["district"]


def test_equal_texts_share_the_search_part_of_their_cipher_texts(douyin):
    first, second = douyin.sandbox.live.make(2)
    order = douyin.sandbox.store.get(second)
    order.draft["receiver"] = douyin.sandbox.store.get(first).draft["receiver"]
    douyin.sandbox.store.save(order)
    one, two = (row["encrypt_post_tel"] for row in douyin.rows())
    assert one != two
    assert one.split("$")[1] == two.split("$")[1]


@pytest.mark.parametrize(
    ("change", "moves"), [("note", False), ("ask_refund", False), ("move", False), ("hold", True), ("release", True)]
)
def test_only_the_main_state_moves_the_modification_time(douyin, clock, change, moves):
    while True:
        (number,) = douyin.sandbox.live.make(1)
        if douyin.sandbox.store.get(number).draft["status"] == "paid":
            break
    clock.forward(minutes=1)
    douyin.sandbox.live.change(number, change)
    row = next(row for row in douyin.rows() if row["order_id"] == number)
    assert (row["update_time"] == int(clock().timestamp())) is moves


def test_stock_differences_need_a_key_and_count_once(douyin):
    article = catalogue.articles()[0]
    sku = {"sku_id": article.item_id * 10 + 1}
    change = {**sku, "stock_num": -5, "incremental": True, "idempotent_id": "one"}
    assert refused(douyin.call("sku.syncStock", {**change, "idempotent_id": ""}))[0] == 40002
    assert douyin.call("sku.syncStock", change)["code"] == 10000
    assert refused(douyin.call("sku.syncStock", change)) == (40003, "isv.idempotent-id-existed")
    assert douyin.call("sku.stockNum", sku)["data"]["stock_num"] == article.on_hand - 5
    too_many = {**change, "stock_num": -(10**9), "idempotent_id": "two"}
    assert refused(douyin.call("sku.syncStock", too_many))[1] == "isv.business-failed:2010012"


def test_a_batch_is_taken_wholly_or_not_at_all(douyin):
    article = catalogue.articles()[0]
    good = {"sku_id": article.item_id * 10 + 1, "sku_type": 0, "stock_num": 3}
    batch = {"product_id": article.item_id, "incremental": False, "sku_sync_list": [good, {**good, "sku_id": 5}]}
    assert douyin.call("sku.syncStockBatch", batch)["code"] == 40004
    assert douyin.sandbox.store.writes("douyin") == []
    assert douyin.call("sku.syncStockBatch", {**batch, "sku_sync_list": [good]})["code"] == 10000
    assert [write["body"]["stock_num"] for write in douyin.sandbox.store.writes("douyin", "stock")] == [3]


def test_the_side_door_shows_what_it_was_told(douyin):
    (number,) = douyin.sandbox.live.make(1)
    assert douyin.call("order.addOrderRemark", {"order_id": number, "remark": "好"})["code"] == 10000
    with urllib.request.urlopen(f"{douyin.sandbox.url}/_sandbox/writes?platform=douyin&kind=memo") as answer:
        (write,) = json.loads(answer.read())["writes"]
    assert (write["key"], write["body"]) == (number, {"remark": "好", "star": "0"})
