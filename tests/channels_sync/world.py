"""A hub with one shop on each of the four platforms, all played by one sandbox whose clock stands still."""

from contextlib import contextmanager
from datetime import datetime

from channels_sync.connectors.wechat import token
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from orderhub.models import Order
from orderhub.pulls import pull_shop
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop

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
PLATFORMS = tuple(CREDENTIALS)
WAITING = {"unpaid", "presale_deposit"}


class World:
    """Shops by platform, and the sandbox behind them."""

    def __init__(self, sandbox, platforms):
        self.sandbox = sandbox
        self.shops = {}
        for key in platforms:
            shop = make_shop(key, platform=key, settings={"calls_per_second": 1000, "look_back_hours": 1})
            shop.credentials = CREDENTIALS[key]
            shop.save()
            self.shops[key] = shop

    def pull(self):
        for shop in self.shops.values():
            pull_shop(shop.pk, force=True)

    def drafts(self, platform):
        """Return the orders that the platform lists now, by number."""
        now = self.sandbox.now()
        every = (row.draft for row in self.sandbox.store.latest(platform, 10_000))
        rows = [draft for draft in every if datetime.fromisoformat(draft["modified_at"]) <= now]
        hidden = WAITING if platform == "jd" else set()
        return {draft["external_no"]: draft for draft in rows if draft["status"] not in hidden}

    def plain(self, platform, count):
        """Return numbers of paid orders that nothing else is the matter with, in the pool's order.

        Taobao has no word for "no flag": beside a seller's remark it is read as grey.
        """
        found = [
            number
            for number, draft in sorted(self.drafts(platform).items())
            if draft["status"] == "paid" and not draft["channel_hold"] and draft["presale"] == "none"
            and not draft["seller_remark"]
            and all(line["refund"] == "none" for line in draft["lines"]) and Order.objects.filter(external_no=number)
        ]  # fmt: skip
        assert len(found) >= count
        return found[:count]


@contextmanager
def hub_and_platforms(settings, *platforms):
    """Start the sandbox with these platforms and make their shops."""
    chosen = platforms or PLATFORMS
    token._slots.clear()
    options = Options(shares=dict.fromkeys(chosen, 1.0), moves=False, serial=1)
    with Sandbox(options, now=PlatformClock()) as sandbox:
        settings.TAOBAO_GATEWAY_URL = f"{sandbox.url}/router/rest"
        settings.JD_GATEWAY_URL = f"{sandbox.url}/jd/routerjson"
        settings.JD_OAUTH_URL = f"{sandbox.url}/jd/oauth2"
        settings.DOUYIN_GATEWAY_URL = f"{sandbox.url}/douyin"
        settings.WECHAT_GATEWAY_URL = f"{sandbox.url}/wechat"
        yield World(sandbox, chosen)
