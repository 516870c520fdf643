from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.utils import timezone

from channels_sync.models import ShopSync
from channels_sync.selectors import silence
from orderhub.models import Order, ParkedOrder
from orderhub.models.inbox import pack
from orderhub.services.gate import set_gate
from tests.factories import make_shop

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 15, 2, tzinfo=UTC)
UNTIL = NOW - silence.SETTLED
_numbers = count(1)


def orders(shop, quantity, *, ago, back=0):
    """Make orders of the minute that lies `ago` minutes and `back` days before the end of what is judged."""
    at = UNTIL - timedelta(days=back, minutes=ago) + timedelta(seconds=30)
    Order.objects.bulk_create(
        Order(
            shop=shop, external_no=f"S{next(_numbers)}", status="paid", created_at=at, modified_at=at, received_at=at,
            total_fen=100, content_hash=1,
        )
        for _ in range(quantity)
    )  # fmt: skip


def pattern(shop, per_ten_minutes, days=range(1, 8), minutes=10):
    """Give a shop the same ten-minute figure at this time of the former days."""
    for back in days:
        for ago in range(1, minutes + 1, 10):
            orders(shop, per_ten_minutes, ago=ago + 4, back=back)


def grown(shop, days=8):
    """Let a shop have been there for so long, with one order."""
    orders(shop, 1, ago=200, back=days)


def flow_of(shop):
    (flow,) = silence.flows(NOW, [shop.pk])
    return flow


@pytest.fixture
def shop(db):
    shop = make_shop("tb", platform="taobao")
    grown(shop)
    return shop


@pytest.mark.parametrize(
    ("seen", "expected", "likely"),
    [(0, 0.0, 1.0), (0, 1.0, 0.367879), (3, 10.0, 0.010336), (0, 6.91, 0.000998), (100, 100.0, 0.526562)],
)
def test_the_chance_of_so_few(seen, expected, likely):
    assert silence.chance(seen, expected) == pytest.approx(likely, abs=1e-6)


@pytest.mark.parametrize(
    ("seen", "expected", "is_silent"),
    [(0, 6.9, False), (0, 7.0, True), (1, 10.0, True), (2, 10.0, False), (19, 100.0, True), (20, 100.0, False)],
)
def test_a_sign_needs_both_less_than_a_fifth_and_no_chance(seen, expected, is_silent):
    assert silence.is_silent(seen, expected) is is_silent


@pytest.mark.parametrize(("seen", "state"), [(0, "silent"), (3, "silent"), (4, "ok"), (20, "ok"), (90, "ok")])
def test_the_same_minutes_of_the_last_week_are_expected(shop, seen, state):
    pattern(shop, 20)
    orders(shop, seen, ago=5)
    flow = flow_of(shop)
    assert (flow.state, flow.minutes, flow.expected, flow.seen, flow.basis) == (state, 10, 20, seen, "pattern")
    assert flow.until == UNTIL
    assert flow.share == seen / 20
    assert [one.code for one in silence.silent(NOW)] == (["tb"] if state == "silent" else [])


def test_a_slow_shop_is_looked_at_for_longer(shop):
    pattern(shop, 2, minutes=60)
    flow = flow_of(shop)
    assert (flow.state, flow.minutes, flow.expected, flow.seen) == ("silent", 60, 12, 0)


def test_a_shop_that_always_sleeps_at_this_hour_gives_no_alarm(shop):
    for back in range(1, 8):
        orders(shop, 50, ago=500, back=back)
    flow = flow_of(shop)
    assert (flow.state, flow.minutes, flow.expected, flow.seen, flow.basis) == ("quiet", 360, 0, 0, "pattern")


def test_one_campaign_day_does_not_move_what_is_expected(shop):
    pattern(shop, 12)
    orders(shop, 3000, ago=5, back=1)
    orders(shop, 10, ago=5)
    flow = flow_of(shop)
    assert (flow.state, flow.expected, flow.seen) == ("ok", 12, 10)


def test_a_shop_that_is_closed_on_this_weekday_is_expected_to_be(db):
    shop = make_shop("tb", platform="taobao")
    grown(shop, 30)
    pattern(shop, 20, days=range(1, 7))
    flow = flow_of(shop)
    assert (flow.state, flow.expected) == ("quiet", 0)


def test_a_silent_day_before_does_not_make_silence_usual(shop):
    pattern(shop, 20, days=range(2, 8))
    assert flow_of(shop).state == "silent"


@pytest.mark.parametrize(
    ("others_seen", "expected", "state"), [(40, 20, "silent"), (20, 10, "silent"), (4, 5, "quiet")]
)
def test_when_all_are_slow_less_is_expected_but_never_nothing(shop, others_seen, expected, state):
    pattern(shop, 20)
    other = make_shop("jd", platform="jd")
    grown(other)
    pattern(other, 40)
    orders(other, others_seen, ago=5)
    flow = flow_of(shop)
    assert flow.state == state
    assert flow.expected == expected or flow.minutes > 10


def test_when_every_channel_is_silent_all_of_them_are_told(shop):
    other = make_shop("jd", platform="jd")
    grown(other)
    for one in (shop, other):
        pattern(one, 100)
    assert [(flow.code, flow.state, flow.expected) for flow in silence.flows(NOW)] == [
        ("jd", "silent", 25), ("tb", "silent", 25),
    ]  # fmt: skip


def test_a_new_shop_is_held_against_the_lowest_of_its_last_hours(db):
    shop = make_shop("tb", platform="taobao")
    for ago in range(60, 200):
        orders(shop, 2, ago=ago)
    for ago in range(11, 60):
        orders(shop, 2, ago=ago)
    orders(shop, 1, ago=3)
    flow = flow_of(shop)
    assert (flow.state, flow.minutes, flow.basis, flow.seen) == ("silent", 10, "recent", 1)
    assert flow.expected == pytest.approx(101 / 6)


def test_a_shop_that_was_busy_and_stops_all_at_once_is_silent_whatever_its_pattern(shop):
    pattern(shop, 1)
    for ago in range(11, 71):
        orders(shop, 3, ago=ago)
    flow = flow_of(shop)
    assert (flow.state, flow.basis, flow.minutes, flow.expected, flow.seen) == ("silent", "stopped", 10, 30, 0)


def test_an_evening_that_fades_is_no_stop(shop):
    for ago in range(11, 71):
        orders(shop, 1 if ago < 40 else 2, ago=ago)
    orders(shop, 1, ago=4)
    assert flow_of(shop).state != "silent"


def test_without_history_nothing_is_said(db):
    shop = make_shop("tb", platform="taobao")
    assert (flow_of(shop).state, flow_of(shop).share, flow_of(shop).last_order_at) == ("new", None, None)
    orders(shop, 3, ago=30)
    assert flow_of(shop).state == "new"


def test_a_channel_that_is_read_late_is_judged_where_it_was_read(shop):
    pattern(shop, 20)
    cursor = UNTIL - timedelta(hours=1)
    ShopSync.objects.create(shop=shop, cursor=cursor)
    flow = flow_of(shop)
    assert (flow.until, flow.state) == (cursor, "quiet")


def test_behind_a_gate_that_is_not_open_nothing_is_said(shop):
    pattern(shop, 20)
    now = timezone.now()
    set_gate(shop_id=shop.pk, state="paused", rate_per_minute=None, reason="test", actor="meimei")
    assert flow_of(shop).state == "held"
    set_gate(shop_id=shop.pk, state="open", rate_per_minute=None, reason="test", actor="meimei")
    assert flow_of(shop).state == "silent"
    parked = ParkedOrder.objects.create(
        shop=shop, external_no="1", modified_at=now, ship_by=now, packed_row=pack(b"{}"), reader="draft", source="poll"
    )
    assert flow_of(shop).state == "held"
    parked.delete()
    set_gate(shop_id=None, state="paused", rate_per_minute=None, reason="test", actor="meimei")
    assert flow_of(shop).state == "held"


def test_shops_that_nobody_reads_are_left_out(shop):
    make_shop("own", platform="file")
    make_shop("gone", platform="elsewhere")
    make_shop("off", platform="taobao", is_active=False)
    assert [flow.code for flow in silence.flows(NOW)] == ["tb"]


def test_the_number_of_queries_does_not_grow_with_the_shops(shop, django_assert_num_queries):
    pattern(shop, 20)
    orders(shop, 20, ago=5)
    for number in range(3):
        with django_assert_num_queries(7):
            assert len(silence.flows(NOW)) == number + 1
        other = make_shop(f"x{number}", platform="jd")
        grown(other)
        pattern(other, 20)
        orders(other, 20, ago=5)
