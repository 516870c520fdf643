from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.utils import timezone

from orderhub.models import OrderLine, Sku
from orderhub.schedules import JOBS
from tests.factories import make_order, make_shop
from tests.triage.judge import bundle, candidate, draft, line
from tests.triage.services.test_baselines import sell_bundle
from triage.models import CampaignPrice, SkuBaseline
from triage.predicates.price import baseline, settled_price
from triage.selectors import prices
from triage.selectors.outdated import outdated_price_findings
from triage.selectors.prices import price_book
from triage.services import decide, refresh_baselines

HOUR = timedelta(hours=1)


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture(autouse=True)
def forget():
    prices._kept.clear()


@pytest.mark.parametrize(
    ("good", "every", "list_price", "price"),
    [
        ([100] * 30, [], 0, 100),
        ([100] * 29, [100] * 29, 0, 0),
        ([100] * 28 + [1, 900], [], 0, 100),
        ([100] * 20 + [130] * 10, [], 0, 110),
        ([], [100] * 30, 0, 100),
        ([], [100] * 30, 333, 100),
        ([], [100] * 30, 334, 0),
        ([], [100] * 30, 77, 100),
        ([], [100] * 30, 76, 0),
        ([], [100] * 24 + [49] * 6, 200, 100),
        ([], [100] * 23 + [50] * 7, 200, 0),
        ([90] * 30, [50] * 200, 90, 90),
        ([], [], 100, 0),
    ],
)
def test_what_sales_have_settled_on(good, every, list_price, price):
    assert settled_price(good, every, list_price) == price


def sell(shop, price, count, *, at, sku="SERUM-30", **values):
    for _n in range(count):
        order = make_order(shop, lines=0, created_at=at, **{"lane": "regular", "received_at": timezone.now(), **values})
        OrderLine.objects.create(shop=shop, order=order, line_no="1", sku=sku, quantity=1, unit_price_fen=price)


def order(shop, now, price=12_900, **changes):
    placed = draft(lines=(line(unit_price_fen=price),), created_at=now, modified_at=now, **changes)
    return candidate(placed, shop_id=shop.pk)


def sample(shop, now, *orders, sku="SERUM-30"):
    """Return what the last of the orders is held against."""
    orders = orders or [order(shop, now)]
    price, source = baseline(price_book(orders, now), shop.pk, sku, orders[-1].draft.created_at)
    return price if source == "sample" else None


def test_a_stored_baseline_is_used_while_it_is_renewed(shop, now):
    row = SkuBaseline.objects.create(
        shop=shop, sku="SERUM-30", sample=30, mean_fen=9_000, median_fen=9_000, updated_at=now
    )
    assert sample(shop, now) == 9_000
    SkuBaseline.objects.update(sample=29)
    assert sample(shop, now) is None
    SkuBaseline.objects.update(sample=30, updated_at=now - timedelta(minutes=2 * JOBS["baselines"].minutes))
    assert sample(shop, now) == 9_000
    SkuBaseline.objects.update(updated_at=now - timedelta(minutes=25))
    assert sample(shop, now) is None
    SkuBaseline.objects.update(updated_at=now)
    assert sample(shop, now, order(shop, now - 25 * HOUR)) is None
    row.delete()


def test_without_a_stored_baseline_recent_sales_speak(shop, now):
    sell(shop, 10_000, 20, at=now - HOUR)
    assert sample(shop, now) is None
    sell(shop, 10_000, 10, at=now - HOUR)
    assert sample(shop, now) == 10_000


@pytest.mark.parametrize("values", [{"status": "unpaid"}, {"status": "cancelled"}, {"ago": 25}, {"ago": -1}])
def test_other_sales_say_nothing(shop, now, values):
    at = now - values.pop("ago", 1) * HOUR
    sell(shop, 10_000, 30, at=at, **values)
    assert sample(shop, now) is None


def test_a_fresh_shop_learns_from_its_first_batch(shop, now):
    assert sample(shop, now, *(order(shop, now) for _n in range(30))) == 12_900
    assert sample(shop, now, *(order(shop, now) for _n in range(29))) is None


def test_a_campaign_that_nobody_entered_does_not_freeze_the_shop(rules, shop, now):
    Sku.objects.create(code="SERUM-30", list_price_fen=23_900)
    lanes = [decision.lane for decision in decide([order(shop, now) for _n in range(29)], now=now)]
    assert set(lanes) == {"abnormal"}
    orders = [*(order(shop, now) for _n in range(30)), order(shop, now, 23_900), order(shop, now, 16_000)]
    assert [decision.lane for decision in decide(orders, now=now)] == ["regular"] * 30 + ["abnormal", "regular"]


def test_a_slipped_comma_never_becomes_the_mean(rules, shop, now):
    Sku.objects.create(code="SERUM-30", list_price_fen=23_900)
    decisions = decide([order(shop, now, 129) for _n in range(60)], now=now)
    assert {decision.lane for decision in decisions} == {"abnormal"}


def test_a_wrong_price_does_not_overrule_the_sales_of_before(rules, shop, now):
    sell(shop, 12_900, 30, at=now - HOUR)
    decisions = decide([order(shop, now, 8_000) for _n in range(90)], now=now)
    assert {decision.lane for decision in decisions} == {"abnormal"}


def test_a_campaign_sets_the_price_itself(shop, now):
    sell(shop, 20_000, 40, at=now - HOUR)
    CampaignPrice.objects.create(sku="SERUM-30", price_fen=12_900, starts_at=now - HOUR, ends_at=now + HOUR)
    book = price_book([order(shop, now)], now)
    assert (book.samples, book.settled) == ({}, {})
    assert [row.price_fen for row in book.campaigns["SERUM-30"]] == [12_900]


def test_sales_are_remembered_for_a_minute(shop, now, django_assert_num_queries):
    sell(shop, 10_000, 30, at=now - HOUR)
    with django_assert_num_queries(4):
        sample(shop, now)
    with django_assert_num_queries(3):
        assert sample(shop, now) == 10_000


def test_an_old_order_among_them_leaves_the_others_their_mean(rules, shop, now):
    Sku.objects.create(code="SERUM-30", list_price_fen=19_900)
    SkuBaseline.objects.create(shop=shop, sku="SERUM-30", sample=30, mean_fen=13_700, median_fen=13_700, updated_at=now)
    CampaignPrice.objects.create(sku="SERUM-30", price_fen=9_900, starts_at=now - 48 * HOUR, ends_at=now - 36 * HOUR)
    orders = [order(shop, now, 13_700), order(shop, now - 30 * HOUR, 13_700), order(shop, now, 13_700)]
    assert [decision.lane for decision in decide(orders, now=now)] == ["regular", "abnormal", "regular"]


def test_an_order_is_held_against_the_sales_of_its_own_day(shop, now, django_assert_num_queries):
    sell(shop, 9_900, 40, at=now - 50 * HOUR)
    sell(shop, 19_900, 30, at=now - 2 * HOUR)
    old, young = order(shop, now - 49 * HOUR), order(shop, now)
    with django_assert_num_queries(4):
        assert sample(shop, now, young, old) == 9_900
    assert sample(shop, now, old) == 9_900
    assert sample(shop, now, young) == 19_900


@pytest.mark.parametrize("came_last", ["young", "old"])
def test_the_sales_of_later_days_leave_those_of_its_own_day(shop, now, monkeypatch, came_last):
    """… however many there are, and whichever came into the pool first."""
    monkeypatch.setattr(prices, "SALES", 30)
    days = [(9_900, 50), (19_900, 2)]
    for price, ago in days if came_last == "young" else days[::-1]:
        sell(shop, price, 30, at=now - ago * HOUR)
    assert sample(shop, now, order(shop, now - 49 * HOUR)) == 9_900
    assert sample(shop, now, order(shop, now)) == 19_900


def test_other_sales_of_the_day_leave_those_that_count(shop, now, monkeypatch):
    monkeypatch.setattr(prices, "SALES", 30)
    sell(shop, 9_900, 30, at=now - 3 * HOUR)
    sell(shop, 1, 30, at=now - 2 * HOUR, status="cancelled")
    assert sample(shop, now) == 9_900


@pytest.mark.parametrize(("hours", "mean"), [(23, None), (25, 10_000)])
def test_a_campaign_that_is_over_a_day_says_nothing_any_more(shop, now, hours, mean):
    """… of the shop itself; one of another shop says nothing at any time."""
    sell(shop, 10_000, 30, at=now - HOUR)
    times = {"starts_at": now - 48 * HOUR, "ends_at": now - hours * HOUR}
    CampaignPrice.objects.create(sku="SERUM-30", price_fen=9_000, shop=shop, **times)
    CampaignPrice.objects.create(sku="SERUM-30", price_fen=9_000, shop=make_shop("other"), **times | {"ends_at": now})
    assert sample(shop, now) == mean


def test_two_threads_that_read_at_once_count_each_sale_once(transactional_db, now, monkeypatch):
    shop = make_shop("mini")
    sell(shop, 10_000, 15, at=now - HOUR)
    both, found = Barrier(2), []
    read = prices._read_sales

    def together(periods):
        both.wait()
        sales = read(periods)
        both.wait()
        return sales

    def ask():
        found.append(sample(shop, now))
        connection.close()

    monkeypatch.setattr(prices, "_read_sales", together)
    threads = [Thread(target=ask) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [None, None]


def sold_whole(shop, now, price):
    return candidate(draft(created_at=now, modified_at=now, **bundle(price, ("SERUM-30", 2))), shop_id=shop.pk)


def test_parts_of_bundles_are_no_sales_of_theirs(shop, now):
    for _n in range(10):
        sell_bundle(shop, 9_000, ("SERUM-30", 2))
    sell(shop, 10_000, 25, at=now - HOUR)
    assert sample(shop, now) is None


def test_bundles_learn_their_price_from_their_first_batch_and_from_the_stored_one(shop, now):
    assert sample(shop, now, *(sold_whole(shop, now, 18_000) for _n in range(30)), sku="SET-1") == 18_000
    SkuBaseline.objects.create(shop=shop, sku="SET-1", sample=30, mean_fen=17_000, median_fen=1, updated_at=now)
    assert sample(shop, now, sold_whole(shop, now, 1), sku="SET-1") == 17_000


def test_the_floors_of_parts_are_known(shop, now):
    Sku.objects.create(code="SERUM-30", floor_price_fen=5_000)
    assert price_book([sold_whole(shop, now, 18_000)], now).floors == {"SERUM-30": 5_000}


def held(shop, now, source="list", ago=1, **values):
    """Store an order, placed so many hours ago, that the price rule holds."""
    row = make_order(
        shop, status="in_triage_hold", lane="abnormal", created_at=now - ago * HOUR,
        triaged_at=now - timedelta(minutes=5),
    )  # fmt: skip
    row.findings.create(
        shop=shop, code="price_off", rule_set_id=1, severity=4, lane="abnormal", facts_key=1,
        values={"price.sku": "SERUM-30", "price.source": source}, **values,
    )  # fmt: skip
    return row.pk


def test_orders_held_for_the_list_price_are_judged_again_once_the_mean_is_known(rules, shop, now):
    wanted = held(shop, now)
    held(shop, now, source="sample")
    held(shop, now, accepted_at=now)
    held(shop, now, ago=25)  # No stored mean says anything about it.
    assert outdated_price_findings() == []
    sell(shop, 12_900, 30, at=now - HOUR)
    refresh_baselines()
    assert outdated_price_findings() == [wanted]


def test_a_file_of_older_orders_has_its_baselines_too(rules, shop, now):
    old = now - timedelta(days=30)
    sell(shop, 12_900, 30, at=old)
    sell(shop, 99_900, 30, at=old - timedelta(days=2))
    refresh_baselines()
    assert SkuBaseline.objects.get().mean_fen == 12_900
