"""The JD emulator by a client that shares no code with it; signatures by the vectors of other SDKs."""

import hashlib
import json
import urllib.request
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from tests.channels_sync.sandbox.conftest import Outside, at

SEARCH = "jingdong.pop.order.search"
APPLICATIONS = "jingdong.pop.afs.soa.refundapply.queryPageList"
SERVICES = "jingdong.asc.serviceAndRefund.view"
ALL_FIELDS = (
    "orderId,orderState,orderStartTime,paymentConfirmTime,orderEndTime,modified,orderTotalPrice,orderPayment,actualPay,"
    "shouldPay,freightPrice,sellerDiscount,consigneeInfo,itemInfoList,couponDetailList,orderRemark,venderRemark"
)


class JdOutside(Outside):
    def jd(self, method, *, secret=SANDBOX.jd_app_secret, system=None, get=False, **args):
        """Return the answer of one signed call."""
        form = {
            "method": method,
            "app_key": SANDBOX.jd_app_key,
            "access_token": SANDBOX.jd_token,
            "timestamp": at(self.clock.now),
            "v": "2.0",
            "360buy_param_json": json.dumps(args, ensure_ascii=False),
            **(system or {}),
        }
        form = {name: value for name, value in form.items() if value is not None}
        text = "".join(name + form[name] for name in sorted(form))
        form["sign"] = hashlib.md5(f"{secret}{text}{secret}".encode()).hexdigest().upper()
        if get:
            with urllib.request.urlopen(f"{self.sandbox.url}/jd/routerjson?{urlencode(form)}") as answer:
                return json.loads(answer.read())
        return json.loads(self.post("/jd/routerjson", urlencode(form).encode()))

    def search(self, method=SEARCH, **changes):
        args = {
            "start_date": at(self.clock.now - timedelta(hours=1)), "end_date": at(self.clock.now), "order_state": "ALL",
            "optional_fields": ALL_FIELDS, "page": "1", "page_size": "50", "dateType": "0", "sortType": "0", **changes,
        }  # fmt: skip
        return self.jd(method, **args)[f"{method.replace('.', '_')}_responce"]["searchorderinfo_result"]

    def refunds(self, **args):
        answer = self.jd(APPLICATIONS, **{"pageIndex": 1, "pageSize": 50, **args})
        return answer[f"{APPLICATIONS.replace('.', '_')}_responce"]["queryResult"]

    def services(self, **args):
        answer = self.jd(SERVICES, **{"pageNumber": 1, "pageSize": 50, **args})
        return answer[f"{SERVICES.replace('.', '_')}_responce"]["pageResult"]

    def error(self, **given):
        return self.jd(SEARCH, **given)["error_response"]["code"]

    def numbers(self, **changes):
        return [row["orderId"] for row in self.search(**changes)["orderInfoList"]]

    def paid(self, count=1):
        found = []
        while len(found) < count:
            made = [json.loads(self.get(f"orders?external_no={number}"))["orders"][0] for number in self.make(5)]
            found += [d["external_no"] for d in made if d["status"] == "paid" and not d["channel_hold"]]
        return found[:count]


@pytest.fixture
def jd(clock):
    with Sandbox(Options(shares={"jd": 1.0}, moves=False), now=clock) as sandbox:
        yield JdOutside(sandbox, clock)


def test_the_list_is_ascending_and_pages_are_texts(jd, clock):
    made = []
    for _ in range(5):
        made += jd.paid()
        clock.forward(seconds=7)
    wanted = [number for number in jd.numbers() if number in made]
    assert wanted == made
    assert [number for number in jd.numbers(sortType="1") if number in made] == made[::-1]
    first, second = jd.numbers(page_size="2"), jd.numbers(page_size="2", page="2")
    assert (first + second) == jd.numbers()[:4]
    answer = jd.search(page="101")
    assert (answer["orderInfoList"], answer["apiResult"]["success"], answer["orderTotal"].isdigit()) == (
        [], "true", True,
    )  # fmt: skip


def test_the_window_goes_by_change_or_by_creation(jd, clock):
    (number,) = jd.paid()
    clock.forward(hours=2)
    assert number not in jd.numbers()
    jd.control("change", external_no=number, change="note")
    assert number in jd.numbers()
    assert number not in jd.numbers(dateType="1")


def test_amounts_add_up_and_texts_are_jd_s(jd, clock):
    jd.paid(20)
    clock.forward(seconds=90)
    for row in jd.search(page_size="100", start_date=at(clock.now - timedelta(hours=2)))["orderInfoList"]:
        fen = {
            name: round(float(row[name]) * 100)
            for name in ("orderTotalPrice", "sellerDiscount", "freightPrice", "shouldPay", "actualPay")
            if row[name]
        }
        listed = sum(round(float(item["jdPrice"]) * 100) * int(item["itemTotal"]) for item in row["itemInfoList"])
        assert fen["orderTotalPrice"] == listed
        assert fen["shouldPay"] == listed - fen["sellerDiscount"] + fen["freightPrice"]
        taken = sum(round(float(coupon["couponPrice"]) * 100) for coupon in row["couponDetailList"])
        assert taken == fen["sellerDiscount"]
        assert row["orderPayment"] == "0.00"
        assert row["actualPay"] == row["shouldPay"]
        assert "***" in row["consigneeInfo"]["fullAddress"]
        assert row["consigneeInfo"]["mobile"].startswith("*******")
        if row["orderState"] == "WAIT_SELLER_STOCK_OUT":
            assert row["orderEndTime"] == "1970-01-01 00:00:00"


def test_what_was_paid_comes_a_minute_late(jd, clock):
    (number,) = jd.make(1)
    jd.control("change", external_no=number, change="pay")
    row = next(row for row in jd.search()["orderInfoList"] if row["orderId"] == number)
    assert (row["actualPay"], bool(row["shouldPay"])) == ("", True)
    clock.forward(seconds=61)
    row = next(row for row in jd.search()["orderInfoList"] if row["orderId"] == number)
    assert row["actualPay"] == row["shouldPay"]


def test_the_encrypting_sibling_shows_no_contact_at_all(jd):
    (number,) = jd.paid()
    rows = jd.search("jingdong.pop.order.enSearch")["orderInfoList"]
    contact = next(row for row in rows if row["orderId"] == number)["consigneeInfo"]
    assert {"encrypt_fullname", "encrypt_mobile", "encrypt_fullAddress"} <= set(contact)
    assert not {"fullname", "mobile", "fullAddress"} & set(contact)


def test_only_the_fields_asked_for_come_back(jd):
    jd.paid()
    assert {name for row in jd.search(optional_fields="orderId,modified")["orderInfoList"] for name in row} == {
        "orderId", "modified",
    }  # fmt: skip


def test_unpaid_orders_are_not_shown(jd):
    jd.make(300)
    stored = jd.sandbox.store.query("SELECT status, count(*) AS n FROM orders GROUP BY status")
    hidden = sum(row["n"] for row in stored if row["status"] in {"unpaid", "presale_deposit"})
    assert hidden > 0
    assert int(jd.search()["orderTotal"]) == 300 - hidden
    assert jd.numbers(order_state="WAIT_SELLER_STOCK_OUT,LOCKED", page_size="100")


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ({"method": "jingdong.no.such"}, "15"),
        ({"method": ""}, "14"),
        ({"app_key": "999"}, "21"),
        ({"access_token": None}, "18"),
        ({"access_token": "somebody-else"}, "19"),
        ({"timestamp": "2026-11-11 11:53:59"}, "8"),
        ({"timestamp": "2026-11-11 12:06:01"}, "8"),
        ({"timestamp": "yesterday"}, "8"),
        ({"timestamp": ""}, "7"),
        ({"v": "1.0"}, "5"),
        ({"v": None}, "4"),
        ({"360buy_param_json": "[]"}, "62"),
    ],
)
def test_refusals_of_the_gateway(jd, system, code):
    assert jd.error(system=system) == code


def test_a_wrong_signature_and_none(jd):
    assert jd.error(secret="wrong") == "12"
    answer = json.loads(jd.post("/jd/routerjson", urlencode({
        "method": SEARCH, "app_key": SANDBOX.jd_app_key, "v": "2.0", "timestamp": at(jd.clock.now),
    }).encode()))  # fmt: skip
    assert answer["error_response"]["code"] == "11"
    assert set(answer["error_response"]) == {"code", "zh_desc", "en_desc"}


def test_six_minutes_of_clock_drift_milliseconds_and_a_signed_format_are_taken(jd):
    for system in ({"timestamp": "2026-11-11 11:54:00"}, {"timestamp": "2026-11-11 12:00:00.683+0800"},
                   {"format": "json"}):  # fmt: skip
        assert "searchorderinfo_result" in jd.jd(SEARCH, system=system)["jingdong_pop_order_search_responce"]


@pytest.mark.parametrize(
    "args",
    [
        {"start_date": "2026-10-01 00:00:00"},
        {"start_date": "2026-07-01 00:00:00", "end_date": "2026-07-02 00:00:00"},
        {"end_date": "2026-11-10 00:00:00"},
        {"start_date": "yesterday"},
        {"page_size": "101"},
        {"page": "0"},
        {"order_state": "NOT_PAY"},
        {"order_state": ""},
        {"optional_fields": ""},
    ],
)
def test_refusals_of_the_service_come_inside_a_success(jd, args):
    result = jd.search(**args)["apiResult"]
    assert (result["success"], result["numberCode"]) == (False, 10100000)
    assert result["chineseErrCode"]


def test_an_unknown_order(jd):
    answer = jd.jd("jingdong.pop.order.get", order_id="1", optional_fields="orderId")
    assert answer["jingdong_pop_order_get_responce"]["orderDetailInfo"]["apiResult"]["numberCode"] == 10100021


def test_applications_for_refunds_have_their_own_times(jd, clock):
    (number,) = jd.paid()
    clock.forward(minutes=5)
    jd.control("change", external_no=number, change="ask_refund")
    asked = clock.now
    clock.forward(minutes=30)
    jd.control("change", external_no=number, change="note")
    (row,) = jd.refunds(orderId=number)["result"]
    assert (row["applyTime"], row["status"], row["checkTime"]) == (at(asked), 0, "")
    assert row["applyRefundSum"] > 0
    span = {"applyTimeStart": at(asked - timedelta(seconds=1)), "applyTimeEnd": at(asked)}
    assert number in [found["orderId"] for found in jd.refunds(**span)["result"]]
    jd.control("change", external_no=number, change="withdraw_refund")
    (row,) = jd.refunds(orderId=number)["result"]
    assert (row["status"], row["checkTime"]) == (11, at(clock.now))
    assert jd.refunds(orderId="1")["totalCount"] == 0
    assert jd.refunds(pageIndex=101)["success"] is False


def test_service_orders_are_listed_by_application_or_by_audit(jd, clock):
    (number,) = jd.paid()
    asked = clock.now
    jd.control("change", external_no=number, change="ask_refund")
    jd.jd("jingdong.pop.order.shipment", orderId=number, logiCoprId="467", logiNo="SF1")
    assert jd.services(applyTimeBegin=at(asked), applyTimeEnd=at(asked))["totalCount"] == 1
    span = {"approveTimeBegin": at(asked - timedelta(days=10)), "approveTimeEnd": at(asked)}
    assert jd.services(**span)["totalCount"] == 0
    assert jd.services(approveTimeBegin=at(asked - timedelta(days=11)), approveTimeEnd=at(asked))["success"] is False
    assert jd.services()["success"] is False


def test_what_was_written_can_be_read_at_the_side_door(jd):
    (number,) = jd.paid()
    jd.jd("jingdong.pop.order.shipment", orderId=number, logiCoprId="467", logiNo="SF1")
    jd.jd("jingdong.pop.order.modifyVenderRemark", order_id=number, flag=2, remark="好")
    writes = json.loads(jd.get(f"writes?platform=jd&key={number}"))["writes"]
    assert [(write["kind"], write["key"]) for write in writes] == [("memo", number), ("shipment", number)]
    assert writes[1]["body"]["parcels"] == [["SF1"]]
    assert json.loads(jd.get("writes?platform=taobao"))["writes"] == []


@pytest.mark.parametrize(
    ("method", "result", "args", "code"),
    [
        ("jingdong.pop.order.shipment", "sopjosshipment_result", {"logiCoprId": "1", "logiNo": "x"}, 10100000),
        ("jingdong.pop.order.shipment", "sopjosshipment_result", {"logiCoprId": "467|463", "logiNo": "x"}, 10100000),
        ("jingdong.pop.order.shipment", "sopjosshipment_result", {"logiCoprId": "467", "logiNo": ""}, 10100000),
    ],
)
def test_bad_shipments_change_nothing(jd, method, result, args, code):
    (number,) = jd.paid()
    answer = jd.jd(method, orderId=number, **args)[f"{method.replace('.', '_')}_responce"][result]
    assert (answer["success"], answer["numberCode"]) == (False, code)
    assert json.loads(jd.get(f"orders?external_no={number}"))["orders"][0]["status"] == "paid"
    assert json.loads(jd.get("writes?platform=jd"))["writes"] == []


@pytest.mark.parametrize(
    ("args", "code"), [({"flag": 6, "remark": "x"}, "10100040"), ({"flag": 1, "remark": "x" * 501}, "10100039")]
)
def test_bad_notes_are_refused(jd, args, code):
    (number,) = jd.paid()
    method = "jingdong.pop.order.modifyVenderRemark"
    answer = jd.jd(method, order_id=number, **args)["jingdong_pop_order_modifyVenderRemark_responce"]
    assert answer["modifyvenderremark_result"]["error_code"] == code
    assert json.loads(jd.get("writes?platform=jd"))["writes"] == []


def test_parameters_may_come_in_the_query(jd):
    (number,) = jd.paid()
    found = jd.jd("jingdong.pop.order.get", get=True, order_id=number, optional_fields="orderId")
    assert found["jingdong_pop_order_get_responce"]["orderDetailInfo"]["orderInfo"] == {"orderId": number}


def test_faults_of_the_envelope(jd):
    for kind, code in (("throttle", "2"), ("expired_token", "19"), ("remote_error", "65")):
        jd.control("faults", kind=kind, method=SEARCH)
        assert jd.error() == code
    assert "searchorderinfo_result" in jd.jd(SEARCH)["jingdong_pop_order_search_responce"]
