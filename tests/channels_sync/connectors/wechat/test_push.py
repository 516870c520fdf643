import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner

from channels_sync.connectors.exchange import PushRefusedError, PushRequest
from channels_sync.connectors.wechat import push
from channels_sync.sandbox.credentials import SANDBOX, Credentials
from channels_sync.sandbox.wechat_push import seal
from orderhub.core.errors import HubError
from tests.channels_sync.connectors.wechat.conftest import WechatSide

(VECTOR,) = json.loads((Path(__file__).parents[3] / "payloads" / "vectors" / "wechat.json").read_text(encoding="utf-8"))
INPUTS, EXPECTED = VECTOR["inputs"], VECTOR["expected"]
NUMBER = "3705115058471208928"


@pytest.fixture
def shop():
    side = WechatSide()
    side.credentials = {
        "push_token": INPUTS["token"], "push_key": INPUTS["encoding_aes_key"], "app_id": INPUTS["appid"],
    }  # fmt: skip
    return side


def accept(shop, body, method="POST", **query):
    query = {"timestamp": INPUTS["timestamp"], "nonce": INPUTS["nonce"], **query}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return shop.connector.accept_push(shop.access, PushRequest(method, query, {}, raw))


def refused(shop, body, **query):
    with pytest.raises(PushRefusedError) as refusal:
        accept(shop, body, **query)
    return refusal.value.status


def sealed(shop, event, timestamp="1794241830", nonce="n1"):
    """Return the query and body that a library somebody else wrote makes of an event."""
    crypto = WeChatCrypto(INPUTS["token"], INPUTS["encoding_aes_key"], INPUTS["appid"])
    xml = crypto.encrypt_message(json.dumps(event), nonce, timestamp)
    signature = xml.partition("<MsgSignature><![CDATA[")[2].partition("]")[0]
    return {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce}, xml.encode()


def test_the_recorded_push_is_opened(shop):
    events, answer = accept(shop, {"Encrypt": EXPECTED["Encrypt"]}, msg_signature=EXPECTED["msg_signature"])
    assert (answer.body, answer.status) == (b"success", 200)
    (event,) = events
    assert event.numbers == (NUMBER,)
    assert event.reader == ""
    assert event.body.decode() == INPUTS["plaintext"]


def test_signatures_equal_those_of_another_library():
    parts = (INPUTS["token"], INPUTS["timestamp"], INPUTS["nonce"])
    assert push.signature(*parts) == EXPECTED["plain_signature"]
    assert push.signature(*parts, EXPECTED["Encrypt"]) == EXPECTED["msg_signature"]
    signer = WeChatSigner()
    signer.add_data(*parts)
    assert push.signature(*parts) == signer.signature


@pytest.mark.parametrize("length", [0, 1, 11, 12, 13, 31, 32, 33, 5000])
def test_messages_of_another_library_are_opened_whatever_their_length(shop, length):
    event = {"Event": "channels_ec_order_pay", "order_info": {"order_id": int(NUMBER)}, "x": "中" * length}
    query, body = sealed(shop, event)
    ((pushed,), _answer) = accept(shop, body, **query)
    assert (pushed.numbers, json.loads(pushed.body)) == ((NUMBER,), event)


def test_the_sandbox_seals_as_another_library_opens():
    query, body = seal('{"order_info": {"order_id": 1}}', SANDBOX, 1794241830)
    crypto = WeChatCrypto(SANDBOX.wechat_push_token, SANDBOX.wechat_push_key, SANDBOX.wechat_app_id)
    opened = crypto.decrypt_message(json.loads(body), query["msg_signature"], query["timestamp"], query["nonce"])
    assert json.loads(opened) == {"order_info": {"order_id": 1}}


def test_the_check_of_the_address_gets_its_echo(shop):
    events, answer = accept(shop, b"", "GET", signature=EXPECTED["plain_signature"], echostr="4375120948345356249")
    assert (events, answer.body) == ([], b"4375120948345356249")
    assert refused(shop, b"", method="GET", signature="0" * 40, echostr="1") == 401


@pytest.mark.parametrize(
    "change",
    [{"msg_signature": "0" * 40}, {"msg_signature": ""}, {"msg_signature": "签"}, {"timestamp": "1794241831"},
     {"nonce": "other"}],
)  # fmt: skip
def test_a_push_that_somebody_changed_is_refused(shop, change):
    given = {"msg_signature": EXPECTED["msg_signature"], **change}
    assert refused(shop, {"Encrypt": EXPECTED["Encrypt"]}, **given) == 401


def test_a_text_that_was_tampered_with_does_not_fit_its_signature(shop):
    text = EXPECTED["Encrypt"]
    flipped = text[:40] + ("A" if text[40] != "A" else "B") + text[41:]
    assert refused(shop, {"Encrypt": flipped}, msg_signature=EXPECTED["msg_signature"]) == 401


def test_a_push_for_another_application_is_refused(shop):
    shop.credentials["app_id"] = "wxshopappid0000002"
    assert refused(shop, {"Encrypt": EXPECTED["Encrypt"]}, msg_signature=EXPECTED["msg_signature"]) == 401


@pytest.mark.parametrize("text", ["", "no base64!", "QUJD", "QUJDREVGR0hJSktMTU5PUA=="])
def test_a_sealed_text_that_is_none_is_refused(shop, text):
    with pytest.raises(PushRefusedError):
        push.opened(INPUTS["encoding_aes_key"], INPUTS["appid"], text)


def test_a_plain_push_counts_only_where_no_key_is_set(shop):
    event = {"Event": "channels_ec_order_new", "order_info": {"order_id": int(NUMBER)}}
    assert refused(shop, event, signature=EXPECTED["plain_signature"]) == 401
    shop.credentials["push_key"] = ""
    ((pushed,), _answer) = accept(shop, event, signature=EXPECTED["plain_signature"])
    assert pushed.numbers == (NUMBER,)
    assert refused(shop, event, signature="0" * 40) == 401


def test_xml_is_taken_as_well(shop):
    shop.credentials["push_key"] = ""
    xml = f"<xml><Event>channels_ec_order_new</Event><order_info><order_id>{NUMBER}</order_id></order_info></xml>"
    ((pushed,), _answer) = accept(shop, xml.encode(), signature=EXPECTED["plain_signature"])
    assert pushed.numbers == (NUMBER,)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"<xml>", b"1", b"\xff\xfe",
     b'<!DOCTYPE a [<!ENTITY b "c">]><xml><order_info><order_id>&b;</order_id></order_info></xml>'],
)  # fmt: skip
def test_a_body_that_is_no_message_is_refused(shop, body):
    shop.credentials["push_key"] = ""
    assert refused(shop, body, signature=EXPECTED["plain_signature"]) == 400


def test_aftersales_name_their_order_and_other_events_none(shop):
    sale = {"finder_shop_aftersale_status_update": {"order_id": NUMBER, "after_sale_order_id": "1"}}
    query, body = sealed(shop, sale)
    assert accept(shop, body, **query)[0][0].numbers == (NUMBER,)
    query, body = sealed(shop, {"Event": "product_order_status_update", "product": {"id": 1}})
    events, answer = accept(shop, body, **query)
    assert (list(events), answer.body) == ([], b"success")


def test_the_same_event_has_the_same_key_and_another_event_another(shop):
    def key(event, nonce):
        query, body = sealed(shop, event, nonce=nonce)
        return accept(shop, body, **query)[0][0].delivery_key

    event = {"order_info": {"order_id": int(NUMBER)}, "CreateTime": 1794241830}
    assert key(event, "a") == key(event, "b")
    assert key(event, "a") != key({**event, "CreateTime": 1794241831}, "a")


def test_a_platform_whose_clock_is_off_is_still_heard(shop):
    query, body = sealed(shop, {"order_info": {"order_id": 1}}, timestamp="1700000000")
    assert accept(shop, body, **query)[0][0].numbers == ("1",)


def test_a_shop_without_a_push_token_takes_none(shop):
    del shop.credentials["push_token"]
    with pytest.raises(HubError):
        accept(shop, {}, signature="x")


def test_the_key_of_the_sandbox_has_43_characters():
    assert len(Credentials().wechat_push_key) == 43
    assert urlencode(seal("{}", SANDBOX, 1)[0]).count("signature=") == 2
