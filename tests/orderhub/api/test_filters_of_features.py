import pytest

from orderhub.models import Order
from tests.factories import make_order, make_shop
from tests.orderhub.api.conftest import draft
from triage.models import Finding

pytestmark = pytest.mark.django_db


def finding(order, code, **values):
    return Finding.objects.create(
        shop=order.shop, order=order, code=code, rule_set_id=1, severity=1, values={}, facts_key=1, **values
    )


def numbers(response):
    assert response.status_code == 200, response.content
    return [row["external_no"] for row in response.json()["results"]]


def test_orders_are_narrowed_to_an_open_finding(api):
    shop = make_shop()
    opened, cleared, shadow = (make_order(shop, external_no=number) for number in ("T1", "T2", "T3"))
    finding(opened, "phone_invalid")
    finding(opened, "other")
    finding(cleared, "phone_invalid", cleared_at=cleared.created_at)
    finding(shadow, "phone_invalid", is_shadow=True)
    assert numbers(api.get("orders/", finding="phone_invalid")) == ["T1"]
    assert numbers(api.get("orders/", finding="unknown")) == []


def test_an_order_taken_in_tells_its_findings(api, shop):
    vague = draft("T1")
    vague["receiver"] = {**vague["receiver"], "detail": "小区门口"}
    api.post("intake/", {"shop": "mini", "orders": [vague]})
    order = Order.objects.get(external_no="T1")
    answer = api.get(f"orders/{order.pk}/").json()
    assert answer["lane"] == order.lane == "to_confirm"
    found = answer["sections"]["findings"]
    assert {row["lane"] for row in found} == {"to_confirm"}
    assert all(row["title"] and row["reason"] for row in found)
