"""Random faults: seeded, bounded, logged, on every platform."""

import json
from datetime import timedelta

import pytest

from channels_sync.sandbox.chaos import ANSWERS, KEPT, NEVER, Chaos, platform_of
from channels_sync.sandbox.faults import KINDS, Faults
from channels_sync.sandbox.server import Options, Sandbox
from tests.channels_sync.sandbox.conftest import Clock, Outside

METHODS = {
    "taobao": "taobao.trades.sold.increment.get",
    "jd": "jingdong.pop.order.search",
    "douyin": "order.searchList",
    "wechat": "/channels/ec/order/list/get",
    "warehouse": "deliveryorder.create",
}
ALL = tuple(KINDS)


@pytest.fixture
def clock():
    return Clock()


def drawn(clock, rate=0.2, seed=5, requests=3000, kinds=ALL):
    """Let requests of all platforms come, in turn, and return the faults with the log of what was drawn."""
    faults = Faults(Chaos(rate, seed, clock))
    answered = []
    for turn in range(requests):
        method = list(METHODS.values())[turn % len(METHODS)]
        fault = faults.take(method, *kinds)
        answered.append((method, fault.kind) if fault else None)
    return faults, answered


def test_the_same_seed_and_requests_bring_the_same_faults(clock):
    first, second, other = drawn(clock), drawn(clock), drawn(clock, seed=6)
    assert first[1] == second[1] != other[1]
    assert first[0].chaos.report() == second[0].chaos.report()


def test_every_platform_goes_wrong_in_every_way_but_those_that_only_a_person_ends(clock):
    faults, _ = drawn(clock, requests=20_000)
    by = faults.chaos.report()["by"]
    assert {platform: set(kinds) for platform, kinds in by.items()} == {name: set(KINDS) - NEVER for name in METHODS}


def test_a_platform_has_one_random_fault_at_a_time_and_it_ends(clock):
    faults = Faults(Chaos(1.0, 1, clock))
    longest, run = 0, 0
    for _ in range(500):
        fault = faults.take(METHODS["jd"], "http500")
        assert len(faults.listing()) <= 1
        run = run + 1 if fault.fired > 1 else 1
        longest = max(longest, run)
    assert longest == max(ANSWERS)


def test_what_is_left_of_a_fault_ends_with_its_minute(clock):
    faults = Faults(Chaos(1.0, 1, clock))
    while faults.take(METHODS["jd"], "lost_cursor").times == 1:
        pass
    assert faults.take(METHODS["jd"], "http500") is None
    clock.forward(seconds=61)
    assert faults.take(METHODS["jd"], "http500").kind == "http500"
    assert {fault["kind"] for fault in faults.listing()} <= {"http500"}


def test_a_fault_that_was_not_used_up_answers_nothing_after_its_minute(clock):
    faults = Faults(Chaos(1.0, 1, clock))
    while faults.take(METHODS["jd"], "lost_cursor").times == 1:
        pass
    faults.chaos.set_rate(0)
    clock.forward(seconds=61)
    assert faults.take(METHODS["jd"], "lost_cursor") is None
    assert faults.listing() == []


def test_no_rate_no_faults_and_a_set_fault_goes_first(clock):
    faults = Faults(Chaos(0.0, 1, clock))
    assert [faults.take(method, *ALL) for method in METHODS.values()] == [None] * len(METHODS)
    faults.chaos.set_rate(1.0)
    faults.add({"kind": "throttle", "method": METHODS["taobao"]})
    assert faults.take(METHODS["taobao"], "http500", "throttle").is_random is False
    assert faults.take("", *ALL) is None


@pytest.mark.parametrize("rate", [-0.1, 1.5])
def test_a_rate_that_is_none_is_refused(clock, rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        Chaos(rate, 1, clock)


@pytest.mark.parametrize(
    ("method", "platform"),
    [
        ("taobao.trade.fullinfo.get", "taobao"), ("taobao.qimen.deliveryorder.create", "warehouse"),
        ("deliveryorder.confirm", "warehouse"), ("qimen.callback", "warehouse"), ("jingdong.pop.order.get", "jd"),
        ("oauth2.refresh_token", "jd"), ("/cgi-bin/stable_token", "wechat"), ("wechat.push", "wechat"),
        ("douyin.push", "douyin"), ("token.refresh", "douyin"), ("", ""),
    ],
)  # fmt: skip
def test_methods_belong_to_platforms(method, platform):
    assert platform_of(method) == platform


def test_a_fault_of_one_platform_leaves_the_others_alone():
    faults = Faults()
    faults.add({"kind": "http500", "platform": "jd", "times": 5})
    assert [bool(faults.take(method, "http500")) for method in METHODS.values()] == [False, True, False, False, False]


def test_a_running_sandbox_logs_its_faults_and_can_be_calmed(clock, tmp_path):
    options = Options(taobao_share=1.0, moves=False, fault_rate=1.0, state_dir=tmp_path)
    with Sandbox(options, now=clock) as sandbox:
        outside = Outside(sandbox, clock)
        sandbox.faults.take(METHODS["wechat"], "http500")
        random = json.loads(outside.get("faults"))["random"]
        assert (random["struck"], random["by"]) == (1, {"wechat": {"http500": 1}})
        logged = [json.loads(line) for line in (tmp_path / "faults.ndjson").read_text().splitlines()]
        assert logged == random["latest"]
        outside.control("options", fault_rate=0)
        clock.forward(seconds=61)
        assert sandbox.faults.take(METHODS["jd"], "http500") is None
    assert KEPT >= len(logged) == 1


def test_the_side_door_tells_what_platforms_show_and_were_told_last(clock):
    with Sandbox(Options(shares={"taobao": 1, "jd": 1}, moves=False), now=clock) as sandbox:
        outside = Outside(sandbox, clock)
        made = [sandbox.store.get(number) for number in outside.make(30)]
        shops = json.loads(outside.get("totals"))["shops"]
        assert {shop: row["orders"] for shop, row in shops.items()} == {
            shop: sum(order.shop == shop for order in made) for shop in ("taobao", "jd")
        }
        assert shops["jd"]["paid_fen"] == sum(o.draft["paid_fen"] for o in made if o.shop == "jd")
        assert sum(shops["taobao"]["by_status"].values()) == shops["taobao"]["orders"]
        later = (clock.now + timedelta(hours=1)).isoformat().replace("+", "%2B")
        assert json.loads(outside.get(f"totals?shop=jd&from={later}"))["shops"] == {}
        for quantity in (5, 4, 3):
            sandbox.store.add_write("jd", "stock", "A", 0, {"quantity": quantity})
        sandbox.store.add_write("jd", "stock", "B", 0, {"quantity": 9})
        told = json.loads(outside.get("writes?platform=jd&kind=stock&last=1"))["writes"]
        assert {row["key"]: row["body"]["quantity"] for row in told} == {"A": 3, "B": 9}
