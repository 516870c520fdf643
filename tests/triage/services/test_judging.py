from datetime import timedelta

import msgspec
import pytest

from orderhub.core.crypto import blind
from orderhub.core.errors import TemporaryError
from orderhub.models import Sku
from tests.factories import make_buyer, make_order
from tests.triage.judge import NOW, candidate, draft, line, put_aside
from triage.decisions import SUPPLY_CODES
from triage.defaults.rules import RULES
from triage.models import BuyerListing, IpListing, Rule
from triage.selectors.context import batch_context
from triage.selectors.rules import current_rules
from triage.services import decide, set_campaign_prices
from triage.services.editing import set_rule_state

IP = "203.0.113.9"


def codes(*candidates):
    return [[found.code for found in decision.findings] for decision in decide(candidates, now=NOW)]


def test_nothing_published_stops_the_intake(db):
    with pytest.raises(TemporaryError, match="no rule set"):
        decide([candidate()], now=NOW)


def test_a_faultless_order_is_regular(rules):
    (decision,) = decide([candidate()], now=NOW)
    assert (decision.lane, decision.is_urgent, decision.findings) == ("regular", False, ())
    assert decision.rule_set_id == rules.pk


@pytest.mark.parametrize(
    ("changes", "lane", "found"),
    [
        ({"receiver": {"phone": "1391234"}}, "to_confirm", ["phone_invalid"]),
        ({"receiver": {"detail": "阳光小区门口"}}, "to_confirm", ["address_vague"]),
        ({"receiver": {"detail": "文三路 90 号阳光花园"}}, "to_confirm", ["address_incomplete"]),
        ({"receiver": {"detail": "测试"}}, "to_confirm", ["address_placeholder"]),
        ({"receiver": {"detail": "文三路 90 号 3 幢 501 室 13912345679"}}, "to_confirm", ["address_mixed"]),
        ({"receiver": {"district": "海曙区"}}, "to_confirm", ["region_conflict"]),
        (
            {"receiver": {"province": "香港", "city": "", "district": "", "phone": "61234567"}},
            "to_confirm",
            ["duty_unclear"],
        ),
        (
            {
                "receiver": {"province": "香港", "city": "", "district": "", "phone": "61234567"},
                "buyer_remark": "关税自理",
            },
            "regular",
            [],
        ),
        ({"lines": (line(quantity=11),)}, "abnormal", ["quantity_high"]),
        ({"lines": (line(quantity=10),)}, "regular", []),
        ({"total_fen": 900_000}, "regular", []),
        ({"buyer_remark": "麻烦改地址"}, "to_confirm", ["remark_change"]),
        ({"buyer_remark": "先别发，等我通知"}, "to_confirm", ["remark_hold"]),
        ({"buyer_remark": "15号前不要发货，不在家"}, "to_confirm", ["remark_hold"]),
        ({"short": ("SERUM-30",)}, "to_confirm", ["stock_short"]),
        ({"lines": (line(sku=""),)}, "to_confirm", ["sku_unmatched"]),
        ({"receiver": {"province": "新疆", "city": "", "district": "天山区"}}, "regular", ["region_remote"]),
        ({"buyer_remark": "生日礼物"}, "regular", ["urgent"]),
        ({"buyer_remark": "手术急需"}, "regular", ["urgent_now"]),
        ({"buyer_remark": "快点发"}, "regular", ["urgent_hint"]),
        ({"buyer_remark": "不急"}, "regular", []),
        ({"receiver": {"detail": "某某转运仓 3 号库"}}, "regular", ["forwarding"]),
    ],
)
def test_starter_rules(rules, changes, lane, found):
    (decision,) = decide([candidate(**changes)], now=NOW)
    assert ([finding.code for finding in decision.findings], decision.lane) == (found, lane)


@pytest.mark.parametrize(
    ("changes", "is_asked"),
    [
        ({}, False),
        ({"buyer_remark": "手术急需"}, False),
        ({"short": ("SERUM-30",), "lines": (line(), line(line_no="2", sku=""))}, False),
        ({"short": ("SERUM-30",), "receiver": {"phone": "12"}}, True),
        ({"receiver": {"phone": "12"}}, True),
    ],
)
def test_the_buyer_is_asked_about_anything_but_our_own_supply(rules, changes, is_asked):
    (decision,) = decide([candidate(**changes)], now=NOW)
    assert decision.needs_answer is is_asked


def test_a_rule_in_shadow_asks_nobody(rules):
    set_rule_state(rule_ids=[Rule.objects.get(code="phone_invalid").pk], state="shadow", actor="li")
    (decision,) = decide([candidate(short=("A",), receiver={"phone": "12"})], now=NOW)
    assert (decision.lane, decision.needs_answer) == ("to_confirm", False)


def test_supply_codes_are_starter_rules_of_their_lane():
    assert {rule["code"]: rule["outcome"] for rule in RULES if rule["code"] in SUPPLY_CODES} == dict.fromkeys(
        SUPPLY_CODES, "to_confirm"
    )


def test_urgent_never_hides_a_risk(rules):
    (decision,) = decide([candidate(buyer_remark="手术急需", receiver={"phone": "12"})], now=NOW)
    assert (decision.lane, decision.is_urgent, decision.urgency) == ("to_confirm", True, 3)


def test_a_missing_signal_is_never_a_risk(rules):
    masked = {"phone": "*******5678", "detail": "***", "oaid": "1abc", "kind": "masked", "name": "李*"}
    orders = [candidate(receiver=masked, at=n, lines=(line(sku="UNKNOWN", unit_price_fen=1),)) for n in range(6)]
    assert {decision.lane for decision in decide(orders, now=NOW)} == {"regular"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"channel_hold": "LOCKED"}, "channel_hold"),
        ({"presale": "deposit"}, "deposit_only"),
        ({"status": "presale_deposit"}, "deposit_only"),
        ({"lines": (line(refund="asked"),)}, "refund_open"),
        ({"lines": (line(), line(line_no="2", refund="agreed"))}, "refund_open"),
    ],
)
def test_system_gates_go_before_all_rules(rules, changes, code):
    bad = {"receiver": {"phone": "1"}, "buyer_remark": "手术"}
    (decision,) = decide([candidate(**bad, **changes)], now=NOW)
    assert (decision.lane, decision.is_urgent) == ("", False)
    assert [found.code for found in decision.findings] == [code]


@pytest.mark.parametrize("status", ["unpaid", "in_transit", "cancelled", "completed"])
def test_only_paid_orders_are_judged(rules, status):
    (decision,) = decide([candidate(status=status, receiver={"phone": "1"})], now=NOW)
    assert (decision.lane, decision.findings) == ("", ())


@pytest.mark.parametrize(
    ("price", "lane"), [(13_000, "regular"), (13_001, "abnormal"), (7_000, "regular"), (6_999, "abnormal")]
)
def test_thirty_percent_itself_does_not_fire(rules, price, lane):
    Sku.objects.create(code="SERUM-30", list_price_fen=10_000)
    (decision,) = decide([candidate(lines=(line(unit_price_fen=price),))], now=NOW)
    assert decision.lane == lane


def test_the_campaign_price_is_the_baseline_while_it_runs(rules, shop):
    Sku.objects.create(code="SERUM-30", list_price_fen=20_000)
    hour = timedelta(hours=1)
    set_campaign_prices(
        rows=[
            {"sku": "SERUM-30", "price_fen": 12_900, "starts_at": NOW - hour, "ends_at": NOW + hour, "max_quantity": 2}
        ],
        actor="test",
    )
    assert codes(candidate(), candidate(at=7200)) == [[], ["price_off"]]
    assert codes(candidate(lines=(line(quantity=3),))) == [["quantity_high"]]


def test_floor_price(rules):
    Sku.objects.create(code="SERUM-30", floor_price_fen=13_000)
    assert codes(candidate()) == [["price_below_floor"]]


def test_lists_of_buyers(rules, shop):
    BuyerListing.objects.create(shop=shop, buyer="bad", kind="deny")
    BuyerListing.objects.create(shop=shop, buyer="old", kind="deny", expires_at=NOW)
    BuyerListing.objects.create(shop=shop, buyer="good", kind="allow", expires_at=NOW + timedelta(days=1))
    orders = [candidate(shop_id=shop.pk, buyer={"id": name}) for name in ("bad", "old", "good")]
    assert codes(*orders) == [["buyer_denied"], [], ["buyer_trusted"]]


def test_trusted_buyers_skip_the_rules_on_repeats_only(rules, shop):
    BuyerListing.objects.create(shop=shop, buyer="good", kind="allow")
    good = {"shop_id": shop.pk, "buyer_id": 1, "buyer": {"id": "good", "ip": IP}}
    orders = [candidate(at=n, **good) for n in range(3)]
    orders += [candidate(at=10 + n, shop_id=shop.pk, buyer_id=5 + n, buyer={"ip": IP}) for n in range(3)]
    orders.append(candidate(at=20, lines=(line(sku="B", quantity=50),), **good))
    found = codes(*orders)
    assert found[2] == ["buyer_trusted"]
    assert found[5] == ["ip_cluster"]
    assert found[6] == ["quantity_high", "buyer_trusted"]


def sequence(shop, size=9):
    """Return orders of one IP and a few buyers, some bought twice, over a bit more than an hour."""
    buyers = [make_buyer(shop) for _n in range(4)]
    orders = []
    for n in range(size):
        buyer = buyers[n % 4]
        orders.append(
            draft(
                at=n * 500, external_no=f"T{n}", buyer={"id": buyer.external_id, "ip": IP},
                lines=(line(sku=f"SKU-{n // 5 % 2}"),),
            )
        )  # fmt: skip
    return [(order, buyers[n % 4].pk) for n, order in enumerate(orders)]


def store(shop, order, buyer_id):
    return make_order(
        shop, external_no=order.external_no, buyer_id=buyer_id, created_at=order.created_at,
        paid_at=order.created_at, ip_index=blind(b"ip", order.buyer.ip), lines=0,
    )  # fmt: skip


@pytest.mark.parametrize("split", [0, 1, 4, 7])
def test_a_batch_and_the_pool_count_the_same(rules, shop, split):
    orders = sequence(shop)
    whole = decide([candidate(order, shop_id=shop.pk, buyer_id=buyer) for order, buyer in orders], now=NOW)
    for order, buyer in orders[:split]:
        row = store(shop, order, buyer)
        for part in order.lines:
            row.lines.create(
                shop=shop,
                line_no=part.line_no,
                sku=part.sku,
                quantity=part.quantity,
                unit_price_fen=part.unit_price_fen,
            )
    rest = decide([candidate(order, shop_id=shop.pk, buyer_id=buyer) for order, buyer in orders[split:]], now=NOW)
    told = [[(found.code, found.values.get("ip.orders_60m")) for found in decision.findings] for decision in whole]
    assert [[(f.code, f.values.get("ip.orders_60m")) for f in decision.findings] for decision in rest] == told[split:]
    assert all(("ip_cluster", 8) in found for found in told)


@pytest.mark.parametrize(("refund", "found"), [("none", ["duplicate_order"]), ("done", [])])
def test_what_was_refunded_in_the_pool_cannot_be_repeated(rules, shop, refund, found):
    (order, buyer), *_rest = sequence(shop, 1)
    row = store(shop, order, buyer)
    row.lines.create(shop=shop, line_no="1", sku="SERUM-30", quantity=1, unit_price_fen=12_900, refund=refund)
    assert codes(candidate(at=60, shop_id=shop.pk, buyer_id=buyer)) == [found]


@pytest.mark.parametrize(("number", "found"), [("2", ["duplicate_order"]), ("1", [])])
def test_what_was_put_aside_in_the_pool_cannot_be_repeated(rules, shop, number, found):
    (order, buyer), *_rest = sequence(shop, 1)
    row = store(shop, order, buyer)
    row.extra = put_aside(number)
    row.save()
    row.lines.create(shop=shop, line_no="1", sku="SERUM-30", quantity=1, unit_price_fen=12_900)
    assert codes(candidate(at=60, shop_id=shop.pk, buyer_id=buyer)) == [found]


def test_an_order_judged_again_does_not_count_itself(rules, shop):
    orders = sequence(shop, 5)
    rows = [(store(shop, order, buyer), order, buyer) for order, buyer in orders]
    again = [
        candidate(order, shop_id=shop.pk, buyer_id=buyer, order_id=row.pk, is_known=True) for row, order, buyer in rows
    ]
    assert [decision.lane for decision in decide(again, now=NOW)] == ["abnormal"] * 5
    (last,) = decide(again[4:], now=NOW)
    assert last.findings[0].values["ip.orders_60m"] == 5


def test_a_sibling_that_is_not_judged_is_counted_once(rules, shop):
    orders = sequence(shop, 4)
    rows = [(store(shop, order, buyer), order, buyer) for order, buyer in orders]
    again = [
        candidate(
            msgspec.structs.replace(order, status="paid" if n else "cancelled"),
            shop_id=shop.pk, buyer_id=buyer, order_id=row.pk, is_known=True,
        )
        for n, (row, order, buyer) in enumerate(rows)
    ]  # fmt: skip
    assert [decision.lane for decision in decide(again, now=NOW)] == ["", "regular", "regular", "regular"]


def test_offices_are_no_cluster(rules, shop):
    IpListing.objects.create(network="203.0.113.0/24")
    orders = [candidate(order, shop_id=shop.pk, buyer_id=buyer) for order, buyer in sequence(shop, 6)]
    assert not any("ip_cluster" in found for found in codes(*orders))


def test_five_orders_of_two_buyers_are_no_cluster(rules):
    orders = [candidate(at=n, buyer_id=n % 2, buyer={"ip": IP}, lines=(line(sku=f"S{n}"),)) for n in range(7)]
    assert not any(codes(*orders))


def test_many_returns_only_cast_a_shadow(rules, shop):
    buyer = make_buyer(shop)
    for n in range(3):
        make_order(shop, buyer=buyer, status="returning", created_at=NOW - timedelta(days=n + 1))
    (decision,) = decide([candidate(shop_id=shop.pk, buyer_id=buyer.pk)], now=NOW)
    assert decision.lane == "regular"
    assert [(found.code, found.is_shadow) for found in decision.findings] == [("buyer_returns", True)]


def test_a_buyer_who_pressed_for_speed_makes_the_order_urgent(rules):
    (decision,) = decide([candidate(raw={"urged": True})], now=NOW)
    assert (decision.lane, decision.is_urgent, decision.urgency) == ("regular", True, 2)


@pytest.mark.parametrize("size", [1, 3, 60])
def test_the_number_of_queries_does_not_depend_on_the_batch(rules, shop, size, django_assert_num_queries):
    orders = [
        candidate(at=n, shop_id=shop.pk, buyer_id=n, buyer={"id": f"u{n}", "ip": f"203.0.113.{n}"}, is_known=True)
        for n in range(size)
    ]
    current_rules()
    with django_assert_num_queries(12):
        decide(orders, now=NOW)


def test_nothing_is_fetched_that_no_rule_needs(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        batch_context([candidate(buyer_id=1, buyer={"ip": IP})], frozenset(), NOW)


def test_articles_without_any_price_are_told_with_the_judgement(rules):
    Sku.objects.create(code="SERUM-30", list_price_fen=12_900)
    new, known, held = candidate(lines=(line(sku="NEW"),)), candidate(), candidate(channel_hold="X")
    assert [decision.unpriced for decision in decide([new, known, held], now=NOW)] == [("NEW",), (), ()]


@pytest.mark.parametrize("state", ["off", "shadow"])
def test_where_no_rule_asks_for_prices_none_is_missing(rules, state):
    rule = Rule.objects.get(code="price_off")
    set_rule_state(rule_ids=[rule.pk], state=state, actor="li")
    assert [decision.unpriced for decision in decide([candidate()], now=NOW)] == [()]
