import hashlib
import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit
from xml.etree.ElementTree import fromstring

import pytest

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.warehouses.base import (
    PushLine,
    PushOrder,
    PushReceiver,
    WarehouseAccess,
    WarehouseRefusedError,
    warehouses,
)
from channels_sync.warehouses.qimen import document
from channels_sync.warehouses.qimen.repeats import Twice, what_is_there_twice
from orderhub.core.errors import HubError, TemporaryError
from tests.channels_sync.callbacks import CONFIRM, STEP, confirm, step
from tests.channels_sync.conftest import warehouse_settings

AT = datetime(2026, 11, 10, 16, 0, 7, tzinfo=UTC)
OK = (
    b"<response><flag>success</flag><code>0</code><message>ok</message><deliveryOrderId>W1</deliveryOrderId></response>"
)


def access(**settings):
    credentials = {
        "app_key": SANDBOX.qimen_app_key,
        "app_secret": SANDBOX.qimen_secret,
        "customer_id": SANDBOX.customer_id,
    }
    return WarehouseAccess("WH01", credentials, {**warehouse_settings(), **settings})


def receiver(**changes):
    values = {
        "name": "李雷",
        "phone": "13912345678",
        "province": "浙江省",
        "city": "杭州市",
        "district": "西湖区",
        "town": "",
        "detail": "文三路 90 号",
        "postcode": "",
        "country": "CN",
        "is_masked": False,
        "oaid": "",
    }
    return PushReceiver(**{**values, **changes})


def order(**changes):
    values = {
        "code": "mini-T1",
        "platform": "wechat",
        "shop_name": "店",
        "external_no": "T1",
        "created_at": AT,
        "paid_at": AT,
        "ship_by": AT,
        "is_urgent": False,
        "is_presale": False,
        "buyer_nickname": "小李",
        "buyer_remark": "",
        "seller_remark": "",
        "total_fen": 25800,
        "discount_fen": 1000,
        "freight_fen": 0,
        "paid_fen": 24800,
        "receiver": receiver(),
        "lines": [PushLine("1", "SERUM-30", "精华液", 2, 12900, 24800)],
    }
    return PushOrder(**{**values, **changes})


def test_the_example_of_the_documentation_is_all_that_a_warehouse_needs(settings):
    page = (settings.BASE_DIR / "docs" / "channels" / "qimen.md").read_text(encoding="utf-8")
    example = json.loads(page.partition("```json")[2].partition("```")[0])
    root = document(WarehouseAccess("HZ", {}, example), order())
    assert root.findtext("deliveryOrder/warehouseCode") == "HZ-01"
    assert root.findtext("deliveryOrder/logisticsCode") == "YTO"
    assert root.findtext("orderLines/orderLine/ownerCode") == "HEMU"
    assert {element.tag: element.text for element in root.find("deliveryOrder/senderInfo")} == {
        "name": "禾木发货组", "mobile": "13800000000", "province": "浙江省", "city": "杭州市", "area": "余杭区",
        "town": "仓前街道", "detailAddress": "示例路 1 号",
    }  # fmt: skip


def push(order_, **settings):
    return warehouses.get("qimen").create_order(access(**settings), order_)


def texts(root):
    return {element.tag: element.text for element in root.iter() if not len(element)}


def test_a_delivery_order():
    told = texts(document(access(), order()))
    assert told == {
        "deliveryOrderCode": "mini-T1",
        "orderType": "JYCK",
        "warehouseCode": "WH01",
        "sourcePlatformCode": "OTHERS",
        "createTime": "2026-11-11 00:00:07",
        "placeOrderTime": "2026-11-11 00:00:07",
        "payTime": "2026-11-11 00:00:07",
        "operateTime": told["operateTime"],
        "shopNick": "店",
        "buyerNick": "小李",
        "totalAmount": "258.00",
        "itemAmount": "258.00",
        "discountAmount": "10.00",
        "freight": "0.00",
        "gotAmount": "248.00",
        "arAmount": "0.00",
        "logisticsCode": "YTO",
        "isUrgency": "N",
        "latestDeliveryTime": "2026-11-11 00:00:07",
        "name": "李雷",
        "mobile": "13912345678",
        "province": "浙江省",
        "city": "杭州市",
        "area": "西湖区",
        "detailAddress": "文三路 90 号",
        "countryCode": "CN",
        "orderLineNo": "1",
        "sourceOrderCode": "T1",
        "subSourceOrderCode": "1",
        "ownerCode": SANDBOX.owner_code,
        "itemCode": "SERUM-30",
        "itemName": "精华液",
        "inventoryType": "ZP",
        "planQty": "2",
        "retailPrice": "129.00",
        "actualPrice": "124.00",
    }


def test_urgent_presale_and_masked_orders():
    masked = receiver(name="李*", phone="*******5678", detail="***", is_masked=True, oaid="OAID-1")
    told = texts(document(access(), order(platform="taobao", is_urgent=True, is_presale=True, receiver=masked)))
    assert (told["isUrgency"], told["orderFlag"], told["sourcePlatformCode"]) == ("Y", "PRESELL", "TB")
    assert (told["oaid"], told["oaidOrderSourceCode"]) == ("OAID-1", "T1")
    plain = texts(document(access(), order(receiver=receiver(oaid="OAID-1"))))
    assert "oaid" not in plain
    assert "oaidOrderSourceCode" not in plain


@pytest.mark.parametrize(("country", "code"), [("中国大陆", "CN"), ("CN", "CN"), ("HK", "HK"), ("加拿大", "加拿大")])
def test_the_warehouse_reads_one_word_for_china(country, code):
    assert texts(document(access(), order(receiver=receiver(country=country))))["countryCode"] == code


def test_the_very_bytes_that_are_sent_are_signed(wire):
    wire.body(OK)
    assert push(order(buyer_remark='<&>"急" 🎁\x0b\ufffe')).warehouse_order_id == "W1"
    head, body = wire.requests[0]
    query = dict(parse_qsl(urlsplit(head.split()[1].decode()).query))
    sign = query.pop("sign")
    text = "".join(key + query[key] for key in sorted(query)).encode()
    secret = SANDBOX.qimen_secret.encode()
    assert sign == hashlib.md5(secret + text + body + secret).hexdigest().upper()
    assert query["customerId"] == SANDBOX.customer_id
    assert fromstring(body).findtext("deliveryOrder/buyerMessage") == '<&>"急" 🎁'


def test_a_warehouse_takes_an_order_and_knows_it_at_the_second_try(platform):
    first, second = push(order()), push(order())
    assert (first.is_repeat, second.is_repeat) == (False, True)
    assert first.warehouse_order_id
    assert platform.store.totals()["deliveries"] == 1


@pytest.mark.parametrize(
    ("body", "error", "permanent"),
    [
        (b"<response><flag>failure</flag><code>S9</code></response>", WarehouseRefusedError, True),
        ("<response><flag>failure</flag><message>系统繁忙</message></response>".encode(), TemporaryError, False),
        (b"<response><flag>success</fl", TemporaryError, False),
        (b"", TemporaryError, False),
        (b"<html/>", TemporaryError, False),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><response><flag>&a;</flag></response>', HubError, True),
        (b"<error_response><code>25</code><msg>Invalid signature</msg></error_response>", HubError, True),
        (b"<error_response><code>27</code><msg>session</msg></error_response>", AuthorisationError, True),
        (b"<error_response><code>7</code><sub_msg>ban will last for 5 more seconds</sub_msg></error_response>",
         ThrottledError, False),
        (b"<error_response><code>15</code><sub_code>isp.x</sub_code></error_response>", TemporaryError, False),
    ],
)  # fmt: skip
def test_each_answer_has_its_consequence(wire, body, error, permanent):
    wire.body(body)
    with pytest.raises(HubError) as failed:
        push(order())
    assert type(failed.value) is error
    assert failed.value.permanent is permanent
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("said", "twice"),
    [
        ("S003 发货单已存在: mini-T1", "order"), ("订单已存在", "order"), ("单号重复", "order"), ("此单重复", "order"),
        ("delivery order already exists", "order"), ("DUPLICATE deliveryOrderCode", "order"),
        ("order mini-T1 already exists in line-sku-item", "unnamed"), ("S001 明细行商品编码重复", "no"),
        ("订单明细已存在", "no"), ("编码重复", "no"), ("duplicate itemCode in order", "no"), ("duplicate SKU", "no"),
        ("duplicate orderLineNo", "no"), ("运单号重复", "no"), ("库存不足", "no"), ("订单行重复", "no"),
        ("订单编码重复", "order"), ("该单已存在，执行中", "order"),
        ("请勿重复提交", "unnamed"), ("duplicate request", "unnamed"),
        ("订单号T-1已存在,仓库编码:WH01", "order"), ("货主编码[A]下订单[T-1]已存在", "order"),
        ("单号重复: T-1 客户编码 C9", "order"), ("订单已存在，运单号YT123", "order"), ("订单已存在(2行)", "order"),
        ("订单已存在,请勿重复推送商品", "unnamed"), ("ITEM_CHECK: order already exists", "unnamed"),
        ("单号重复: T-1 商品编码 A", "unnamed"), ("商品编码A在订单T-1中重复", "unnamed"),
        ("商品编码[A]重复", "no"), ("订单T-1下商品编码[A]重复", "no"), ("订单T-1的商品编码(A)重复", "no"),
        ("订单创建失败，商品编码:A已存在", "no"), ("订单存在重复的商品编码", "no"), ("order has duplicate items", "no"),
        ("订单已存在重复商品", "no"), ("运单号YT1已存在,订单T-1", "no"),
    ],
)  # fmt: skip
def test_a_refusal_is_a_repeat_only_where_it_names_the_order(said, twice):
    assert what_is_there_twice(said, "mini-T1").value == twice


def test_the_order_s_own_code_says_nothing_of_what_is_there_twice():
    assert what_is_there_twice("订单 sku-shop-T1 已存在", "sku-shop-T1") is Twice.ORDER


@pytest.mark.parametrize(("said", "error"), [("S001 明细行商品编码重复", WarehouseRefusedError), ("重复", HubError)])
def test_what_is_no_repeat_is_refused(wire, said, error):
    wire.body(f"<response><flag>failure</flag><message>{said}</message></response>".encode())
    with pytest.raises(HubError) as failed:
        push(order())
    assert (type(failed.value), failed.value.permanent) == (error, True)


def test_what_a_repeat_and_a_retry_look_like_is_configured(wire):
    wire.body(b"<response><flag>failure</flag><code>K17</code><message>bekannt</message></response>")
    assert push(order(), repeat_words=["K17"]).is_repeat
    with pytest.raises(TemporaryError):
        push(order(), repeat_words=[], retry_words=["bekannt"])


@pytest.mark.parametrize("kind", ["http500", "disconnect", "timeout", "truncated"])
def test_faults_of_the_wire_are_temporary(platform, settings, kind):
    settings.OUTBOUND_TIMEOUT_SECONDS = 0.3 if kind == "timeout" else 10
    platform.faults.add({"kind": kind, "times": 1, "seconds": 1})
    with pytest.raises(TemporaryError):
        push(order())
    settings.OUTBOUND_TIMEOUT_SECONDS = 10
    answer = push(order())
    assert answer.is_repeat is (kind == "truncated")


@pytest.mark.parametrize("missing", ["owner_code", "warehouse_code", "sender"])
def test_missing_settings_are_named(missing):
    with pytest.raises(HubError, match=missing):
        push(order(), **{missing: None})


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-11 00:00:07", AT), ("2003-05-10 08:00:01", datetime(2003, 5, 10, 0, 0, 1, tzinfo=UTC)),
        ("2003-05-10 08:00:00", None), ("1970-01-01 08:00:00", None), ("0001-01-01 00:00:00", None),
        ("0000-00-00 00:00:00", None), ("", None),
    ],
)  # fmt: skip
def test_a_date_that_stands_for_none_is_no_time(written, at):
    read = warehouses.get("qimen").read_report
    assert read(STEP, step("mini-T1", "PICK", at=written).encode()).at == at
    assert read(CONFIRM.removeprefix("taobao.qimen."), confirm("mini-T1", at=written).encode()).at == at
    lack = f"<request><deliveryOrderCode>mini-T1</deliveryOrderCode><createTime>{written}</createTime></request>"
    assert read("itemlack.report", lack.encode()).at == at
