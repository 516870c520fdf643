import hashlib
import json
from pathlib import Path

import pytest

from channels_sync.connectors.base import ShopAccess, connectors
from channels_sync.connectors.douyin.push import TAGS
from channels_sync.connectors.exchange import PushRefusedError, PushRequest

VECTORS = json.loads((Path(__file__).parents[3] / "payloads" / "vectors" / "douyin.json").read_text(encoding="utf-8"))
VECTOR = next(vector for vector in VECTORS if vector["id"] == "doudian-event-sign")
KEY, SECRET = VECTOR["inputs"]["app_key"], VECTOR["inputs"]["app_secret"]


def accept(body, *, shop_id="", **headers):
    credentials = {"app_key": KEY, "app_secret": SECRET, "shop_id": shop_id}
    access = ShopAccess(1, "dy", credentials, {}, None, None)
    sign = hashlib.md5(KEY.encode() + body + SECRET.encode()).hexdigest()
    request = PushRequest("POST", {}, {"app-id": KEY, "event-sign": sign, **headers}, body)
    return connectors.get("douyin").accept_push(access, request)


def event(tag="101", msg_id="1:101:2:3", **data):
    return {"tag": tag, "msg_id": msg_id, "data": json.dumps({"p_id": 6900000000000000001, "shop_id": 7, **data})}


def body(*events):
    return json.dumps(events, ensure_ascii=False).encode()


def test_the_push_of_another_sdk_is_accepted():
    sign = VECTOR["expected"]["event-sign"]
    events, answer = accept(VECTOR["inputs"]["body"].encode(), **{"event-sign": sign})
    assert [(pushed.delivery_key, pushed.numbers) for pushed in events] == [
        ("douyin:push:6900000000000000001:101:1794241830:1", ("6900000000000000001",))
    ]
    assert (answer.status, answer.body, answer.content_type) == (
        200, b'{"code":0,"msg":"success"}', "application/json",
    )  # fmt: skip


def test_a_changed_body_is_refused():
    sign = VECTOR["expected"]["event-sign"]
    with pytest.raises(PushRefusedError) as refused:
        accept(VECTOR["inputs"]["body"].replace("19900", "1").encode(), **{"event-sign": sign})
    assert refused.value.status == 401


@pytest.mark.parametrize("headers", [{"event-sign": ""}, {"event-sign": "é"}, {"app-id": "another"}, {"app-id": ""}])
def test_a_wrong_or_missing_header_is_refused(headers):
    with pytest.raises(PushRefusedError):
        accept(body(event()), **headers)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[", b"\xff\xfe", b'"x"'])
def test_a_signed_body_that_is_no_array_is_refused(raw):
    with pytest.raises(PushRefusedError) as refused:
        accept(raw)
    assert refused.value.status == 400


def test_the_same_event_has_the_same_key_and_another_one_not():
    first, second, third = (accept(body(event(msg_id=key)))[0][0].delivery_key for key in ("a", "a", "b"))
    assert first == second != third


@pytest.mark.parametrize(("msg_id", "is_same"), [("", False), ("x" * 500, True)])
def test_an_event_without_its_id_has_a_key_of_its_content_and_a_long_one_a_short_key(msg_id, is_same):
    first, second = (accept(body(event(msg_id=msg_id, n=n)))[0][0].delivery_key for n in (1, 2))
    assert (first == second) is is_same
    assert len(first) < 200


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_every_event_of_an_order_names_it(tag):
    (pushed,), _answer = accept(body(event(tag)))
    assert pushed.numbers == ("6900000000000000001",)


@pytest.mark.parametrize("tag", ["0", "400", "999", None])
def test_other_events_are_answered_and_not_kept(tag):
    events, answer = accept(body(event(tag)))
    assert (list(events), answer.body) == ([], b'{"code":0,"msg":"success"}')


def test_events_of_another_shop_of_the_application_are_not_taken():
    assert accept(body(event(), event(msg_id="x")), shop_id="8")[0] == []
    assert len(accept(body(event(), event(msg_id="x")), shop_id="7")[0]) == 1


def test_the_orders_of_one_push_are_fetched_together_each_once():
    events = [event(msg_id="a", p_id=1), event("0", "b", p_id=2), event(msg_id="c", p_id=3), event(msg_id="d", p_id=1)]
    (pushed,), _answer = accept(body(*events))
    (again,), _answer = accept(body(*events))
    (other,), _answer = accept(body(*events[:1], event(msg_id="x", p_id=1)))
    assert pushed.numbers == ("1", "3")
    assert pushed.delivery_key == again.delivery_key != other.delivery_key


@pytest.mark.parametrize("data", ["{", "3", "null", "", None, [], {"p_id": 0}])
def test_an_event_that_names_no_order_is_answered_and_not_kept(data):
    assert accept(body({"tag": "101", "msg_id": "1", "data": data}, 3, None))[0] == []


def test_data_may_be_an_object():
    (pushed,), _answer = accept(body({"tag": "200", "msg_id": "1", "data": {"shop_order_id": "69"}}))
    assert pushed.numbers == ("69",)
