"""Every platform under every fault: nothing lost, nothing doubled, told in words, and it passes without a person."""

from datetime import datetime, timedelta

import pytest
import stamina
from django.utils import timezone
from django.utils.module_loading import import_string

from channels_sync.admin.tiles import tile
from channels_sync.connectors.causes import Cause
from channels_sync.connectors.http import TRIES
from channels_sync.connectors.wechat import pull, token
from channels_sync.models import CallAllowance, Difference, ShopSync
from channels_sync.sandbox import chaos
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.selectors.board import board
from channels_sync.services import health, reconcile
from orderhub import schedules
from orderhub.management.demo import shops_of
from orderhub.models import InboxItem, Order, OrderLine, Reject, Shop
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop
from triage.services import load_defaults

PLATFORMS = ("taobao", "jd", "douyin", "wechat")
LASTING = {
    "throttle": Cause.LIMIT, "expired_token": Cause.SESSION, "clock_skew": Cause.CLOCK, "slow": Cause.NETWORK,
    "disconnect": Cause.NETWORK, "http500": Cause.SERVICE, "remote_error": Cause.SERVICE, "truncated": Cause.ANSWER,
}  # fmt: skip
"""Faults that every call meets until they end, and what people are told of them."""
DAILY = "jd", "throttle"
"""JD's limit is that of a day."""
TRIED_AGAIN = {"slow", "disconnect", "http500", "truncated"}
"""Those that the HTTP client meets by trying again on the spot."""
LISTS = ("wrong_page", "duplicates", "out_of_order", "mutate_while_paging")
"""Faults of the lists: they answer well, but not what was asked for."""
SECONDS = {"clock_skew": 800, "slow": 1.5, "throttle": 0.1}
NOT_THERE = {("wechat", "clock_skew")}
"""Requests to WeChat carry no time."""
CASES = [(name, kind) for name in PLATFORMS for kind in LASTING if (name, kind) not in NOT_THERE]
ONCE = {("wechat", "wrong_page")}
"""Its lists tell no count: each is read until a reading shows nothing new, so two wrong ones in a row are believed and
only the comparison at night finds what is missing."""
HIDDEN = {"jd": {"unpaid", "presale_deposit"}}
"""States in which a platform does not list an order at all."""


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    """The client tries as often as it does, without the pauses in between. Nor does it wait for the end of a minute
    that WeChat counts calls by."""
    monkeypatch.setattr("channels_sync.services.allowance.LONGEST_WAIT", 2.0)
    with stamina.set_testing(True, attempts=TRIES, cap=True):
        yield


@pytest.fixture
def shops(db):
    load_defaults()
    token._slots.clear()
    pull._handed_out.clear()
    made = {}
    for code, platform, _name, credentials in shops_of(SANDBOX):
        if platform in PLATFORMS:
            options = {"calls_per_second": 1000, "look_back_hours": 0.3, "page_size": 15}
            shop = make_shop(code, platform=platform, settings=options)
            shop.credentials = credentials
            shop.save()
            made[platform] = shop
    return made


@pytest.fixture
def start(shops, settings):
    """Start a sandbox with these shops only; it stands still and makes no orders by itself."""
    settings.ALLOWED_HOSTS = ["*"]
    running = []

    def begin(*platforms, **options):
        Shop.objects.exclude(platform__in=platforms).update(is_active=False)
        given = Options(shares=dict.fromkeys(platforms, 1), moves=False, serial=1, **options)
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


@pytest.fixture
def minute(monkeypatch):
    """Run the jobs of a minute as the schedule does; what they ask the cluster for is done at once."""

    def at_once(task, *args, **_options):
        import_string(task)(*args)

    def run():
        for job in ("pull", "inbox"):
            assert schedules.run_job(job)

    monkeypatch.setattr(schedules, "async_task", at_once)
    return run


def wait_out():
    """Let the pauses end that failures and bans impose; but for the limit of a day none is longer than the hub says."""
    now = timezone.now()
    waiting = ShopSync.objects.exclude(next_attempt_at=None)
    too_long = waiting.filter(next_attempt_at__gt=now + timedelta(seconds=health.LONGEST_WAIT))
    assert not too_long.exclude(error_cause=Cause.QUOTA).exists()
    waiting.update(next_attempt_at=now)
    CallAllowance.objects.update(free_at=now)
    InboxItem.objects.update(leased_until=None)


def told(shop):
    """Return the trouble with the pull of a shop as the board shows it, with its cause; None when there is none."""
    (facts,) = board([shop.pk]).channels
    for trouble in tile(facts, timezone.now()).troubles:
        if trouble.key == "error":
            assert trouble.what
            assert trouble.own == facts.sync.last_error
            return facts.sync.error_cause, bool(trouble.own)
    return None


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


def check(sandbox, shop, platform):
    """The hub has what the platform has: by its own comparison field by field, and by the sandbox's books."""
    expected = true(sandbox, platform)
    assert pooled(shop) == expected
    end = timezone.now()
    job = reconcile.start(shop_id=shop.pk, start=end - timedelta(hours=2), end=end, actor="test")
    reconcile.run_to_the_end(job)
    assert list(Difference.objects.values_list("external_no", "field", "pool_value", "platform_value")) == []
    assert (job.state, job.equal + job.shipped_elsewhere, job.differing) == ("done", len(expected), 0)
    assert (job.platform_orders, job.pool_orders) == (len(expected), len(expected))
    assert (Reject.objects.count(), told(shop)) == (0, None)
    assert not InboxItem.objects.exclude(state="done").exists()


def test_every_shop_of_the_sandbox_is_played(shops):
    assert tuple(sorted(shops)) == tuple(sorted(PLATFORMS))


@pytest.mark.parametrize(("platform", "kind"), CASES)
def test_a_fault_is_told_in_words_while_it_lasts_and_passes_without_a_person(
    start, shops, minute, settings, platform, kind
):
    sandbox, shop = start(platform), shops[platform]
    sandbox.live.backlog(25, 0.25)
    settings.OUTBOUND_TIMEOUT_SECONDS = 0.5 if kind == "slow" else 10
    fault = sandbox.faults.add(
        {"kind": kind, "times": 10_000, "seconds": SECONDS.get(kind, 0), "platform": platform}
    )  # fmt: skip
    for failures in (1, 2):
        minute()
        assert fault.fired >= (failures * TRIES if kind in TRIED_AGAIN else failures)
        assert told(shop) == (Cause.QUOTA if (platform, kind) == DAILY else LASTING[kind], True)
        assert ShopSync.objects.get(shop=shop).consecutive_failures == failures
        fired = fault.fired
        minute()
        assert fault.fired == fired
        wait_out()
        sandbox.now.forward()
        sandbox.live.make(3)
    sandbox.faults.clear()
    settings.OUTBOUND_TIMEOUT_SECONDS = 10
    minute()
    assert told(shop) is None
    check(sandbox, shop, platform)


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_list_that_answers_wrongly_loses_and_doubles_nothing(start, shops, minute, platform, kind):
    sandbox, shop = start(platform), shops[platform]
    sandbox.live.backlog(45, 0.25)
    times = 1 if (platform, kind) in ONCE else 3
    fault = sandbox.faults.add({"kind": kind, "times": times, "orders": 10, "platform": platform})
    for _minute in range(3):
        minute()
        wait_out()
    assert fault.fired == times
    check(sandbox, shop, platform)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [3, 4])
def test_four_platforms_that_go_wrong_at_random_end_up_in_the_pool_as_they_are(
    start, shops, minute, live_server, monkeypatch, seed
):
    monkeypatch.setattr(chaos, "SECONDS", {"clock_skew": (700, 3600), "slow": (0.01, 0.05)})
    hooks = {name: f"{live_server.url}/hooks/{shops[name].code}/" for name in ("wechat", "douyin")}
    sandbox = start(*PLATFORMS, fault_rate=0.1, seed=seed, hooks=hooks)
    numbers = []
    for turn in range(4):
        made = sandbox.live.make(16)
        sandbox.now.forward()
        for number in numbers[:: turn + 2]:
            sandbox.live.change(number, "ask_refund")
        numbers += made
        work(sandbox, minute)
    struck = sandbox.faults.chaos.report()
    assert set(struck["by"]) == set(PLATFORMS)
    sandbox.faults.chaos.set_rate(0)
    sandbox.faults.clear()
    for _ in range(2):
        work(sandbox, minute)
    for platform, shop in shops.items():
        check(sandbox, shop, platform)


def work(sandbox, minute):
    """Let the platforms push, and the hub work for a minute after all that it waits for."""
    for pusher in sandbox.pushers:
        for _step in range(200):
            if pusher.step():
                break
    wait_out()
    minute()


def test_the_clock_of_the_platforms_stands_still(start):
    sandbox = start("taobao")
    assert sandbox.now() - sandbox.now() == timedelta()
