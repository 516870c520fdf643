import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.douyin.client import DouyinClient, event_sign, param_json, sign
from channels_sync.connectors.douyin.errors import RefusedError, RepeatedError, ShippedError, douyin_error
from orderhub.core.errors import HubError, TemporaryError

VECTORS = json.loads((Path(__file__).parents[3] / "payloads" / "vectors" / "douyin.json").read_text(encoding="utf-8"))
CALLS = [vector for vector in VECTORS if "param_json" in vector["inputs"]]
PUSH = next(vector for vector in VECTORS if vector["id"] == "doudian-event-sign")


@pytest.fixture
def client(wire, settings):
    settings.DOUYIN_GATEWAY_URL = wire.url
    return DouyinClient("699", "a-secret", "a-token")


@pytest.mark.parametrize("vector", CALLS, ids=lambda vector: vector["id"])
def test_signatures_equal_those_of_other_sdks(vector):
    inputs = vector["inputs"]
    text = param_json(json.loads(inputs["param_json"]))
    assert text == inputs["param_json"]
    found = sign(
        inputs["app_key"], inputs["app_secret"], method=inputs["method"], text=text, timestamp=inputs["timestamp"]
    )
    assert found == vector["expected"]["sign"]


def test_a_push_signature_equals_that_of_another_sdk():
    inputs = PUSH["inputs"]
    body = inputs["body"].encode()
    assert event_sign(inputs["app_key"], inputs["app_secret"], body) == PUSH["expected"]["event-sign"]
    assert event_sign(inputs["app_key"], inputs["app_secret"], body + b" ") != PUSH["expected"]["event-sign"]


def test_parameters_are_sorted_at_every_level_and_not_escaped():
    assert param_json({"b": {"z": 1, "a": "双11<礼盒>&A"}, "a": [{"d": True, "c": 1.5}]}) == (
        '{"a":[{"c":1.5,"d":true}],"b":{"a":"双11<礼盒>&A","z":1}}'
    )


def test_a_call_sends_signed_parameters_to_the_path_of_its_method(client, wire):
    wire.body({"code": 10000, "data": {"total": 3}})
    assert client.call("order.searchList", {"size": 1, "page": 0}) == {"total": 3}
    head, body = wire.requests[0]
    address = urlsplit(head.split(b" ")[1].decode())
    query = dict(parse_qsl(address.query))
    assert (address.path, body) == ("/x/order/searchList", b'{"page":0,"size":1}')
    text = body.decode()
    assert query.pop("sign") == sign(
        "699", "a-secret", method="order.searchList", text=text, timestamp=query["timestamp"]
    )
    assert query["timestamp"].isdigit()
    assert (query["sign_method"], query["access_token"], query["v"]) == ("hmac-sha256", "a-token", "2")


TABLE = [
    (20000, "dop.service-error", TemporaryError, False),
    (20000, "isp.service-error:20005", TemporaryError, False),
    (30001, "dop.no-permissions", HubError, True),
    (30001, "isv.app-permissions-insufficient", HubError, True),
    (30001, "dop.authorization-no-existed", AuthorisationError, True),
    (30001, "dop.authorization-closed", AuthorisationError, True),
    (30001, "dop.app-forbidden", HubError, True),
    (30002, "isv.invalid_ip", HubError, True),
    (40001, "isv.parameter-missing", HubError, True),
    (40001, "isv.signature-missing", HubError, True),
    (40003, "isv.signature-invalid", HubError, True),
    (40003, "isv.timestamp-invalid", TemporaryError, False),
    (40003, "isv.access-token-expired", AuthorisationError, True),
    (30002, "isv.access-token-expired", AuthorisationError, True),
    (40003, "isv.access-token-no-existed", AuthorisationError, True),
    (40003, "isv.access-token-invalid", AuthorisationError, True),
    (40003, "isv.idempotent-id-existed", RepeatedError, True),
    (40004, "isv.parameter-invalid:40010", RepeatedError, True),
    (40004, "isv.parameter-invalid:20014", RefusedError, True),
    (50001, "dop.token-generate-failed:code-expired", AuthorisationError, True),
    (50002, "isv.business-failed:60021", RefusedError, True),
    (50002, "isv.business-failed:60040", RefusedError, True),
    (50002, "isv.business-failed:60110", ShippedError, True),
    (50002, "isv.business-failed:60109", TemporaryError, False),
    (50002, "isv.business-failed:8888", TemporaryError, False),
    (60000, "isv.traffic-limited", ThrottledError, False),
    (70000, "", HubError, True),
    (90000, "", TemporaryError, False),
    (12345, "", HubError, True),
]


@pytest.mark.parametrize(("code", "sub_code", "kind", "permanent"), TABLE)
def test_each_code_of_the_platform_has_its_consequence(code, sub_code, kind, permanent):
    error = douyin_error(code, sub_code, "text")
    assert type(error) is kind
    assert error.permanent is permanent


@pytest.mark.parametrize(
    ("code", "sub_code", "seconds"),
    [(60000, "isv.traffic-limited", 1), (50002, "isv.business-failed:60109", 1800), (20000, "", None)],
)
def test_how_long_to_wait(code, sub_code, seconds):
    assert douyin_error(code, sub_code, "text").retry_after == seconds


@pytest.mark.parametrize(
    "body",
    [{"err_no": 0, "message": "success", "data": {"a": 1}}, {"code": "10000", "data": {"a": 1}},
     {"code": 10001, "sub_code": "isv.business-part-failed", "data": {"a": 1}}],
)  # fmt: skip
def test_both_envelopes_are_opened(client, wire, body):
    wire.body(body)
    assert client.call("x.y", {}) == {"a": 1}


def test_an_error_comes_with_status_200_and_says_nothing_secret(client, wire):
    wire.body({"code": 40003, "sub_code": "isv.access-token-expired", "sub_msg": "a-token has expired", "data": None})
    with pytest.raises(AuthorisationError) as failed:
        client.call("x.y", {})
    assert "a-token" not in str(failed.value)
    assert len(wire.requests) == 1


def test_the_old_envelope_tells_errors_too(client, wire):
    wire.body({"err_no": 7, "message": "a-secret 参数错误", "data": None})
    with pytest.raises(HubError) as failed:
        client.call("x.y", {})
    assert "参数错误" in str(failed.value)
    assert "a-secret" not in str(failed.value)


def test_a_temporary_error_is_tried_again_and_a_limit_is_not(client, wire):
    wire.body({"code": 20000, "sub_code": "isp.service-error:20005", "data": None})
    wire.body({"code": 10000, "data": {"ok": 1}})
    assert client.call("x.y", {}) == {"ok": 1}
    wire.answers.clear()
    wire.requests.clear()
    wire.body({"code": 60000, "sub_code": "isv.traffic-limited", "data": None})
    with pytest.raises(ThrottledError):
        client.call("x.y", {})
    assert len(wire.requests) == 1


@pytest.mark.parametrize("body", [b'{"code": 10000, "da', b"", b"<html>", b"[]", b'{"odd": 1}', b'{"code": true}'])
def test_an_answer_that_is_none_is_temporary(client, wire, body):
    wire.body(body)
    with pytest.raises(TemporaryError):
        client.call("x.y", {})
    assert len(wire.requests) == 3


def test_one_bad_remark_does_not_spoil_the_page(client, wire):
    wire.body(b'{"code": 10000, "data": {"memo": "a\\ud800b\\u0000c", "n": NaN, "m": 1e400}}')
    assert client.call("x.y", {}) == {"memo": "abc", "n": None, "m": None}
