"""From a JD shop into the pool and back: every order once, every fault passes without a person."""

from datetime import datetime

import pytest

from channels_sync.connectors.base import connectors
from channels_sync.connectors.exchange import Memo, Shipment
from channels_sync.models import CallAllowance, ErrorKind, ShopSync, TokenState
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from channels_sync.services.access import shop_access
from orderhub.models import Order, OrderLine, Receiver, Reject
from orderhub.pulls import pull_shop
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)
SEARCH = "jingdong.pop.order.search"


@pytest.fixture
def shop(transactional_db):
    load_defaults()
    shop = make_shop("jd", platform="jd", settings={"calls_per_second": 1000, "look_back_hours": 1})
    shop.credentials = {
        "app_key": SANDBOX.jd_app_key, "app_secret": SANDBOX.jd_app_secret, "access_token": SANDBOX.jd_token,
        "refresh_token": SANDBOX.jd_refresh_token,
    }  # fmt: skip
    shop.save()
    return shop


@pytest.fixture
def jd(shop, settings):
    with Sandbox(Options(shares={"jd": 1.0}, moves=False, serial=1), now=PlatformClock()) as sandbox:
        settings.JD_GATEWAY_URL = f"{sandbox.url}/jd/routerjson"
        settings.JD_OAUTH_URL = f"{sandbox.url}/jd/oauth2"
        yield sandbox


def shown(sandbox):
    """Return the drafts of all orders that the platform shows by now."""
    now = sandbox.now().timestamp()
    orders = [order for order in sandbox.store.latest("jd", 10_000) if order.draft["status"] not in WAITING]
    return {o.draft["external_no"]: o.draft for o in orders if _moved(o.draft) <= now}


WAITING = {"unpaid", "presale_deposit"}


def _moved(draft):
    return datetime.fromisoformat(draft["modified_at"]).timestamp()


def in_pool():
    """Return status, sums, refunds and hold of every order of the pool."""
    refunds = {}
    for number, refund in OrderLine.objects.order_by("pk").values_list("order__external_no", "refund"):
        refunds.setdefault(number, []).append(refund != "none")
    fields = ("external_no", "total_fen", "discount_fen", "freight_fen", "paid_fen", "channel_hold", "buyer_remark")
    return {row[0]: (*row[1:], sum(refunds[row[0]])) for row in Order.objects.values_list(*fields)}


def true(sandbox):
    return {
        number: (
            draft["total_fen"], draft["discount_fen"], draft["freight_fen"], draft["paid_fen"], draft["channel_hold"],
            draft["buyer_remark"], sum(line["refund"] != "none" for line in draft["lines"]),
        )
        for number, draft in shown(sandbox).items()
    }  # fmt: skip


def test_the_pool_equals_the_platform_and_stays_so(jd, shop):
    jd.live.backlog(150, 0.8)
    assert pull_shop(shop.pk)["new"] == len(shown(jd)) > 100
    assert in_pool() == true(jd)
    assert Reject.objects.count() == 0
    assert set(Receiver.objects.values_list("kind", flat=True)) == {"masked"}
    for number, change in zip(list(shown(jd)), ("ask_refund", "note", "hold"), strict=False):
        jd.live.change(number, change)
    counts = pull_shop(shop.pk)
    assert (counts["new"], counts["rejected"]) == (0, 0)
    assert in_pool() == true(jd)


@pytest.mark.parametrize(
    "kind", ["http500", "disconnect", "truncated", "throttle", "remote_error", "expired_token", "wrong_page", "slow",
             "duplicates", "out_of_order", "mutate_while_paging", "clock_skew"],
)  # fmt: skip
def test_after_every_fault_nothing_is_lost_or_doubled(jd, shop, kind):
    jd.live.backlog(120, 0.8)
    jd.faults.add({"kind": kind, "times": 3, "seconds": 400 if kind == "clock_skew" else 0.1, "orders": 20})
    pull_shop(shop.pk)
    failed = ShopSync.objects.get(shop=shop)
    assert jd.faults.listing()[0]["fired"] > 0
    jd.faults.clear()
    if failed.consecutive_failures:
        assert failed.last_error
        unblock(shop)
        pull_shop(shop.pk, force=True)
    pull_shop(shop.pk, force=True)
    assert in_pool() == true(jd)
    assert Order.objects.count() == len(shown(jd))
    assert ShopSync.objects.get(shop=shop).last_error == ""


def unblock(shop):
    """Let the pause pass that a call limit imposes."""
    CallAllowance.objects.all().delete()


def test_an_ended_session_is_renewed_and_told_where_that_is_impossible(jd, shop):
    jd.live.make(10)
    shop.credentials = {**shop.credentials, "access_token": "long gone"}
    shop.save()
    assert pull_shop(shop.pk)["new"] == len(shown(jd))
    shop.refresh_from_db()
    assert shop.credentials["access_token"] not in {"long gone", SANDBOX.jd_token}
    shop.credentials = {**shop.credentials, "access_token": "gone again", "refresh_token": ""}
    shop.save()
    pull_shop(shop.pk, force=True)
    failed = ShopSync.objects.get(shop=shop)
    assert (failed.error_kind, failed.token_state) == (ErrorKind.AUTHORISATION, TokenState.REFUSED)


def test_what_is_written_to_jd_comes_back(jd, shop):
    jd.live.backlog(40, 0.8)
    pull_shop(shop.pk)
    number = next(n for n, d in shown(jd).items() if d["status"] == "paid" and not d["channel_hold"])
    connector, access = connectors.get("jd"), shop_access(shop)
    connector.write_memo(access, Memo(number, "已核实", "green"))
    connector.ship(access, Shipment(number, "YTO", "YT0001"))
    pull_shop(shop.pk)
    order = Order.objects.get(external_no=number)
    assert (order.seller_remark, order.flag, order.channel_claim) == ("已核实", "green", "in_transit")
