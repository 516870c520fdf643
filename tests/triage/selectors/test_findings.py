import pytest
from django.db import connection, transaction
from django.utils.translation import override

from tests.factories import make_order
from tests.triage.judge import NOW, candidate, draft, line, store
from triage.models import Finding, Rule
from triage.selectors.figures import filter_choices, reason_counts
from triage.selectors.findings import findings_of, marks_of
from triage.services import accept_findings, decide, publish_rules

BAD = {"phone": "12345"}


def judged(shop, now=NOW, **changes):
    order = make_order(shop)
    made = candidate(draft(**changes), shop_id=shop.pk, order_id=order.pk)
    with transaction.atomic(), connection.cursor() as cursor:
        store(cursor, [made], decide([made], now=now))
    return order


def test_a_finding_in_both_languages(rules, shop):
    order = judged(shop, receiver=BAD)
    with override("en"):
        (found,) = findings_of([order.pk])[order.pk]
    assert (found.code, found.title, found.lane) == ("phone_invalid", "Invalid phone", "to_confirm")
    assert found.reason == "Receiver's phone: Too few digits"
    assert found.clears == "A number that a courier can reach"
    assert (found.values, found.version, found.state) == ((("Phone number", "Too few digits"),), 1, "open")
    with override("zh-hans"):
        assert findings_of([order.pk])[order.pk][0].title == "电话无效"


def test_the_texts_are_those_of_the_version_that_judged(rules, shop):
    order = judged(shop, receiver=BAD)
    Rule.objects.filter(code="phone_invalid").update(name_en="Renamed")
    publish_rules(actor="li")
    with override("en"):
        assert findings_of([order.pk])[order.pk][0].title == "Invalid phone"


def test_worst_first_and_accepted_after_open(rules, shop):
    order = judged(shop, receiver=BAD, buyer_remark="生日", lines=(line(quantity=20),))
    codes = [found.code for found in findings_of([order.pk])[order.pk]]
    assert codes == ["quantity_high", "phone_invalid", "urgent"]
    accept_findings(order_id=order.pk, actor="li", reason="ok", seen=marks_of([order.pk])[order.pk])
    states = [(found.code, found.state) for found in findings_of([order.pk])[order.pk]]
    assert states == [("urgent", "open"), ("quantity_high", "accepted"), ("phone_invalid", "accepted")]
    assert [found.code for found in findings_of([order.pk], open_only=True)[order.pk]] == ["urgent"]


def test_a_gate_speaks_for_itself(rules, shop):
    order = judged(shop, lines=(line(refund="asked"),))
    with override("en"):
        (found,) = findings_of([order.pk])[order.pk]
    assert (found.title, found.reason) == ("Refund open", "A refund of line 1 is Asked")


@pytest.mark.parametrize("size", [1, 3])
def test_many_orders_take_two_queries(rules, shop, size, django_assert_max_num_queries):
    orders = [judged(shop, receiver=BAD) for _n in range(size)]
    with django_assert_max_num_queries(2):
        assert len(findings_of([order.pk for order in orders])) == size


def test_reasons_of_today_tags_left_out(rules, shop):
    for _n in range(3):
        judged(shop, receiver=BAD)
    judged(shop, channel_hold="LOCKED", receiver=BAD)
    judged(shop, receiver={"province": "新疆", "city": "", "district": "天山区"})
    at = Finding.objects.latest("found_at").found_at
    with override("en"):
        rows = [(row.code, row.title, row.today, row.yesterday) for row in reason_counts(at)]
    assert rows == [("phone_invalid", "Invalid phone", 3, 0), ("channel_hold", "Held by the channel", 1, 0)]


def test_every_reason_can_be_chosen(rules):
    with override("en"):
        choices = dict(filter_choices())
    assert choices["refund_open"] == "Refund open"
    assert choices["price_off"] == "Unit price off"
