"""What triage could judge of an order, and why it could not judge the rest."""

import re

import pytest
from django.utils.translation import override

from channels_sync.connectors.base import connectors
from orderhub.models import Order, Receiver, Sku
from orderhub.rejudging import retriage
from tests.drafts import deliver, draft, later, line
from tests.factories import make_buyer, make_order, make_shop
from triage.api import signals_section
from triage.models import Rule, RuleSet
from triage.selectors.signals import KINDS, signals_of
from triage.services import load_defaults
from triage.services.editing import set_rule_state

pytestmark = pytest.mark.django_db


@pytest.fixture
def rules():
    load_defaults()


def told(order):
    with override("en"):
        return {signal.key: (signal.state.value, signal.why) for signal in signals_of([order.pk])[order.pk]}


def make(platform="own", **values):
    version = RuleSet.objects.values_list("pk", flat=True).first()
    judged = {"lane": "regular", "rule_set_id": version}
    return make_order(make_shop(platform, platform=platform), **{**judged, **values})


def receive(order, **values):
    Receiver.objects.filter(pk=order.pk).update(**values)


def states(order):
    return {key: state for key, (state, _why) in told(order).items()}


def test_where_every_signal_is_there_all_are_judged(rules):
    order = make(ip_index=7)
    Order.objects.filter(pk=order.pk).update(buyer=make_buyer(order.shop))
    assert told(order) == dict.fromkeys(KINDS, ("judged", ""))


@pytest.mark.parametrize(
    ("platform", "kind", "phone", "address"),
    [
        ("taobao", "masked", "unknown", "unknown"), ("jd", "masked", "unknown", "unknown"),
        ("jd", "virtual", "judged", "unknown"), ("douyin", "cipher", "unknown", "unknown"),
        ("wechat", "virtual", "judged", "judged"), ("wechat", "masked", "unknown", "judged"),
        ("own", "plain", "judged", "judged"), ("own", "masked", "unknown", "unknown"),
        ("gone", "plain", "judged", "judged"),
    ],
)  # fmt: skip
def test_phone_and_address_follow_what_the_platform_shows(rules, platform, kind, phone, address):
    order = make(platform)
    receive(order, kind=kind)
    found = states(order)
    assert (found["phone"], found["address"]) == (phone, address)


@pytest.mark.parametrize("platform", ["taobao", "jd", "douyin", "wechat"])
def test_the_platforms_own_reason_is_told(rules, platform):
    order = make(platform)
    receive(order, kind="masked")
    hidden = connectors.get(platform).hidden_facts
    with override("en"):
        assert told(order)["ip"] == ("unknown", str(hidden["buyer.ip"].why))
        assert told(order)["phone"] == ("unknown", str(hidden["receiver.phone"].why))


def test_what_a_source_left_out_is_told(rules):
    order = make(ip_index=None)
    receive(order, kind="plain", province="", phone_masked="", oaid="token")
    assert {key: why for key, (state, why) in told(order).items() if state == "unknown"} == {
        "phone": "masked by the platform",
        "region": "the channel gave no province",
        "ip": "the channel gives no buyer IP",
        "buyer": "the channel gives no buyer id",
    }


@pytest.mark.parametrize(
    ("place", "state"),
    [
        ({"province": "台灣"}, "judged"), ({"province": "新疆省"}, "judged"), ({"province": "海外"}, "judged"),
        ({"province": "", "country": "HK"}, "judged"), ({"province": "CA", "country": "US"}, "judged"),
        ({"province": "California", "city": "San Jose", "detail_masked": "2150***"}, "judged"),
        ({"province": "Zhejiang", "city": "Hangzhou", "detail_masked": "文三路***"}, "unknown"),
        ({"province": "火星省"}, "unknown"), ({"province": "***"}, "unknown"),
    ],
)  # fmt: skip
def test_a_province_that_nobody_knows_was_not_judged(rules, place, state):
    order = make()
    receive(order, **{"city": "", "district": "", "detail_masked": "", **place})
    why = f"{place['province']}: no province of that name is known" if state == "unknown" else ""
    assert told(order)["region"] == (state, why)


def price_of(number="T1"):
    return told(Order.objects.get(external_no=number))["price"]


NO_PRICE = "SERUM-30: no baseline at that time: fewer than 30 sales, no campaign price, no list price"


def test_a_price_known_later_was_not_judged(rules):
    deliver(make_shop(), draft())
    assert price_of() == ("unknown", NO_PRICE)
    sku = Sku.objects.create(code="SERUM-30", list_price_fen=12_900)
    assert price_of() == ("unknown", NO_PRICE)
    retriage([Order.objects.get().pk], "li")
    assert price_of() == ("judged", "")
    sku.delete()
    assert price_of() == ("judged", "")


def test_news_of_an_order_that_is_not_judged_again_leave_the_judgement_as_it_was(rules):
    shop = make_shop()
    deliver(shop, draft())
    Order.objects.update(status="in_transit")
    before = Order.objects.values_list("triaged_at", "rule_set_id").get()
    set_rule_state(rule_ids=[Rule.objects.get(code="price_off").pk], state="off", actor="li")
    deliver(shop, draft(modified_at=later(5), seller_remark="x"))
    assert Order.objects.values_list("triaged_at", "rule_set_id").get() == before
    assert price_of() == ("unknown", NO_PRICE)


def test_the_rules_of_that_time_count_and_not_those_of_today(rules):
    Sku.objects.create(code="SERUM-30", list_price_fen=12_900)
    codes = ["price_off", "price_below_floor"]
    set_rule_state(rule_ids=Rule.objects.filter(code__in=codes).values_list("pk", flat=True), state="off", actor="li")
    deliver(make_shop(), draft())
    set_rule_state(rule_ids=Rule.objects.filter(code__in=codes).values_list("pk", flat=True), state="on", actor="li")
    assert price_of() == ("no_rule", "no rule of that time asked for it")


def test_lines_with_a_price_do_not_hide_one_without(rules):
    Sku.objects.create(code="SERUM-30", list_price_fen=12_900)
    lines = [line(), line(line_no="2", sku="NEW"), line(line_no="3", sku="GIFT", unit_price_fen=0)]
    deliver(make_shop(), draft(lines=lines))
    assert price_of()[1].startswith("NEW: no baseline")


def test_without_a_receiver_nothing_of_it_was_judged(rules):
    order = make()
    Receiver.objects.all().delete()
    assert [states(order)[key] for key in ("phone", "address", "region")] == ["unknown"] * 3


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"channel_hold": "LOCKED"}, "The platform forbids shipping for now: LOCKED"),
        ({"channel_hold": "cod"}, "Cash on delivery: the hub tells no warehouse what the courier must collect"),
        ({"presale": "deposit"}, "Presale: the balance is not paid yet"), ({"refund": "asked"}, "Refund open"),
        ({"status": "unpaid"}, "only paid orders are judged"),
    ],
)  # fmt: skip
def test_an_order_that_is_not_judged_yet_never_looks_judged(rules, values, why):
    order = make(lane="", **values)
    found = told(order)
    assert found["remark"] == found["phone"] == ("held", why)
    assert "judged" not in states(order).values()


def test_a_signal_that_no_rule_asks_for_is_not_called_judged():
    assert set(states(make(ip_index=7)).values()) == {"no_rule", "unknown"}


@pytest.mark.parametrize("size", [1, 3])
def test_the_number_of_queries_does_not_grow(rules, size, django_assert_num_queries):
    shop = make_shop()
    version = RuleSet.objects.get().pk
    orders = [make_order(shop, lane="regular", rule_set_id=version) for _ in range(size)]
    signals_of([orders[0].pk])
    with django_assert_num_queries(2):
        assert len(signals_of([order.pk for order in orders])) == size


def test_page_and_api_tell_the_same(rules, admin_client):
    order = make("jd")
    receive(order, kind="masked")
    body = admin_client.get(f"/ops/orderhub/order/{order.pk}/change/").content.decode()
    panel = body[body.index('id="panel-signals"') :]
    shown = re.findall(r'class="signal signal-(\w+)"', panel)
    section = signals_section([order.pk])[order.pk]
    assert shown == [signal["state"] for signal in section]
    assert [signal["key"] for signal in section] == list(KINDS)
    assert {"judged", "unknown"} <= set(shown)
