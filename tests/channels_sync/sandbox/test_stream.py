import json
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta

import pytest
from faker import Faker

from channels_sync.sandbox import catalogue
from channels_sync.sandbox.masking import masked_draft
from channels_sync.sandbox.mix import Mix
from channels_sync.sandbox.people import INVALID_PHONES
from channels_sync.sandbox.stream import DOUBLE_ELEVEN, generate
from orderhub.core import divisions
from orderhub.core.draft import read_draft

ADDRESS_KINDS = {"incomplete_address", "overseas_no_duty"}


@pytest.fixture(scope="module")
def mini():
    return generate(6_000, seed=7)


@pytest.fixture(scope="module")
def masked():
    return generate(6_000, seed=7, profile="masked")


def moment(order, name="created_at"):
    return datetime.fromisoformat(order.draft[name])


def test_same_seed_gives_the_same_orders():
    first, second = (generate(300, seed=5) for _ in range(2))
    assert [json.dumps(order.draft) for order in first] == [json.dumps(order.draft) for order in second]
    assert [order.label() for order in first] == [order.label() for order in second]
    assert generate(300, seed=6)[0].draft != first[0].draft


@pytest.mark.parametrize("profile", ["mini", "masked"])
def test_shares_are_in_bounds(profile, request):
    judged = [order for order in request.getfixturevalue(profile) if order.lane]
    lanes = Counter(order.lane for order in judged)
    assert 0.05 <= lanes["abnormal"] / len(judged) <= 0.08
    assert 0.13 <= lanes["to_confirm"] / len(judged) <= 0.16
    assert 0.19 <= (lanes["abnormal"] + lanes["to_confirm"]) / len(judged) <= 0.23
    assert 0.03 <= sum(order.urgent for order in judged) / len(judged) <= 0.05
    assert 0.95 <= len(judged) / 6_000 < 1


def test_every_kind_of_trouble_occurs_where_it_can_be_judged(mini, masked):
    assert {kind for order in mini for kind in order.kinds} == {
        "price_off", "same_ip", "quantity", "refund", "invalid_phone", "vague_address", "incomplete_address",
        "overseas_no_duty", "duplicate", "change_request",
    }  # fmt: skip
    assert {kind for order in masked for kind in order.kinds} == {
        "price_off", "quantity", "refund", "channel_hold", "overseas_no_duty", "duplicate", "change_request",
    }  # fmt: skip


def test_mix_is_an_option():
    quiet = generate(500, seed=1, mix=Mix(abnormal=0, to_confirm=0, urgent=0, frozen=0, unpaid=0, presale=0))
    assert {order.lane for order in quiet} == {"regular"}
    assert not any(order.urgent for order in quiet)
    assert Mix.parse("abnormal=0.2, urgent=0.5") == Mix(abnormal=0.2, urgent=0.5)
    with pytest.raises(ValueError, match="unknown share 'abnorml'"):
        Mix.parse("abnorml=0.2")
    with pytest.raises(ValueError, match="between 0 and 1"):
        Mix.parse("abnormal=1.2")


def test_every_draft_is_a_valid_intake_row(mini, masked):
    for order in mini:
        read_draft(order.draft)
    for order in masked:
        read_draft(masked_draft(order.draft))


def test_sums_agree(mini):
    for order in mini:
        draft = order.draft
        lines = draft["lines"]
        assert draft["total_fen"] == sum(line["unit_price_fen"] * line["quantity"] for line in lines)
        if draft["status"] == "paid":
            assert draft["paid_fen"] == draft["total_fen"] - draft["discount_fen"] + draft["freight_fen"]
            assert sum(line["paid_fen"] for line in lines) == draft["total_fen"] - draft["discount_fen"]


def test_districts_belong_to_their_cities(mini):
    places = [order.draft["receiver"] for order in mini if not ADDRESS_KINDS & set(order.kinds)]
    domestic = [place for place in places if place["country"] == "CN"]
    assert len(domestic) > 5_000
    for place in domestic:
        found = divisions.resolve(place["province"], place["city"], place["district"])
        assert found is not None
        assert found.level == "district"
    assert len({place["province"] for place in domestic}) == 31


def test_country_addresses_and_pickup_points_are_regular(mini):
    regular = [order.draft["receiver"]["detail"] for order in mini if order.lane == "regular"]
    assert sum("村" in detail for detail in regular) > 200
    assert sum("驿站" in detail for detail in regular) > 100


def test_prices_stay_near_the_campaign_unless_planted(mini):
    for order in mini:
        off = [
            abs(line["unit_price_fen"] / catalogue.by_sku()[line["sku"]].campaign_fen - 1)
            for line in order.draft["lines"]
        ]
        assert (max(off) > 0.35) is ("price_off" in order.kinds)
        assert "price_off" in order.kinds or max(off) < 0.25


def test_quantities_and_phones_are_odd_only_where_planted(mini):
    for order in mini:
        most = max(line["quantity"] for line in order.draft["lines"])
        assert (most > 10) is ("quantity" in order.kinds)
        assert (order.draft["receiver"]["phone"] in INVALID_PHONES) is ("invalid_phone" in order.kinds)


def test_ip_clusters_have_five_orders_of_three_buyers_within_the_hour(mini):
    clusters = defaultdict(list)
    for order in mini:
        clusters[order.draft["buyer"]["ip"]].append(order)
    for orders in clusters.values():
        if any("same_ip" in order.kinds for order in orders):
            assert len(orders) >= 5
            assert len({order.draft["buyer"]["id"] for order in orders}) >= 3
            assert max(map(moment, orders)) - min(map(moment, orders)) < timedelta(minutes=60)
            assert sorted(order.nth for order in orders) == list(range(1, len(orders) + 1))
    assert sum(any("same_ip" in order.kinds for order in orders) for orders in clusters.values()) > 8


def test_nobody_else_shares_an_ip_by_chance(mini):
    buyers = defaultdict(set)
    for order in mini:
        if "same_ip" not in order.kinds:
            buyers[order.draft["buyer"]["ip"]].add(order.draft["buyer"]["id"])
    assert max(map(len, buyers.values())) == 2


@pytest.mark.parametrize("profile", ["mini", "masked"])
def test_duplicates_repeat_within_ten_minutes_and_only_where_planted(profile, request):
    latest = {}
    found = set()
    paid = [order for order in request.getfixturevalue(profile) if order.draft["paid_at"]]
    for order in sorted(paid, key=lambda order: order.draft["paid_at"]):
        for line in order.draft["lines"]:
            key = (order.draft["buyer"]["id"], line["sku"], line["quantity"])
            if key in latest and abs(moment(order) - latest[key]) <= timedelta(minutes=10):
                found.add(order.draft["external_no"])
            latest[key] = moment(order)
    planted = {o.draft["external_no"] for o in request.getfixturevalue(profile) if "duplicate" in o.kinds}
    assert found == planted
    assert planted


def test_buyers_return_and_order_twice_for_one_parcel(mini):
    per_buyer = Counter(order.draft["buyer"]["id"] for order in mini)
    assert sum(count > 1 for count in per_buyer.values()) > 300
    assert sum(order.cluster.startswith("mini-pair") for order in mini) > 100


def test_calm_words_and_article_names_are_not_urgent(mini):
    traps = [order for order in mini if {"calm", "item_name", "hurry_hint"} & set(order.traps)]
    assert len(traps) > 100
    assert not any(order.urgent for order in traps)


def test_unpaid_and_deposit_orders_have_no_lane(mini):
    waiting = [order for order in mini if order.draft["status"] in {"unpaid", "presale_deposit"}]
    assert {order.lane for order in waiting} == {""}
    assert {order.draft["presale"] for order in waiting} == {"none", "deposit"}
    assert all(order.draft["paid_at"] is None for order in waiting if order.draft["status"] == "unpaid")


def test_the_day_has_its_two_rushes_and_a_quiet_night(mini):
    hours = Counter(moment(order).hour for order in mini)
    assert hours.most_common(2)[0][0] == 0
    assert hours.most_common(2)[1][0] == 20
    assert hours[4] * 8 < hours[0]
    rush = sum(moment(order) < DOUBLE_ELEVEN + timedelta(minutes=10) for order in mini)
    assert 0.45 < rush / hours[0] < 0.75


def test_numbers_rise_with_time_and_differ_between_streams(mini, masked):
    numbers = [order.draft["external_no"] for order in mini]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 6_000
    later = generate(50, seed=7, start=DOUBLE_ELEVEN + timedelta(hours=1))
    assert not {order.draft["external_no"] for order in later} & set(numbers)
    assert all(len(order.draft["external_no"]) == 19 for order in masked)


def test_masked_orders_show_no_name_phone_address_or_ip(masked):
    for order in masked[:500]:
        shown = masked_draft(order.draft)
        assert shown["buyer"]["ip"] == ""
        assert shown["receiver"]["detail"] == "***"
        assert "*" in shown["receiver"]["name"]
        assert shown["receiver"]["phone"].startswith("*******")
        assert len(shown["receiver"]["oaid"]) > 20
        assert order.draft["receiver"]["name"] not in json.dumps(shown, ensure_ascii=False)


def test_an_order_costs_little_more_than_one_bare_faker_address():
    generate(10, seed=1)
    faker = Faker("zh_CN")
    started = time.process_time()
    for _ in range(1_000):
        faker.name(), faker.phone_number(), faker.address()
    bare = time.process_time() - started
    started = time.process_time()
    generate(1_000, seed=2, mix=Mix())
    assert (time.process_time() - started) / bare < 6
