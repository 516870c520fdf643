"""The emulated WeChat shop, asked by code that shares nothing with it."""

import json
import urllib.error
import urllib.request

import pytest

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox

ORDERS, ORDER = "order/list/get", "order/get"


class Shop:
    def __init__(self, sandbox, clock):
        self.sandbox, self.clock = sandbox, clock
        self.token = self.ask_token()["access_token"]

    def ask_token(self, **changes):
        body = {
            "grant_type": "client_credential", "appid": SANDBOX.wechat_app_id, "secret": SANDBOX.wechat_secret,
            "force_refresh": False, **changes,
        }  # fmt: skip
        return self.post("/wechat/cgi-bin/stable_token", body)

    def call(self, path, body=None, token=None, **more):
        token = self.token if token is None else token
        return self.post(f"/wechat/channels/ec/{path}?access_token={token}", {**(body or {}), **more})

    def post(self, path, body, verb="POST"):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.sandbox.url + path, data=raw, method=verb)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())

    def listing(self, hours=1.0, **more):
        now = int(self.clock.now.timestamp())
        body = {"update_time_range": {"start_time": now - int(hours * 3600), "end_time": now + 1}, "page_size": 100}
        return self.call(ORDERS, {**body, **more})

    def order(self, number):
        return self.call(ORDER, order_id=number)["order"]

    def writes(self, kind):
        with urllib.request.urlopen(f"{self.sandbox.url}/_sandbox/writes?platform=wechat&kind={kind}") as answer:
            return [(write["key"], write["body"]) for write in json.loads(answer.read())["writes"]]


@pytest.fixture
def shop(clock):
    with Sandbox(Options(shares={"wechat": 1.0}, moves=False), now=clock) as sandbox:
        yield Shop(sandbox, clock)


def paid(shop):
    """Return the number of a paid order of several lines without refund."""
    for number in shop.sandbox.live.make(60):
        draft = shop.sandbox.store.get(number).draft
        if draft["status"] == "paid" and len(draft["lines"]) > 1 and all(x["refund"] == "none" for x in draft["lines"]):
            return number
    raise AssertionError("no such order in sixty")


def test_everybody_gets_the_same_token_with_what_is_left_of_it(shop, clock):
    clock.forward(seconds=1000)
    again = shop.ask_token()
    assert (again["access_token"], again["expires_in"]) == (shop.token, 6200)
    clock.forward(seconds=5901)
    fresh = shop.ask_token()
    assert (fresh["access_token"] != shop.token, fresh["expires_in"]) == (True, 7200)
    assert shop.listing()["errcode"] == 0
    clock.forward(seconds=300)
    assert shop.listing()["errcode"] == 42001


def test_a_forced_token_ends_the_old_one_and_may_not_be_forced_again_at_once(shop, clock):
    fresh = shop.ask_token(force_refresh=True)
    assert fresh["access_token"] != shop.token
    assert shop.listing()["errcode"] == 40001
    assert shop.ask_token(force_refresh=True)["errcode"] == 45011
    for _ in range(19):
        clock.forward(seconds=31)
        assert "access_token" in shop.ask_token(force_refresh=True)
    clock.forward(seconds=31)
    assert shop.ask_token(force_refresh=True)["errcode"] == 45009


@pytest.mark.parametrize(
    ("change", "code"), [({"appid": "x"}, 40013), ({"secret": "x"}, 40125), ({"grant_type": "code"}, 40002)]
)
def test_wrong_credentials(shop, change, code):
    assert shop.ask_token(**change)["errcode"] == code


def test_errors_come_with_status_200_and_a_sentence(shop):
    assert shop.call(ORDERS, token="")["errcode"] == 41001
    assert shop.call(ORDERS, token="other")["errcode"] == 40001
    assert shop.call("no/such")["errcode"] == 40066
    assert shop.post(f"/wechat/channels/ec/{ORDER}?access_token={shop.token}", b"{")["errcode"] == 47001
    assert shop.post(f"/wechat/channels/ec/{ORDER}?access_token={shop.token}", b"[]")["errcode"] == 47001
    assert shop.call(ORDER, order_id="1")["errcode"] == 10020051
    assert shop.call(ORDERS, page_size=10)["errcode"] == 40097
    assert shop.listing(page_size=101)["errcode"] == 40097
    assert shop.listing(hours=24 * 7.1)["errcode"] == 40097
    assert shop.call("order/list/get", token="x")["errmsg"]


def test_the_list_gives_numbers_only_and_its_cursor_wants_the_same_parameters(shop):
    made = shop.sandbox.live.make(25)
    first = shop.listing(page_size=10)
    assert set(first) == {"errcode", "errmsg", "order_id_list", "next_key", "has_more"}
    second = shop.listing(page_size=10, next_key=first["next_key"])
    third = shop.listing(page_size=10, next_key=second["next_key"])
    found = first["order_id_list"] + second["order_id_list"] + third["order_id_list"]
    assert (sorted(found), third["has_more"], third["next_key"]) == (sorted(made), False, "")
    assert shop.listing(page_size=11, next_key=first["next_key"])["errcode"] == 606006
    assert shop.listing(page_size=10, next_key="made-up.10")["errcode"] == 606006


def test_the_end_of_a_window_is_not_part_of_it(shop, clock):
    shop.sandbox.live.make(1)
    now = int(clock.now.timestamp())
    span = {"start_time": now - 60, "end_time": now}
    assert shop.call(ORDERS, update_time_range=span, page_size=10)["order_id_list"] == []
    span["end_time"] += 1
    assert len(shop.call(ORDERS, update_time_range=span, page_size=10)["order_id_list"]) == 1


def test_an_order_adds_up_and_hides_most_phones(shop):
    virtual = 0
    numbers = shop.sandbox.live.make(80)
    for number in numbers:
        order = shop.order(number)
        price = order["order_detail"]["price_info"]
        assert price["order_price"] == price["product_price"] - price["discounted_price"] + price["freight"]
        products = order["order_detail"]["product_infos"]
        assert sum(p["real_price"] for p in products) == price["product_price"] - price["discounted_price"]
        address = order["order_detail"]["delivery_info"]["address_info"]
        plain = shop.sandbox.store.get(number).draft["receiver"]["phone"]
        if address["use_tel_number"] == 1:
            virtual += 1
            assert plain not in json.dumps(order)
        else:
            assert address["tel_number"] == plain
        assert '"ip"' not in json.dumps(order)
        assert order["status"] in {10, 20}
    assert 60 <= virtual < 80


def test_the_hash_of_an_address_is_the_same_for_the_same_receiver_only(shop):
    numbers = shop.sandbox.live.make(300)
    by_hash = {}
    for number in numbers:
        draft = shop.sandbox.store.get(number).draft
        receiver = {**draft["receiver"]}
        key = shop.order(number)["order_detail"]["delivery_info"]["address_info"]["hash_code"]
        assert by_hash.setdefault(key, receiver) == receiver
    assert len(by_hash) < len(numbers)


def test_aftersales_have_a_list_and_details_of_their_own(shop, clock):
    number = paid(shop)
    clock.forward(seconds=10)
    shop.sandbox.live.change(number, "ask_refund")
    now = int(clock.now.timestamp())
    listed = shop.call("aftersale/getaftersalelist", begin_update_time=now - 5, end_update_time=now + 1)
    detail = shop.order(number)["aftersale_detail"]
    assert [row["aftersale_order_id"] for row in detail["aftersale_order_list"]] == listed["after_sale_order_id_list"]
    assert detail["on_aftersale_order_cnt"] == 1
    (key,) = listed["after_sale_order_id_list"]
    sale = shop.call("aftersale/getaftersaleorder", after_sale_order_id=key)["after_sale_order"]
    assert (sale["order_id"], sale["status"]) == (number, "MERCHANT_PROCESSING")
    too_long = shop.call("aftersale/getaftersalelist", begin_update_time=now - 90000, end_update_time=now)
    assert too_long["errcode"] == 40097


def test_stock_is_added_subtracted_and_set(shop):
    product = shop.order(paid(shop))["order_detail"]["product_infos"][0]
    item = {"product_id": product["product_id"], "sku_id": product["sku_id"]}

    def stock():
        return shop.call("product/stock/get", item)["data"]["normal_stock_num"]

    for kind, number, left in ((3, 50, 50), (1, 5, 55), (2, 15, 40)):
        assert shop.call("product/stock/update", item, diff_type=kind, num=number)["errcode"] == 0
        assert stock() == left
    assert shop.call("product/stock/update", item, diff_type=2, num=41)["errcode"] == 40097
    assert shop.call("product/stock/update", item, diff_type=3, num=-1)["errcode"] == 40097
    assert shop.call("product/stock/update", {**item, "sku_id": "1"}, diff_type=3, num=1)["errcode"] == 10020051
    assert [told["quantity"] for _key, told in shop.writes("stock")] == [40, 55, 50]


def test_shipping_in_parts_moves_the_status(shop):
    number = paid(shop)
    products = [
        {"product_id": p["product_id"], "sku_id": p["sku_id"], "product_cnt": p["sku_cnt"]}
        for p in shop.order(number)["order_detail"]["product_infos"]
    ]

    def send(waybill, part, carrier="SF"):
        parcel = {"delivery_id": carrier, "waybill_id": waybill, "deliver_type": 1, "product_infos": part}
        return shop.call("order/delivery/send", order_id=number, delivery_list=[parcel])["errcode"]

    assert send("S1", [{**products[0], "product_cnt": 999}]) == 40097
    assert send("S1", products[:1], carrier="NOBODY") == 40097
    assert shop.writes("shipment") == []
    assert send("S1", products[:1]) == 0
    assert shop.order(number)["status"] == 21
    assert send("S1", products[:1]) == 40097
    assert send("S2", products[1:]) == 0
    order = shop.order(number)
    assert order["status"] == 30
    assert [p["waybill_id"] for p in order["order_detail"]["delivery_info"]["delivery_product_info"]] == ["S1", "S2"]
    assert send("S3", products[:1]) == 10020052
    assert len(shop.writes("shipment")) == 2


def test_a_note_shows_in_the_order(shop):
    number = paid(shop)
    assert shop.call("order/merchantnotes/update", order_id=number, merchant_notes="先发")["errcode"] == 0
    assert shop.order(number)["order_detail"]["ext_info"]["merchant_notes"] == "先发"
    assert shop.writes("memo") == [(number, {"merchant_notes": "先发"})]


@pytest.mark.parametrize(
    ("kind", "code"),
    [("throttle", 45011), ("expired_token", 42001), ("remote_error", -1), ("changed_too_often", 100003),
     ("too_many", 31042)],
)  # fmt: skip
def test_faults_of_the_envelope(shop, kind, code):
    shop.sandbox.faults.add({"kind": kind})
    assert shop.listing()["errcode"] == code
    assert shop.listing()["errcode"] == 0


def test_faults_below_the_envelope(shop):
    for kind, status in (("http500", 500), ("address", 403)):
        shop.sandbox.faults.add({"kind": kind})
        with pytest.raises(urllib.error.HTTPError) as failed:
            shop.listing()
        assert failed.value.code == status
        failed.value.close()
    shop.sandbox.faults.add({"kind": "truncated"})
    with pytest.raises(json.JSONDecodeError):
        shop.listing()
    shop.sandbox.faults.add({"kind": "answer_lost"})
    with pytest.raises((ConnectionError, urllib.error.URLError)):
        shop.listing()
    assert shop.listing()["errcode"] == 0


def test_faults_of_the_list(shop):
    made = shop.sandbox.live.make(6)
    plain = shop.listing()["order_id_list"]
    assert sorted(plain) == sorted(made)
    for kind, found in (
        ("duplicates", plain[:2] + plain),
        ("out_of_order", plain[::-1]),
        ("wrong_page", []),
    ):
        shop.sandbox.faults.add({"kind": kind, "orders": 2})
        assert shop.listing()["order_id_list"] == found
