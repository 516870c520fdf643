from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.dateparse import parse_datetime

from orderhub.core.draft import SHIP_BY_AGREED, read_draft
from orderhub.models import Order, ParkedOrder, ShipRule
from orderhub.rejudging import retriage
from orderhub.services.deadlines import deadline_of, follow_rules, rule_at, rules_for
from orderhub.services.gate import set_gate
from tests.drafts import deliver, draft, later
from tests.factories import make_order, make_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db
PAID = parse_datetime("2026-11-11T00:00:31+08:00")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TOLD = "2026-11-11T20:00:00+08:00"


@pytest.fixture
def shop():
    load_defaults()
    return make_shop("flagship", platform="jd")


def make_rule(hours=72, **values):
    defaults = {"name": f"{hours} h", "starts_at": PAID - HOUR, "ends_at": PAID + HOUR}
    return ShipRule.objects.create(ship_hours=hours, **{**defaults, **values})


def told():
    """How many hours after payment each order must have left, and by whose word."""
    rows = Order.objects.order_by("external_no")
    return [((o.ship_by - o.paid_at) / HOUR if o.ship_by else None, o.ship_by_source) for o in rows]


def found(shop, **changes):
    deadline, source = deadline_of(read_draft(draft(**changes)), shop, rules_for(shop))
    return (deadline and (deadline - PAID) / HOUR, source)


def test_without_any_word_the_hours_of_the_shop_count_from_payment(shop):
    shop.ship_hours = 24
    assert found(shop) == (24, "default")


def test_a_campaign_stands_above_the_hours_of_the_shop(shop):
    make_rule(72)
    assert found(shop) == (72, "campaign")


def test_the_channels_own_time_stands_above_the_campaign(shop):
    make_rule(72)
    deadline, source = deadline_of(read_draft(draft(ship_by=TOLD)), shop, rules_for(shop))
    assert (deadline, source) == (parse_datetime(TOLD), "channel")


def test_what_was_agreed_with_the_buyer_comes_through_the_channel(shop):
    make_rule(72)
    deadline, source = deadline_of(read_draft(draft(ship_by=TOLD, raw={SHIP_BY_AGREED: True})), shop, rules_for(shop))
    assert (deadline, source) == (parse_datetime(TOLD), "agreed")


@pytest.mark.parametrize(
    ("starts", "ends", "applies"),
    [(0, 1, True), (1e-6, 1, False), (-1, 0, False), (-1, 1e-6, True)],
)
def test_a_rule_holds_at_its_start_and_no_more_at_its_end(shop, starts, ends, applies):
    rule = make_rule(starts_at=PAID + timedelta(seconds=starts), ends_at=PAID + timedelta(seconds=ends))
    assert rule_at(rules_for(shop), PAID) == (rule if applies else None)


def test_the_most_specific_rule_decides_then_the_latest_start(shop):
    everywhere = make_rule(96)
    assert rule_at(rules_for(shop), PAID) == everywhere
    platform = make_rule(72, platform="jd", starts_at=PAID - 3 * HOUR)
    assert rule_at(rules_for(shop), PAID) == platform
    own = make_rule(48, shop=shop, starts_at=PAID - DAY)
    assert rule_at(rules_for(shop), PAID) == own
    later_start = make_rule(24, shop=shop, starts_at=PAID - HOUR)
    assert rule_at(rules_for(shop), PAID) == later_start
    assert [rule.ship_hours for rule in rules_for(shop)] == [24, 48, 72, 96]


def test_rules_of_others_and_those_switched_off_do_not_count(shop):
    make_rule(shop=make_shop())
    make_rule(platform="taobao")
    make_rule(is_active=False)
    assert rules_for(shop) == []


@pytest.mark.parametrize(
    "values", [{"ends_at": PAID - HOUR}, {"hours": 0}, {"hours": 721}, {"platform": "jd", "has_shop": True}]
)
def test_the_database_refuses_what_cannot_be(shop, values):
    if values.pop("has_shop", False):
        values["shop"] = shop
    with pytest.raises(IntegrityError), transaction.atomic():
        make_rule(**values)


@pytest.mark.parametrize("changes", [{"presale": "deposit"}, {"status": "presale_deposit"}])
def test_a_presale_has_a_deadline_once_its_balance_is_paid(shop, changes):
    make_rule(120)
    deposit = (PAID - 10 * DAY).isoformat()
    deliver(shop, draft(paid_at=deposit, **changes))
    assert told() == [(None, "")]
    deliver(shop, draft(presale="balance_paid", modified_at=later(5)))
    assert told() == [(120, "campaign")]


def test_rules_cost_one_query_a_batch_however_many_there_are(shop):
    counts = []
    for start, rules, size in ((0, 0, 1), (10, 0, 1), (20, 1, 1), (30, 2, 3)):
        for _rule in range(rules):
            make_rule()
        with CaptureQueriesContext(connection) as queries:
            deliver(shop, *(draft(f"T{start + n}") for n in range(size)))
        asked = [query for query in queries if "orderhub_shiprule" in query["sql"]]
        counts.append((len(queries), len(asked)))
    assert counts[1:] == [(counts[1][0], 1)] * 3


def test_a_batch_whose_channel_gave_every_deadline_asks_for_no_rule(shop):
    with CaptureQueriesContext(connection) as queries:
        deliver(shop, draft("T1", ship_by=TOLD), draft("T2", status="unpaid", paid_at=None))
    assert not [query for query in queries if "orderhub_shiprule" in query["sql"]]


def test_judged_again_an_order_keeps_its_deadline_and_whose_word_it_is(shop):
    deliver(shop, draft("T1"), draft("T2", ship_by=TOLD))
    before = told()
    make_rule(72)
    assert retriage(Order.objects.values_list("pk", flat=True), "boss") == 2
    assert told() == before
    assert [source for _hours, source in before] == ["default", "channel"]


def test_what_the_channel_says_later_replaces_the_rule(shop):
    make_rule(72)
    deliver(shop, draft())
    deliver(shop, draft(ship_by=TOLD, modified_at=later(5)))
    assert (Order.objects.get().ship_by, Order.objects.get().ship_by_source) == (parse_datetime(TOLD), "channel")


def test_orders_wait_before_the_gate_by_the_deadline_of_the_campaign(shop):
    make_rule(72)
    set_gate(shop_id=None, state="paused", reason="stock count", actor="boss")
    deliver(shop, draft())
    assert ParkedOrder.objects.get().ship_by == PAID + 72 * HOUR


class TestOpenOrders:
    def test_they_follow_a_new_rule_and_its_end(self, shop):
        deliver(shop, draft("T1"), draft("T2", paid_at=later(30)), draft("T3", paid_at="2026-11-11T09:00:00+08:00"))
        rule = make_rule(72, starts_at=PAID, ends_at=PAID + timedelta(minutes=30))
        assert follow_rules([rule]) == 1
        assert told() == [(72, "campaign"), (48, "default"), (48, "default")]
        assert follow_rules([rule]) == 0
        rule.delete()
        assert follow_rules([rule]) == 1
        assert told() == [(48, "default")] * 3

    def test_they_follow_a_rule_that_moved(self, shop):
        deliver(shop, draft("T1"), draft("T2", paid_at=later(30)))
        rule = make_rule(72, ends_at=PAID + timedelta(minutes=1))
        follow_rules([rule])
        moved = ShipRule.objects.get()
        moved.starts_at, moved.ends_at = PAID + timedelta(minutes=1), PAID + HOUR
        moved.save()
        assert follow_rules([rule, moved]) == 2
        assert told() == [(48, "default"), (72, "campaign")]

    def test_the_more_specific_rule_stands_where_two_overlap(self, shop):
        make_rule(24, shop=shop)
        deliver(shop, draft())
        assert follow_rules([make_rule(72)]) == 0
        assert told() == [(24, "campaign")]

    @pytest.mark.parametrize(
        "values",
        [
            {"ship_by_source": "channel"}, {"ship_by_source": "agreed"}, {"ship_by_source": ""},
            {"status": "in_transit"}, {"status": "completed"}, {"status": "cancelled"},
            {"status": "refunding", "left_at": PAID},
        ],
    )  # fmt: skip
    def test_what_is_not_the_hubs_to_decide_or_has_left_stays(self, shop, values):
        make_order(shop, **{"paid_at": PAID, "ship_by": PAID + 48 * HOUR, "ship_by_source": "default", **values})
        assert follow_rules([make_rule(72)]) == 0
        assert Order.objects.get().ship_by == PAID + 48 * HOUR

    def test_other_shops_are_left_alone(self, shop):
        make_order(make_shop(), paid_at=PAID, ship_by=PAID, ship_by_source="default")
        assert follow_rules([make_rule(72, shop=shop), make_rule(72, platform="jd")]) == 0

    def test_many_go_in_parts(self, shop, monkeypatch):
        monkeypatch.setattr("orderhub.services.deadlines.CHUNK", 2)
        deliver(shop, *(draft(f"T{n}") for n in range(5)))
        assert follow_rules([make_rule(72)]) == 5
        assert told() == [(72, "campaign")] * 5
