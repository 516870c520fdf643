"""Orders of each platform that waited before the gate are the same in the pool as those that came straight in."""

import pytest

from channels_sync.connectors.wechat import pull, token
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from orderhub.models import Gate, Order, ParkedOrder, Reject
from orderhub.pulls import pull_shop
from orderhub.services.gate import set_gate
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop
from tests.flows.test_gate import drain
from triage.services import load_defaults

pytestmark = pytest.mark.django_db(transaction=True)

CREDENTIALS = {
    "taobao": {"app_key": SANDBOX.app_key, "app_secret": SANDBOX.app_secret, "session": SANDBOX.session},
    "jd": {
        "app_key": SANDBOX.jd_app_key, "app_secret": SANDBOX.jd_app_secret, "access_token": SANDBOX.jd_token,
        "refresh_token": SANDBOX.jd_refresh_token,
    },
    "douyin": {
        "app_key": SANDBOX.douyin_app_key, "app_secret": SANDBOX.douyin_secret, "shop_id": SANDBOX.douyin_shop_id,
        "access_token": SANDBOX.douyin_token,
    },
    "wechat": {"app_id": SANDBOX.wechat_app_id, "app_secret": SANDBOX.wechat_secret},
}  # fmt: skip
ADDRESSES = {
    "TAOBAO_GATEWAY_URL": "/router/rest", "JD_GATEWAY_URL": "/jd/routerjson", "JD_OAUTH_URL": "/jd/oauth2",
    "DOUYIN_GATEWAY_URL": "/douyin", "WECHAT_GATEWAY_URL": "/wechat",
}  # fmt: skip
SAME = (
    "external_no", "status", "channel_status", "content_hash", "ship_by", "paid_at", "modified_at", "total_fen",
    "paid_fen", "refund", "channel_hold", "presale", "seller_remark", "extra", "receiver__phone_masked",
)  # fmt: skip


def shop_of(platform, code):
    settings = {"calls_per_second": 1000, "look_back_hours": 1}
    shop = make_shop(code, platform=platform, settings=settings)
    shop.credentials = CREDENTIALS[platform]
    shop.save()
    return shop


def in_pool(shop):
    orders = Order.objects.filter(shop=shop).order_by("external_no")
    lines = orders.values_list("external_no", "lines__line_no", "lines__sku", "lines__quantity", "lines__paid_fen")
    return list(orders.values_list(*SAME)), sorted(lines)


@pytest.mark.parametrize("platform", CREDENTIALS)
def test_what_waited_enters_as_what_did_not(platform, settings, transactional_db):
    load_defaults()
    token._slots.clear()
    pull._handed_out.clear()
    straight, waiting = shop_of(platform, "straight"), shop_of(platform, "waiting")
    with Sandbox(Options(shares={platform: 1}, moves=False, serial=1), now=PlatformClock()) as sandbox:
        for name, path in ADDRESSES.items():
            setattr(settings, name, f"{sandbox.url}{path}")
        for number in sandbox.live.make(60)[:10]:
            sandbox.live.change(number, "ask_refund")
        told = pull_shop(straight.pk, force=True)
        set_gate(shop_id=waiting.pk, state="paused", reason="stock count", actor="boss")
        held = pull_shop(waiting.pk, force=True)
    assert (told["rejected"], held["rejected"]) == (0, 0)
    assert 0 < told["new"] == held["held"] == ParkedOrder.objects.count()
    set_gate(shop_id=waiting.pk, state="open", reason="counted", actor="boss")
    drain()
    assert in_pool(waiting) == in_pool(straight)
    assert (Reject.objects.count(), Gate.objects.filter(state="paused").count()) == (0, 0)
