import json
import urllib.error
import urllib.request
from datetime import timedelta
from xml.etree import ElementTree

import pytest

from channels_sync.sandbox.credentials import SANDBOX
from tests.channels_sync.sandbox.conftest import ALL_FIELDS, at

INCREMENT = "taobao.trades.sold.increment.get"


def tids(answer):
    return [trade["tid"] for trade in answer.get("trades", {}).get("trade", [])]


def error(answer):
    return answer["error_response"]["code"]


def test_list_is_descending_by_modified_and_pages_have_no_total(taobao, clock):
    made = []
    for _ in range(5):
        made += taobao.make(1)
        clock.forward(seconds=7)
    answer = taobao.listing(page_size="2", page_no="2", use_has_next="true")
    assert [str(tid) for tid in tids(answer)] == made[::-1][2:4]
    assert answer["has_next"] is True
    assert "total_results" not in answer
    last = taobao.listing(page_size="2", page_no="3", use_has_next="true")
    assert last["has_next"] is False
    assert taobao.listing(page_size="1", fields="tid")["total_results"] == 5


def test_paging_backwards_survives_a_change_that_forward_paging_loses_orders_by(taobao, clock):
    made = taobao.make(1)
    for _ in range(5):
        clock.forward(seconds=5)
        made += taobao.make(1)
    end = at(clock.now)
    clock.forward(seconds=5)

    def sweep(pages):
        taobao.control("faults", kind="mutate_while_paging", method=INCREMENT, times=1)
        return {str(t) for n in pages for t in tids(taobao.listing(page_no=str(n), page_size="2", end_modified=end))}

    assert set(made) - sweep((1, 2, 3)) == {made[3]}
    # The first sweep moved made[5] out of the window; this one moves made[4], which the next window shows.
    assert set(made[:5]) - sweep((3, 2, 1)) == {made[4]}
    later = {str(tid) for tid in tids(taobao.listing(start_modified=end, page_size="100"))}
    assert later == {made[4], made[5]}


def test_empty_window_leaves_the_list_out(taobao):
    assert set(taobao.listing()) == {"total_results", "request_id"}


def test_only_the_fields_asked_for_come_back(taobao):
    taobao.make(1)
    (trade,) = taobao.listing(fields="tid,status")["trades"]["trade"]
    assert set(trade) == {"tid", "status"}
    (trade,) = taobao.listing(fields="tid,orders.num,orders.oid")["trades"]["trade"]
    assert {name for line in trade["orders"]["order"] for name in line} == {"num", "oid"}


def test_oaid_comes_only_with_all_five_receiver_fields(taobao):
    (number,) = taobao.make(1)
    (trade,) = taobao.listing(fields="tid,oaid,receiver_name")["trades"]["trade"]
    assert "oaid" not in trade
    (trade,) = taobao.listing()["trades"]["trade"]
    assert trade["oaid"]
    shown = taobao.top("taobao.trade.fullinfo.get", fields="tid,oaid", tid=number, include_oaid="true")
    assert shown["trade_fullinfo_get_response"]["trade"]["oaid"] == trade["oaid"]


def test_receiver_is_masked_and_no_ip_exists(taobao):
    numbers = taobao.make(20)
    for number in numbers:
        text = taobao.top_raw("taobao.trade.fullinfo.get", fields=ALL_FIELDS, tid=number).decode()
        (plain,) = json.loads(taobao.get(f"orders?external_no={number}"))["orders"]
        trade = json.loads(text)["trade_fullinfo_get_response"]["trade"]
        assert trade["receiver_address"] == "***"
        assert trade["receiver_mobile"] == f"*******{plain['receiver']['phone'][-4:]}"
        assert trade["receiver_name"].count("*") == max(len(plain["receiver"]["name"]) - 1, 1)
        assert plain["receiver"]["detail"] not in text
        assert "ip" not in trade


def test_messages_are_only_in_the_full_trade(taobao):
    numbers = taobao.make(60)
    (with_message, *_) = [
        number
        for number in numbers
        if json.loads(taobao.get(f"orders?external_no={number}"))["orders"][0]["buyer_remark"]
    ]
    listed = {str(trade["tid"]): trade for trade in taobao.listing(page_size="100")["trades"]["trade"]}
    assert listed[with_message]["has_buyer_message"] is True
    assert "buyer_message" not in listed[with_message]
    answer = taobao.top("taobao.trade.fullinfo.get", fields=ALL_FIELDS, tid=with_message)
    assert answer["trade_fullinfo_get_response"]["trade"]["buyer_message"]


def test_amounts_add_up_as_the_platform_reckons(taobao):
    taobao.make(40)
    for trade in taobao.listing(page_size="100")["trades"]["trade"]:
        lines = trade["orders"]["order"]
        fen = {name: round(float(trade[name]) * 100) for name in ("payment", "discount_fee", "post_fee", "total_fee")}
        due = sum(round(float(line["total_fee"]) * 100) for line in lines)
        assert fen["payment"] == due - fen["discount_fee"] + fen["post_fee"]
        assert fen["total_fee"] == sum(round(float(line["price"]) * 100) * line["num"] for line in lines)
        shares = sum(round(float(line["part_mjz_discount"]) * 100) for line in lines)
        assert shares == fen["discount_fee"]
        if len(lines) == 1:
            assert lines[0]["payment"] == trade["payment"]


def test_status_filter_and_paying_later(taobao, clock):
    numbers = taobao.make(300)
    unpaid = [str(t) for t in tids(taobao.listing(status="WAIT_BUYER_PAY", page_size="100"))]
    assert 0 < len(unpaid) < 40
    assert set(unpaid) < set(numbers)
    clock.forward(minutes=40)
    taobao.control("tick", seconds=1)
    answer = taobao.listing(status="WAIT_BUYER_PAY", page_size="100")
    assert tids(answer) == []
    moved = taobao.listing(start_modified=at(clock.now - timedelta(minutes=1)), page_size="100")
    assert set(unpaid) <= {str(tid) for tid in tids(moved)}


def test_refunds_are_listed(taobao):
    (number,) = taobao.make(1)
    answer = taobao.control("change", external_no=number, change="ask_refund")
    assert answer["label"]["lane"] == ""
    listed = taobao.top("taobao.refunds.receive.get", fields="refund_id,tid,status,refund_fee")
    (refund,) = listed["refunds_receive_get_response"]["refunds"]["refund"]
    assert (str(refund["tid"]), refund["status"]) == (number, "WAIT_SELLER_AGREE")


def test_list_by_creation_and_simplified_form(taobao):
    made = taobao.make(3)
    answer = taobao.top("taobao.trades.sold.get", fields="tid", simplify="true")["trades_sold_get_response"]
    assert {str(trade["tid"]) for trade in answer["trades"]} == set(made)


def test_xml_is_the_default_format(taobao):
    taobao.make(1)
    window = {"start_modified": at(taobao.clock.now - timedelta(hours=1)), "end_modified": at(taobao.clock.now)}
    root = ElementTree.fromstring(taobao.top_raw(INCREMENT, format="", fields="tid", **window))
    assert root.tag == "trades_sold_increment_get_response"
    assert root.find("trades/trade/tid") is not None
    refused = ElementTree.fromstring(taobao.top_raw(INCREMENT, format="", session="other", fields="tid"))
    assert (refused.tag, refused.findtext("code")) == ("error_response", "27")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"method": "taobao.no.such"}, 22),
        ({"app_key": "999"}, 29),
        ({"session": ""}, 26),
        ({"session": "somebody-else"}, 27),
        ({"timestamp": "2026-11-11 11:49:59"}, 31),
        ({"timestamp": "2026-11-11 12:10:01"}, 31),
        ({"timestamp": "yesterday"}, 31),
        ({"timestamp": ""}, 30),
        ({"sign_method": "sha1"}, 25),
        ({"secret": "wrong"}, 25),
        ({"v": "1.0"}, 33),
        ({"fields": ""}, 40),
        ({"start_modified": ""}, 40),
        ({"start_modified": "2026-11-10 11:59:59"}, 41),
        ({"start_modified": "2026-11-11 12:00:00"}, 41),
        ({"page_size": "101"}, 41),
        ({"page_no": "0"}, 41),
    ],
)
def test_refusals_carry_the_platforms_codes(taobao, change, code):
    window = {"start_modified": at(taobao.clock.now - timedelta(hours=1)), "end_modified": at(taobao.clock.now)}
    params = {"method": INCREMENT, "fields": "tid", **window, **change}
    assert error(taobao.top(params.pop("method"), **params)) == code


def test_ten_minutes_of_clock_drift_and_epoch_milliseconds_are_taken(taobao):
    assert "total_results" in taobao.listing(timestamp="2026-11-11 11:50:00")
    milliseconds = str(int(taobao.clock.now.timestamp() * 1000))
    assert "total_results" in taobao.listing(timestamp=milliseconds)


def test_unknown_trade_is_an_isv_error(taobao):
    answer = taobao.top("taobao.trade.fullinfo.get", fields="tid", tid="1")["error_response"]
    assert (answer["code"], answer["sub_code"]) == (15, "isv.trade-not-exist")


def test_token_from_code_and_refresh_opens_the_gateway(taobao):
    for method, given in (
        ("taobao.top.auth.token.create", {"code": SANDBOX.authorization_code}),
        ("taobao.top.auth.token.refresh", {"refresh_token": SANDBOX.refresh_token}),
    ):
        answer = taobao.top(method, session="", **given)
        (envelope,) = [value for name, value in answer.items() if name.endswith("_response")]
        token = json.loads(envelope["token_result"])["access_token"]
        assert "total_results" in taobao.listing(session=token)
    assert error(taobao.top("taobao.top.auth.token.create", code="wrong")) == 15


@pytest.mark.parametrize(
    ("scope", "sub_code"),
    [
        ("app", "accesscontrol.limited-by-app-access-count"),
        ("api", "accesscontrol.limited-by-api-access-count"),
        ("app_api", "accesscontrol.limited-by-app-api-access-count"),
    ],
)
def test_throttle_names_scope_and_seconds_then_passes(taobao, scope, sub_code):
    taobao.control("faults", kind="throttle", seconds=3, scope=scope, method=INCREMENT)
    answer = taobao.listing()["error_response"]
    assert (answer["code"], answer["sub_code"]) == (7, sub_code)
    assert answer["sub_msg"] == "This ban will last for 3 more seconds"
    assert "total_results" in taobao.listing()


def test_faults_of_the_envelope(taobao):
    taobao.control("faults", kind="remote_error")
    assert taobao.listing()["error_response"]["sub_code"] == "isp.remote-service-timeout"
    taobao.control("faults", kind="expired_token", times=2)
    assert [error(taobao.listing()) for _ in range(2)] == [27, 27]
    assert "total_results" in taobao.listing()


def test_faults_below_the_envelope(taobao):
    taobao.make(1)
    taobao.control("faults", kind="http500")
    with pytest.raises(urllib.error.HTTPError) as failed:
        taobao.listing()
    assert failed.value.code == 500
    failed.value.close()
    taobao.control("faults", kind="truncated")
    with pytest.raises(json.JSONDecodeError):
        taobao.listing()
    taobao.control("faults", kind="disconnect")
    with pytest.raises((ConnectionError, urllib.error.URLError)):
        taobao.listing()
    assert len(tids(taobao.listing())) == 1


def test_slow_and_silent_answers(taobao):
    taobao.control("faults", kind="slow", seconds=0.2)
    assert "total_results" in taobao.listing()
    taobao.control("faults", kind="timeout", seconds=1)
    request = urllib.request.Request(f"{taobao.sandbox.url}/router/rest", data=b"method=x")
    with pytest.raises((TimeoutError, urllib.error.URLError)):
        urllib.request.urlopen(request, timeout=0.2)


def test_wrong_page(taobao):
    taobao.make(4)
    right = tids(taobao.listing(page_no="2", page_size="2"))
    taobao.control("faults", kind="wrong_page")
    assert tids(taobao.listing(page_no="1", page_size="2")) == right


def test_rows_come_twice_or_in_reverse_and_the_clock_is_wrong(taobao):
    taobao.make(4)
    right = tids(taobao.listing())
    taobao.control("faults", kind="duplicates", orders=2)
    assert tids(taobao.listing()) == right[:2] + right
    taobao.control("faults", kind="out_of_order")
    assert tids(taobao.listing()) == right[::-1]
    taobao.control("faults", kind="clock_skew", seconds=700)
    assert error(taobao.listing()) == 31
    assert tids(taobao.listing()) == right


def test_faults_are_counted_and_can_be_taken_back(taobao):
    taobao.control("faults", kind="throttle", times=5)
    taobao.listing()
    (fault,) = taobao.state()["faults"]
    assert (fault["kind"], fault["times"], fault["fired"]) == ("throttle", 5, 1)
    taobao.control("faults", verb="DELETE")
    assert "total_results" in taobao.listing()
    with pytest.raises(urllib.error.HTTPError) as refused:
        taobao.control("faults", kind="earthquake")
    assert refused.value.code == 400
    refused.value.close()
