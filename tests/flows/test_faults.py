"""Every platform under every fault: nothing lost, nothing doubled, told in words, and it passes without a person."""

from datetime import datetime, timedelta

import pytest

from channels_sync.connectors.wechat import pull, token
from channels_sync.models import CallAllowance, ShopSync
from channels_sync.sandbox import chaos
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from orderhub.deliveries import drain_inbox
from orderhub.management.demo import shops_of
from orderhub.models import InboxItem, Order, OrderLine, Reject
from orderhub.pulls import pull_shop
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)
PLATFORMS = ("taobao", "jd", "douyin", "wechat")
FAULTS = (
    "throttle", "expired_token", "wrong_page", "slow", "http500", "duplicates", "out_of_order", "truncated",
    "clock_skew", "disconnect", "remote_error", "mutate_while_paging",
)  # fmt: skip
NOT_THERE = {("wechat", "clock_skew"): "requests to WeChat carry no time"}
ONCE = {("wechat", "wrong_page")}
"""Its lists tell no count: each is read until a reading shows nothing new, so two wrong ones in a row are believed and
only the comparison at night finds what is missing."""
HIDDEN = {"jd": {"unpaid", "presale_deposit"}}
"""States in which a platform does not list an order at all."""


@pytest.fixture
def shops(transactional_db):
    load_defaults()
    token._slots.clear()
    pull._handed_out.clear()
    made = {}
    for code, platform, _name, credentials in shops_of(SANDBOX):
        if platform in PLATFORMS:
            shop = make_shop(code, platform=platform, settings={"calls_per_second": 1000, "look_back_hours": 1})
            shop.credentials = credentials
            shop.save()
            made[platform] = shop
    return made


@pytest.fixture
def start(shops, settings, live_server):
    """Start a sandbox with these shops only; it stands still, makes no orders by itself, and pushes to the hub."""
    settings.ALLOWED_HOSTS = ["*"]
    running = []

    def begin(*platforms, **options):
        hooks = {name: f"{live_server.url}/hooks/{shops[name].code}/" for name in ("wechat", "douyin")}
        given = Options(shares=dict.fromkeys(platforms, 1), moves=False, serial=1, hooks=hooks, **options)
        sandbox = Sandbox(given, now=PlatformClock()).start()
        running.append(sandbox)
        settings.TAOBAO_GATEWAY_URL = f"{sandbox.url}/router/rest"
        settings.JD_GATEWAY_URL = f"{sandbox.url}/jd/routerjson"
        settings.JD_OAUTH_URL = f"{sandbox.url}/jd/oauth2"
        settings.DOUYIN_GATEWAY_URL = f"{sandbox.url}/douyin"
        settings.WECHAT_GATEWAY_URL = f"{sandbox.url}/wechat"
        return sandbox

    yield begin
    for sandbox in running:
        sandbox.stop()


def true(sandbox, platform):
    """Return sums, hold and refund of every order that the platform shows by now; on JD a refund may name no line."""
    now = sandbox.now()
    found = {}
    for order in sandbox.store.latest(platform, 10_000):
        draft = order.draft
        if datetime.fromisoformat(draft["modified_at"]) <= now and draft["status"] not in HIDDEN.get(platform, ()):
            refunds = any(line["refund"] != "none" for line in draft["lines"])
            found[draft["external_no"]] = (draft["total_fen"], draft["paid_fen"], bool(draft["channel_hold"]), refunds)
    return found


def pooled(shop):
    """Return the same of every order of the pool."""
    refunds = {}
    for number, refund in OrderLine.objects.filter(order__shop=shop).values_list("order__external_no", "refund"):
        refunds[number] = refunds.get(number, False) or refund != "none"
    rows = Order.objects.filter(shop=shop).values_list("external_no", "total_fen", "paid_fen", "channel_hold")
    return {number: (total, paid, bool(hold), refunds[number]) for number, total, paid, hold in rows}


def pull_again(shop):
    """Pull as the next run does after the pause that a limit imposes."""
    CallAllowance.objects.all().delete()
    pull_shop(shop.pk, force=True)


def test_every_shop_of_the_sandbox_is_played(shops):
    assert tuple(sorted(shops)) == tuple(sorted(PLATFORMS))


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_nothing_is_lost_or_doubled_under_any_fault(start, shops, platform, kind):
    sandbox, shop = start(platform), shops[platform]
    sandbox.live.backlog(70, 0.8)
    seconds = 800 if kind == "clock_skew" else 0.1
    times = 1 if (platform, kind) in ONCE else 3
    sandbox.faults.add({"kind": kind, "times": times, "seconds": seconds, "orders": 10, "platform": platform})
    pull_shop(shop.pk)
    (fault,) = sandbox.faults.listing()
    if (platform, kind) in NOT_THERE:
        assert fault["fired"] == 0
    else:
        assert fault["fired"] > 0
    sync = ShopSync.objects.get(shop=shop)
    assert bool(sync.last_error) == bool(sync.consecutive_failures)
    for _run in range(4):
        pull_again(shop)
    assert pooled(shop) == true(sandbox, platform)
    assert (Reject.objects.count(), ShopSync.objects.get(shop=shop).last_error) == (0, "")


@pytest.mark.parametrize("seed", [3, 4])
def test_four_platforms_that_go_wrong_at_random_end_up_in_the_pool_as_they_are(start, shops, monkeypatch, seed):
    monkeypatch.setattr(chaos, "SECONDS", {"clock_skew": (700, 3600), "slow": (0.01, 0.05)})
    sandbox = start(*PLATFORMS, fault_rate=0.1, seed=seed)
    numbers = []
    for turn in range(4):
        made = sandbox.live.make(16)
        sandbox.now.forward()
        for number in numbers[:: turn + 2]:
            sandbox.live.change(number, "ask_refund")
        numbers += made
        work(sandbox, shops)
    struck = sandbox.faults.chaos.report()
    assert set(struck["by"]) == set(PLATFORMS)
    sandbox.faults.chaos.set_rate(0)
    sandbox.faults.clear()
    for _ in range(2):
        work(sandbox, shops)
    for platform, shop in shops.items():
        assert pooled(shop) == true(sandbox, platform), (platform, struck["latest"])
        assert ShopSync.objects.get(shop=shop).last_error == ""
    assert (Reject.objects.count(), InboxItem.objects.filter(state="dead").count()) == (0, 0)


def work(sandbox, shops):
    """Let the platforms push, take that in, and pull from every shop once, whatever they were to wait for."""
    for pusher in sandbox.pushers:
        for _step in range(200):
            if pusher.step():
                break
    InboxItem.objects.update(leased_until=None)
    while drain_inbox(min_age_seconds=0):
        pass
    for shop in shops.values():
        pull_again(shop)


def test_the_clock_of_the_platforms_stands_still(start):
    sandbox = start("taobao")
    assert sandbox.now() - sandbox.now() == timedelta()
