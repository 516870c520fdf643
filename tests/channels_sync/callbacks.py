"""A warehouse's callbacks, built and signed without code of the hub."""

from urllib.parse import urlencode
from xml.etree.ElementTree import fromstring

from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.replies import element
from channels_sync.sandbox.signatures import expected_sign
from orderhub.models import OrderLine, Sku, StockLevel
from tests.factories import make_order, make_shop

STEP, CONFIRM = "orderprocess.report", "taobao.qimen.deliveryorder.confirm"
CODE = "t-b-T-1"
"""The delivery order of `accepted_order`."""


def accepted_order(warehouse):
    """Make an order that the warehouse has accepted: two pieces of article A, both reserved of ten."""
    made = make_order(
        make_shop("t-b", platform="taobao", warehouse=warehouse), external_no="T-1", status="wms_accepted"
    )
    OrderLine.objects.update(sku="A", quantity=2, reserved=2, warehouse="WH01")
    Sku.objects.create(code="A")
    StockLevel.objects.create(sku="A", warehouse="WH01", on_hand=10, reserved=2)
    return made


def state(order):
    """Return the order's status and the warehouse's word as they are now."""
    order.refresh_from_db()
    return order.status, order.warehouse_claim


def level(sku="A"):
    """Return the pieces of an article on hand and reserved."""
    return StockLevel.objects.values_list("on_hand", "reserved").get(sku=sku)


def address(method, body, *, code="WH01", secret=SANDBOX.qimen_secret, customer=SANDBOX.customer_id):
    """Return the signed path of one callback."""
    query = {
        "method": method, "timestamp": "2026-11-11 10:00:00", "format": "xml", "app_key": SANDBOX.qimen_app_key,
        "v": "2.0", "sign_method": "md5", "customerId": customer,
    }  # fmt: skip
    query["sign"] = expected_sign(query, secret, body=body)
    return f"/hooks/warehouse/{code}/?{urlencode(query)}"


def post(client, method, body, **how):
    """Make one callback and return flag and code of the answer."""
    answer = client.post(address(method, body, **how), body.encode(), content_type="text/xml;charset=utf-8")
    assert answer.status_code == 200
    root = fromstring(answer.content)
    return root.findtext("flag"), root.findtext("code")


def step(code, node, at="2026-11-11 09:00:00", **process):
    """Return an `orderprocess.report`."""
    values = {"processStatus": node, "operateTime": at, **process}
    return element("request", {"order": {"orderCode": code, "warehouseCode": "WH01"}, "process": values})


def confirm(code, *parcels, key="1", final=True, state="", at="2026-11-11 10:00:00", lines=()):
    """Return a `deliveryorder.confirm`; a parcel is (carrier, number, [(line, sku, pieces)])."""
    head = {
        "deliveryOrderCode": code, "warehouseCode": "WH01", "orderType": "JYCK",
        "status": state or ("DELIVERED" if final else "PARTDELIVERED"), "outBizCode": key,
        "confirmType": "0" if final else "1", "orderConfirmTime": at,
    }  # fmt: skip
    packages = [
        {"logisticsCode": carrier, "expressCode": number, "weight": "0.5",
         "items": {"item": [{"orderLineNo": no, "itemCode": sku, "quantity": count} for no, sku, count in inside]}}
        for carrier, number, inside in parcels
    ]  # fmt: skip
    told = [{"orderLineNo": no, "itemCode": sku, "actualQty": count} for no, sku, count in lines]
    body = {"deliveryOrder": head, "packages": {"package": packages}, "orderLines": {"orderLine": told}}
    return element("request", body)


def stock(*items, **head):
    """Return a `stockchange.report` or `inventory.report`; an item is a dictionary."""
    return element("request", {**head, "items": {"item": list(items)}})
