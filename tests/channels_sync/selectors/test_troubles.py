from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from channels_sync.connectors.base import connectors
from channels_sync.models import ShopSync
from channels_sync.selectors.board import ChannelFacts, Waiting
from channels_sync.selectors.offers import ShopOffers
from channels_sync.selectors.silence import Flow
from channels_sync.selectors.troubles import Level, level_of, troubles
from orderhub.core.words import GateState
from orderhub.models import Shop, Warehouse
from orderhub.selectors.gate import GateView

NOW = datetime(2026, 11, 11, 2, 0, tzinfo=UTC)
WELL = ShopOffers(listings=5, differing=0, failing=0, state="done", error="", due_at=None, written_at=NOW)


def ago(**values):
    return NOW - timedelta(**values)


def facts(platform="taobao", *, sync=None, **values):
    """A shop that is well, but for what a test says."""
    shop = Shop(code="tb", name="tb", platform=platform, is_active=values.pop("is_active", True), warehouse=Warehouse())
    shop.settings = values.pop("settings", {})
    state = {"cursor": ago(seconds=40), "last_success_at": ago(seconds=30), **(sync or {})}
    connector = connectors.get(platform) if platform in connectors else None
    return ChannelFacts(shop, connector, ShopSync(shop=shop, **state), stock=WELL, told_at=NOW, **values)


def judged(one):
    with time_machine.travel(NOW, tick=False):
        return [(trouble.key, trouble.level) for trouble in troubles(one, NOW)]


@pytest.mark.parametrize("platform", ["taobao", "jd", "douyin", "wechat", "own", "file"])
def test_a_shop_that_is_well_has_no_trouble(platform):
    assert judged(facts(platform)) == []
    assert level_of([]) is Level.FINE


@pytest.mark.parametrize(
    ("sync", "expected"),
    [
        ({"cursor": None}, [("never", Level.WARN)]),
        ({"cursor": ago(minutes=5)}, []),
        ({"cursor": ago(minutes=6)}, [("late", Level.WARN)]),
        ({"cursor": ago(minutes=31)}, [("late", Level.BAD)]),
        ({"cursor": ago(minutes=11), "clock_ahead": 400}, [("clock", Level.WARN)]),
        ({"cursor": ago(minutes=12), "clock_ahead": 400}, [("clock", Level.WARN), ("late", Level.WARN)]),
        ({"error_kind": "temporary", "consecutive_failures": 1}, [("error", Level.WARN)]),
        (
            {"error_kind": "temporary", "consecutive_failures": 9, "cursor": ago(minutes=31)},
            [("error", Level.BAD)],
        ),
        ({"error_kind": "throttled", "consecutive_failures": 2}, [("error", Level.WARN)]),
        ({"error_kind": "permanent", "consecutive_failures": 1}, [("error", Level.BAD)]),
        (
            {"error_kind": "authorisation", "consecutive_failures": 1, "token_state": "refused"},
            [("error", Level.BAD)],
        ),
        ({"cursor": None, "error_kind": "permanent", "consecutive_failures": 3}, [("error", Level.BAD)]),
        ({"token_state": "refused"}, [("token_refused", Level.BAD)]),
        ({"token_expires_at": ago(seconds=1)}, [("token_over", Level.BAD)]),
        ({"token_expires_at": NOW + timedelta(hours=1), "token_error": "no"}, [("token_failing", Level.BAD)]),
        ({"token_expires_at": NOW + timedelta(hours=9), "token_error": "no"}, [("token_failing", Level.WARN)]),
        ({"token_expires_at": NOW + timedelta(days=30)}, []),
    ],
)
def test_what_the_pull_and_the_authorisation_tell(sync, expected):
    assert judged(facts(sync=sync)) == expected


@pytest.mark.parametrize(
    ("minutes", "behind", "expected"),
    [(5, 9, []), (5, 10, [("late", Level.WARN)]), (30, 34, []), (30, 60, [("late", Level.BAD)])],
)
def test_a_shop_that_is_pulled_less_often_is_behind_later(minutes, behind, expected):
    assert judged(facts(sync={"cursor": ago(minutes=behind)}, settings={"pull_minutes": minutes})) == expected


def test_orders_that_a_platform_counted_and_did_not_list():
    one = facts(short=Waiting(3, ago(minutes=9)), given_up=Waiting(2, ago(hours=1)))
    assert judged(one) == [("given_up", Level.BAD), ("short", Level.WARN)]


@pytest.mark.parametrize(
    ("left", "expected"),
    [(timedelta(days=2), []), (timedelta(hours=20), Level.WARN), (timedelta(hours=1), Level.BAD)],
)
def test_an_authorisation_that_nothing_renews_is_told_before_it_ends(left, expected, monkeypatch):
    monkeypatch.setattr(connectors.get("taobao"), "refreshes", False)
    found = judged(facts(sync={"token_expires_at": NOW + left}))
    assert found == ([("token_soon", expected)] if expected else [])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"gate": GateView(GateState.PAUSED), "parked": 7}, [("paused", Level.WARN)]),
        ({"gate": GateView(GateState.TRICKLE, 60)}, [("trickle", Level.WARN)]),
        ({"parked": 7}, [("draining", Level.NOTE)]),
        ({"inbox": Waiting(9, ago(minutes=4))}, []),
        ({"inbox": Waiting(9, ago(minutes=6))}, [("inbox", Level.WARN)]),
        ({"inbox": Waiting(9, ago(minutes=31))}, [("inbox", Level.BAD)]),
        ({"set_aside": 1}, [("set_aside", Level.WARN)]),
        ({"rejects": Waiting(2, NOW), "dead": Waiting(1, NOW)}, [("rejects", Level.WARN), ("dead", Level.WARN)]),
        ({"unmatched": 3}, [("unmatched", Level.NOTE)]),
    ],
)
def test_what_waits_and_what_was_given_up(values, expected):
    assert judged(facts(**values)) == expected


@pytest.mark.parametrize(
    ("differing", "failing", "state", "error", "told", "expected"),
    [
        (3, 2, "dead", "", ago(minutes=1), ("stock_failing", 2)),
        (4, 0, "dead", "no right", ago(minutes=1), ("stock_refused", 4)),
        (0, 0, "dead", "no right", ago(minutes=1), ("stock_refused", 0)),
        (4, 0, "pending", "no answer", ago(minutes=1), ("stock_refused", 4)),
        (4, 0, "pending", "", ago(minutes=1), None),
        (4, 0, "pending", "", ago(minutes=6), ("stock_waiting", 4)),
    ],
)
def test_stock_that_the_channel_was_not_told(differing, failing, state, error, told, expected):
    one = facts()
    one.stock, one.told_at = ShopOffers(9, differing, failing, state, error, None, None), told
    found = [(trouble.key, trouble.count, trouble.level) for trouble in troubles(one, NOW) if trouble.key != "late"]
    assert found == ([(*expected, Level.WARN)] if expected else [])


def test_the_worst_comes_first():
    one = facts(sync={"error_kind": "permanent", "consecutive_failures": 1}, unmatched=2, rejects=Waiting(1, NOW))
    assert judged(one) == [("error", Level.BAD), ("rejects", Level.WARN), ("unmatched", Level.NOTE)]


@pytest.mark.parametrize("warehouse", [None, Warehouse(is_active=False)])
def test_a_shop_whose_orders_have_nowhere_to_go_needs_a_warehouse(warehouse):
    one = facts()
    one.shop.warehouse = warehouse
    assert judged(one) == [("no_warehouse", Level.WARN)]


def test_a_platform_without_code_needs_a_person_and_a_switched_off_shop_nobody():
    assert judged(facts("gone")) == [("error", Level.BAD)]
    assert judged(facts("gone", is_active=False)) == []


@pytest.mark.parametrize(
    ("state", "expected"), [("silent", [("silent", Level.BAD)]), ("ok", []), ("quiet", []), ("held", []), ("new", [])]
)
def test_a_silent_channel_needs_a_person_although_nothing_fails(state, expected):
    assert judged(facts(flow=Flow(1, "tb", state, NOW, 10, 40.0, 0))) == expected
