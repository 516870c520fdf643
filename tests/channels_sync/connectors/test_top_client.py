import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.taobao.client import RefusedError, TopClient, sign, top_error
from orderhub.core.errors import HubError, TemporaryError

VECTORS = Path(__file__).parents[2] / "payloads" / "vectors"


def vectors(name):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def client(wire):
    return TopClient(wire.url, "12345678", "a-secret", "a-session")


@pytest.mark.parametrize("vector", vectors("top"), ids=lambda vector: vector["id"])
def test_signatures_equal_those_of_other_sdks(vector):
    params = vector["inputs"]["params"]
    method = params.get("sign_method", "md5")
    assert sign(params, vector["inputs"]["app_secret"], method=method) == vector["expected"]["sign"]


def test_a_signature_covers_the_raw_body():
    vector = next(v for v in vectors("qimen") if v["id"] == "qimen-deliveryorder-create")
    inputs = vector["inputs"]
    body = inputs["body"].encode()
    assert sign(inputs["query"], inputs["app_secret"], body=body) == vector["expected"]["sign"]
    assert sign(inputs["query"], inputs["app_secret"], body=body + b" ") != vector["expected"]["sign"]


def test_a_call_sends_a_signed_form_and_opens_the_envelope(wire):
    wire.body({"trades_sold_get_response": {"total_results": 3}})
    assert client(wire).call("taobao.trades.sold.get", {"fields": "tid", "buyer_nick": ""}) == {"total_results": 3}
    form = dict(parse_qsl(wire.requests[0][1].decode(), keep_blank_values=True))
    assert form.pop("sign") == sign(form, "a-secret")
    assert form["session"] == "a-session"
    assert "buyer_nick" not in form


TABLE = [
    (4, "", "too many", ThrottledError, False),
    (7, "accesscontrol.limited-by-api-access-count", "This ban will last for 9 more seconds", ThrottledError, False),
    (10, "", "busy", TemporaryError, False),
    (11, "", "no right", HubError, True),
    (15, "isp.remote-service-timeout", "late", TemporaryError, False),
    (15, "isv.trade-not-exist", "gone", RefusedError, True),
    (21, "", "no method", HubError, True),
    (25, "", "bad sign", HubError, True),
    (26, "", "no session", AuthorisationError, True),
    (27, "session-expired", "expired", AuthorisationError, True),
    (29, "", "bad key", HubError, True),
    (31, "", "clock", TemporaryError, False),
    (41, "", "bad argument", HubError, True),
    (50, "isp.x", "late", TemporaryError, False),
    (50, "isv.x", "no", RefusedError, True),
    (53, "", "level", AuthorisationError, True),
    (999, "", "new", HubError, True),
]


@pytest.mark.parametrize(("code", "sub_code", "message", "kind", "permanent"), TABLE)
def test_each_code_of_the_platform_has_its_consequence(code, sub_code, message, kind, permanent):
    error = top_error(code, sub_code, message)
    assert type(error) is kind
    assert error.permanent is permanent


@pytest.mark.parametrize(
    ("message", "seconds"),
    [("This ban will last for 9 more seconds", 9), ("This ban will last for 1 more seconds", 1),
     ("请等待 86 秒", 86), ("slow down", 2)],
)  # fmt: skip
def test_a_ban_lasts_as_long_as_the_platform_says(message, seconds):
    assert top_error(7, "", message).retry_after == seconds


@pytest.mark.parametrize(
    ("code", "scope", "is_narrow"),
    [(4, "", False), (7, "", False), (7, "app", False), (7, "api", True), (7, "app-api", True)],
)
def test_a_limit_on_one_method_is_told_from_one_on_the_application(code, scope, is_narrow):
    assert top_error(code, scope and f"accesscontrol.limited-by-{scope}-access-count", "").is_narrow is is_narrow


def test_an_error_envelope_comes_with_status_200(wire):
    wire.body({"error_response": {"code": 27, "msg": "Invalid session", "sub_msg": "a-session has expired"}})
    with pytest.raises(AuthorisationError) as failed:
        client(wire).call("taobao.x", {})
    assert "a-session" not in str(failed.value)
    assert len(wire.requests) == 1


def test_a_temporary_error_is_tried_again_and_a_limit_is_not(wire):
    wire.body({"error_response": {"code": 15, "sub_code": "isp.remote-service-error", "msg": "x"}})
    wire.body({"x_response": {"ok": 1}})
    assert client(wire).call("taobao.x", {}) == {"ok": 1}
    wire.answers.clear()
    wire.requests.clear()
    wire.body({"error_response": {"code": 7, "sub_msg": "This ban will last for 3 more seconds"}})
    with pytest.raises(ThrottledError):
        client(wire).call("taobao.x", {})
    assert len(wire.requests) == 1


@pytest.mark.parametrize("body", [b'{"x_response": {"a": ', b"", b"<html>", b"[]", b'{"odd": 1}', b'{"x_response": 3}'])
def test_an_answer_that_is_none_is_temporary(wire, body):
    wire.body(body)
    with pytest.raises(TemporaryError):
        client(wire).call("taobao.x", {})
    assert len(wire.requests) == 3


@pytest.mark.parametrize("charset", ["utf-8", "gbk"])
def test_texts_come_in_the_named_charset(wire, charset):
    body = json.dumps({"x_response": {"title": "精华液"}}, ensure_ascii=False).encode(charset)
    wire.body(body, headers=f"Content-Type: application/json;charset={charset}\r\n")
    assert client(wire).call("taobao.x", {}) == {"title": "精华液"}


def test_one_bad_memo_does_not_spoil_the_page(wire):
    wire.body(b'{"x_response": {"memo": "a\\ud800b\\u0000c", "n": NaN, "m": 1e400}}')
    assert client(wire).call("taobao.x", {}) == {"memo": "abc", "n": None, "m": None}
