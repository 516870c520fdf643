"""A Douyin shop by push and by poll: real HTTP both ways, the pipeline between, the pool compared order by order."""

import pytest

from channels_sync.models import ShopSync
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.douyin_view import order_state
from channels_sync.sandbox.server import Options, Sandbox
from orderhub.deliveries import drain_inbox
from orderhub.models import InboxItem, Order, Reject
from orderhub.pulls import pull_shop
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(transactional_db):
    load_defaults()
    shop = make_shop("dy", platform="douyin")
    shop.credentials = {
        "app_key": SANDBOX.douyin_app_key, "app_secret": SANDBOX.douyin_secret, "shop_id": SANDBOX.douyin_shop_id,
        "access_token": SANDBOX.douyin_token,
    }  # fmt: skip
    shop.settings = {"look_back_hours": 1, "calls_per_second": 1000}
    shop.save()
    return shop


@pytest.fixture
def platform(live_server, settings, shop):
    settings.ALLOWED_HOSTS = ["*"]
    options = Options(shares={"douyin": 1}, moves=False, serial=1, hooks={"douyin": f"{live_server.url}/hooks/dy/"})
    with Sandbox(options, now=PlatformClock()) as sandbox:
        settings.DOUYIN_GATEWAY_URL = f"{sandbox.url}/douyin"
        yield sandbox


def told(platform):
    """Let the platform push all that happened, and the hub take it in."""
    pusher = platform.pushers[-1]
    while pusher.step() == 0.0:
        pass
    assert (pusher.last_error, pusher.open_events()) == ("", 0)
    while drain_inbox(50):
        pass


def compare(platform):
    """Say that the pool holds exactly what the platform does, field by field."""
    rows = platform.store.latest("douyin", 10_000)
    orders = {order.external_no: order for order in Order.objects.prefetch_related("lines").select_related("receiver")}
    assert set(orders) == {row.draft["external_no"] for row in rows}
    for row in rows:
        truth, order = row.draft, orders[row.draft["external_no"]]
        assert order.channel_status.split("/")[0] == str(order_state(truth))
        for name in ("channel_hold", "presale", "total_fen", "discount_fen", "freight_fen", "paid_fen"):
            assert getattr(order, name) == truth[name], name
        assert (order.seller_remark, order.buyer_remark) == (truth["seller_remark"], truth["buyer_remark"])
        assert (order.receiver.province, order.receiver.city) == (
            truth["receiver"]["province"],
            truth["receiver"]["city"],
        )
        assert order.receiver.phone_masked[-4:] == truth["receiver"]["phone"][-4:]
        lines = {line.line_no: line for line in order.lines.all()}
        for place, line in enumerate(truth["lines"]):
            ours = lines[str(int(truth["external_no"]) + place)]
            assert (ours.sku, ours.quantity, ours.refund) == (line["sku"], line["quantity"], line["refund"])


def paid(platform, count):
    found = []
    while len(found) < count:
        for number in platform.live.make(5):
            draft = platform.store.get(number).draft
            if draft["status"] == "paid" and not draft["channel_hold"] and "asked" not in str(draft["lines"]):
                found.append(number)
    return found[:count]


def test_pushes_alone_bring_every_order_and_every_change(platform):
    numbers = paid(platform, 6)
    told(platform)
    compare(platform)
    for number, change in zip(numbers, ("note", "ask_refund", "move", "hold", "ask_refund", "hold"), strict=True):
        platform.live.change(number, change)
    told(platform)
    compare(platform)
    platform.live.change(numbers[4], "withdraw_refund")
    platform.live.change(numbers[5], "release")
    told(platform)
    compare(platform)
    assert Reject.objects.count() == 0


def test_what_the_pushes_missed_the_poll_brings_and_both_never_double(platform, shop):
    first = paid(platform, 10)
    platform.faults.add({"kind": "duplicates", "method": "douyin.push"})
    told(platform)
    pushed = Order.objects.count()
    late = paid(platform, 10)
    platform.faults.add({"kind": "disconnect", "method": "douyin.push", "times": 99})
    told(platform)
    assert Order.objects.count() == pushed
    platform.live.change(first[0], "ask_refund")
    counts = pull_shop(shop.pk, force=True)
    assert (counts["rejected"], counts["changed"]) == (0, 1)
    assert set(late) <= set(Order.objects.values_list("external_no", flat=True))
    compare(platform)
    again = pull_shop(shop.pk, force=True)
    assert again["new"] == again["changed"] == 0


def test_pushes_out_of_order_leave_the_last_version(platform):
    (number,) = paid(platform, 1)
    platform.faults.add({"kind": "out_of_order", "method": "douyin.push", "times": 9})
    platform.live.change(number, "hold")
    platform.live.change(number, "release")
    told(platform)
    compare(platform)


def test_an_order_under_review_is_neither_judged_nor_sent(platform):
    (number,) = paid(platform, 1)
    platform.live.change(number, "hold")
    told(platform)
    order = Order.objects.get(external_no=number)
    assert (order.channel_hold, order.lane, order.status) == ("risk_review", "", "paid")
    platform.live.change(number, "release")
    told(platform)
    assert Order.objects.get(external_no=number).lane != ""


def test_a_token_that_runs_out_is_renewed_and_nothing_is_lost(platform, shop):
    paid(platform, 5)
    platform.faults.add({"kind": "expired_token", "method": "order.searchList"})
    pull_shop(shop.pk, force=True)
    sync = ShopSync.objects.get()
    assert (sync.error_kind, sync.token_state, sync.consecutive_failures) == ("", "valid", 0)
    compare(platform)


def test_a_push_with_a_wrong_signature_leaves_nothing(platform, client):
    answer = client.post(
        "/hooks/dy/", b"[]", content_type="application/json",
        headers={"app-id": SANDBOX.douyin_app_key, "event-sign": "0"},
    )  # fmt: skip
    assert (answer.status_code, InboxItem.objects.count()) == (401, 0)
