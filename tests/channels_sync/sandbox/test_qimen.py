import json
from xml.etree import ElementTree

import pytest

from tests.channels_sync.sandbox.conftest import ALL_FIELDS

CREATE = "taobao.qimen.deliveryorder.create"


def delivery_order(code="DO1", mobile="13800001111", oaid="", source="M1", warehouse="WH01", drop=""):
    who = "<name>张三</name><province>浙江省</province><city>杭州市</city><detailAddress>文三路 90 号</detailAddress>"
    body = (
        f"<request><deliveryOrder><deliveryOrderCode>{code}</deliveryOrderCode><orderType>JYCK</orderType>"
        f"<warehouseCode>{warehouse}</warehouseCode><createTime>2026-11-11 12:00:00</createTime>"
        "<placeOrderTime>2026-11-11 11:59:00</placeOrderTime><operateTime>2026-11-11 12:00:00</operateTime>"
        f"<shopNick>店</shopNick><logisticsCode>SF</logisticsCode><senderInfo><mobile>1</mobile>{who}</senderInfo>"
        f"<receiverInfo><mobile>{mobile}</mobile>{who}<oaid>{oaid}</oaid></receiverInfo></deliveryOrder>"
        f"<orderLines><orderLine><ownerCode>O</ownerCode><itemCode>SKU1</itemCode><planQty>2</planQty>"
        f"<actualPrice>9.90</actualPrice><sourceOrderCode>{source}</sourceOrderCode></orderLine></orderLines></request>"
    )
    return body.replace(drop, "") if drop else body


def answered(text):
    root = ElementTree.fromstring(text)
    return root.findtext("flag") or root.tag, root.findtext("code"), root.findtext("message") or root.findtext("msg")


def told(client):
    return json.loads(client.get("deliveries"))


def test_delivery_order_is_kept_as_told(taobao):
    body = delivery_order()
    root = ElementTree.fromstring(taobao.qimen(CREATE, body))
    assert (root.findtext("flag"), root.findtext("deliveryOrderId")) == ("success", "WMS0000000001")
    (kept,) = json.loads(taobao.get("deliveries?code=DO1"))["deliveries"]
    assert (kept["code"], kept["times"], kept["body"]) == ("DO1", 1, body)


def test_prefix_of_the_method_is_optional_and_chinese_is_signed_as_sent(taobao):
    assert answered(taobao.qimen("deliveryorder.create", delivery_order()))[0] == "success"


def test_repeat_is_answered_by_option_and_never_kept_twice(taobao):
    taobao.qimen(CREATE, delivery_order())
    assert answered(taobao.qimen(CREATE, delivery_order())) == ("failure", "S003", "发货单已存在: DO1")
    taobao.control("options", repeat_is_success=True)
    root = ElementTree.fromstring(taobao.qimen(CREATE, delivery_order()))
    assert (root.findtext("flag"), root.findtext("deliveryOrderId")) == ("success", "WMS0000000001")
    assert (told(taobao)["total"], told(taobao)["deliveries"][0]["times"]) == (1, 3)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (delivery_order(drop="<shopNick>店</shopNick>"), "S001", "缺少必填字段: deliveryOrder/shopNick"),
        (delivery_order(drop="<planQty>2</planQty>"), "S001", "缺少必填字段: orderLine[0]/planQty"),
        (delivery_order(warehouse="WH99"), "S002", "仓库编码不存在"),
        (delivery_order(mobile="*******1111"), "S004", "收件人已脱敏, 缺少 oaid"),
    ],
)
def test_warehouse_refuses_what_it_cannot_ship(taobao, body, code, message):
    assert answered(taobao.qimen(CREATE, body)) == ("failure", code, message)
    assert told(taobao)["total"] == 0


@pytest.mark.parametrize("body", ["<request>", '<!DOCTYPE a [<!ENTITY b "c">]><request>&b;</request>'])
def test_broken_and_hostile_xml_is_a_failure(taobao, body):
    flag, code, _ = answered(taobao.qimen(CREATE, body))
    assert (flag, code) == ("failure", "S001")


def test_token_must_be_that_of_the_order(taobao):
    (number,) = taobao.make(1)
    answer = taobao.top("taobao.trade.fullinfo.get", fields=ALL_FIELDS, tid=number)
    token = answer["trade_fullinfo_get_response"]["trade"]["oaid"]
    wrong = delivery_order(mobile="*******1111", oaid="other", source=number)
    assert answered(taobao.qimen(CREATE, wrong))[:2] == ("failure", "S005")
    right = delivery_order(mobile="*******1111", oaid=token, source=number)
    assert answered(taobao.qimen(CREATE, right))[0] == "success"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": "wrong"}, "25"),
        ({"customerId": "c-other"}, "41"),
        ({"app_key": "1"}, "29"),
        ({"timestamp": "2026-11-11 11:00:00"}, "31"),
    ],
)
def test_gateway_errors(taobao, change, code):
    assert answered(taobao.qimen(CREATE, delivery_order(), **change))[:2] == ("error_response", code)
    assert told(taobao)["total"] == 0


def test_unknown_method(taobao):
    assert answered(taobao.qimen("taobao.qimen.nothing", "<request/>"))[:2] == ("error_response", "22")


def test_query_tells_what_is_known(taobao):
    taobao.qimen(CREATE, delivery_order())
    ask = "<request><orderCode>{}</orderCode><page>1</page><pageSize>50</pageSize></request>"
    root = ElementTree.fromstring(taobao.qimen("taobao.qimen.deliveryorder.query", ask.format("DO1")))
    assert root.findtext("deliveryOrder/status") == "ACCEPT"
    assert root.findtext("orderLines/orderLine/itemCode") == "SKU1"
    missing = taobao.qimen("taobao.qimen.deliveryorder.query", ask.format("DO2"))
    assert answered(missing)[:2] == ("failure", "S006")


def test_faults_of_the_warehouse(taobao):
    taobao.control("faults", kind="failure", method="deliveryorder.create", message="仓库爆仓")
    assert answered(taobao.qimen(CREATE, delivery_order())) == ("failure", "S999", "仓库爆仓")
    taobao.control("faults", kind="throttle", method=CREATE)
    assert answered(taobao.qimen(CREATE, delivery_order()))[:2] == ("error_response", "7")
    taobao.control("faults", kind="truncated")
    with pytest.raises(ElementTree.ParseError):
        answered(taobao.qimen(CREATE, delivery_order()))
    # The cut answer hid that the order was taken: asking again says so.
    assert answered(taobao.qimen(CREATE, delivery_order()))[1] == "S003"
