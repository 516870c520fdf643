import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import time_machine

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.jd.client import JdClient, RefusedError, jd_error, jd_time, proved, sign
from orderhub.core.errors import HubError, TemporaryError

VECTORS = json.loads((Path(__file__).parents[3] / "payloads" / "vectors" / "jd.json").read_text(encoding="utf-8"))


def client(wire):
    return JdClient(wire.url, "JDKEY", "a-secret", "a-token")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_signatures_equal_those_of_other_sdks(vector):
    assert sign(vector["inputs"]["params"], vector["inputs"]["app_secret"]) == vector["expected"]["sign"]


def test_times_are_china_time_on_any_machine():
    assert jd_time(datetime(2026, 11, 10, 16, 0, 7, tzinfo=UTC)) == "2026-11-11 00:00:07"


def test_a_call_sends_a_signed_form_and_opens_the_misspelt_envelope(wire):
    wire.body({"jingdong_x_get_responce": {"code": "0", "n": 3}})
    assert client(wire).call("jingdong.x.get", {"备注": "急", "a": 1}) == {"code": "0", "n": 3}
    form = dict(parse_qsl(wire.requests[0][1].decode(), keep_blank_values=True))
    assert form.pop("sign") == sign(form, "a-secret")
    assert form["360buy_param_json"] == '{"a":1,"备注":"急"}'
    assert set(form) == {"method", "app_key", "access_token", "timestamp", "v", "360buy_param_json"}


def test_the_right_spelling_is_understood_too(wire):
    wire.body({"jingdong_x_get_response": {"code": 0, "n": 3}})
    assert client(wire).call("jingdong.x.get", {})["n"] == 3


TABLE = [
    ("2", "App Call Limited", ThrottledError, False),
    ("4", "", HubError, True),
    ("8", "Invalid Timestamp", TemporaryError, False),
    ("12", "Invalid Signature", HubError, True),
    ("15", "", HubError, True),
    ("18", "", AuthorisationError, True),
    ("19", "", AuthorisationError, True),
    ("21", "", HubError, True),
    ("24", "", HubError, True),
    ("33", "", TemporaryError, False),
    ("65", "", TemporaryError, False),
    ("62", "", HubError, True),
    ("103", "", HubError, True),
    ("2001", "", HubError, True),
    ("99999", "服务繁忙, 请稍后再试", TemporaryError, False),
    ("99999", "新的错误", HubError, True),
]


@pytest.mark.parametrize(("code", "message", "kind", "permanent"), TABLE)
def test_each_code_of_the_gateway_has_its_consequence(code, message, kind, permanent):
    error = jd_error(code, message)
    assert (type(error), error.permanent) == (kind, permanent)


@pytest.mark.parametrize("code", ["10100021", "10500001", "11100006", "", "12345"])
def test_a_refusal_of_one_object_concerns_only_that_one(code):
    assert type(jd_error(code, "订单状态不正确", is_business=True)) is RefusedError


@pytest.mark.parametrize(("clock", "seconds"), [("2026-11-11 08:00:00", 60), ("2026-11-11 15:59:30", 30)])
def test_the_daily_limit_is_probed_now_and_then_and_at_midnight_of_china(clock, seconds):
    with time_machine.travel(datetime.fromisoformat(f"{clock}+00:00"), tick=False):
        assert jd_error("2", "").retry_after == seconds


def test_an_error_envelope_comes_with_status_200_and_tells_no_token(wire):
    wire.body({"error_response": {"en_desc": "Invalid Token a-token", "code": "19", "zh_desc": "a-token 无效"}})
    with pytest.raises(AuthorisationError) as failed:
        client(wire).call("jingdong.x", {})
    assert "a-token" not in str(failed.value)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"code": "65", "errorMessage": "系统处理超时"},
        {"jingdong_x_responce": {"code": "65", "zh_desc": "系统处理超时"}},
        {"jingdong_x_responce": {"code": "0", "result": {"apiResult": {"success": False, "numberCode": 65}}}},
        {"jingdong_x_responce": {"code": "0", "result": {"success": False, "chineseErrCode": "服务超时"}}},
    ],
)
def test_every_form_of_failure_is_seen_and_a_passing_one_tried_again(wire, body):
    wire.body(body)
    wire.body({"jingdong_x_responce": {"code": "0", "result": {"apiResult": {"success": "true"}, "n": 1}}})
    assert client(wire).result("jingdong.x", {}, "result")["n"] == 1
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    "body",
    [b'{"jingdong_x_responce": {"a": ', b"", b"<html>", b"[]", b'{"odd": 1}', b'{"jingdong_x_responce": 3}',
     b'{"jingdong_x_responce": {"code": "0"}}', b'{"jingdong_x_responce": {"code": "0", "result": []}}'],
)  # fmt: skip
def test_an_answer_that_is_none_is_temporary(wire, body):
    wire.body(body)
    with pytest.raises(TemporaryError):
        client(wire).result("jingdong.x", {}, "result")
    assert len(wire.requests) == 3


def test_no_proof_of_success_is_a_failure():
    with pytest.raises(RefusedError):
        proved({"result": {"orderInfoList": []}}, "result")
    with pytest.raises(RefusedError) as refused:
        proved({"result": {"apiResult": {"success": "false", "numberCode": 10100021}}}, "result")
    assert refused.value.code == "10100021"


def test_one_bad_memo_does_not_spoil_the_page(wire):
    wire.body(b'{"x_responce": {"code": "0", "memo": "a\\ud800b\\u0000c", "n": NaN, "m": 1e400}}')
    assert client(wire).call("x", {}) == {"code": "0", "memo": "abc", "n": None, "m": None}
