import pytest

from tests.factories import make_order, make_shop
from triage.models import Finding
from triage.selectors import decisions as module
from triage.selectors.decisions import decisions


def find(order, code, **values):
    Finding.objects.create(
        shop=order.shop, order=order, code=code, rule_set_id=1, severity=1, values={}, facts_key=1, **values
    )


@pytest.fixture
def orders(db, monkeypatch):
    monkeypatch.setattr(module, "PAGE", 2)
    shop, other = make_shop("a"), make_shop("b")
    made = [make_order(shop, lane="regular"), make_order(other, lane="abnormal", is_urgent=True), make_order(shop)]
    for code in ("price_off", "ip_cluster"):
        find(made[1], code)
    find(made[1], "shade", is_shadow=True)
    find(made[1], "gone", cleared_at="2026-11-11T00:00Z")
    find(made[1], "fine", accepted_at="2026-11-11T00:00Z")
    return made


def test_one_row_per_order_over_all_pages(orders):
    numbers = [order.external_no for order in orders]
    assert list(decisions()) == [
        {"external_no": numbers[0], "lane": "regular", "urgent": False, "findings": []},
        {"external_no": numbers[1], "lane": "abnormal", "urgent": True, "findings": ["ip_cluster", "price_off"]},
        {"external_no": numbers[2], "lane": "", "urgent": False, "findings": []},
    ]


def test_one_shop_only(orders):
    assert [row["external_no"] for row in decisions("b")] == [orders[1].external_no]
