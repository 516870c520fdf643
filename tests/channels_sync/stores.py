"""The four platforms that take stock, each as a shop of the sandbox with listings."""

from contextlib import contextmanager

from channels_sync.connectors.wechat import token
from channels_sync.models import Listing, ListingPart
from channels_sync.sandbox import catalogue
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.douyin_view import sku_id as douyin_sku
from channels_sync.sandbox.jd_view import sku_id as jd_sku
from channels_sync.sandbox.server import Options, Sandbox
from orderhub.models import StockLevel
from tests.channels_sync.clock import PlatformClock
from tests.factories import make_shop

PLATFORMS = ("taobao", "jd", "douyin", "wechat")
CREDENTIALS = {
    "taobao": {"app_key": SANDBOX.app_key, "app_secret": SANDBOX.app_secret, "session": SANDBOX.session},
    "jd": {
        "app_key": SANDBOX.jd_app_key, "app_secret": SANDBOX.jd_app_secret, "access_token": SANDBOX.jd_token,
        "refresh_token": SANDBOX.jd_refresh_token,
    },
    "douyin": {
        "app_key": SANDBOX.douyin_app_key, "app_secret": SANDBOX.douyin_secret, "shop_id": SANDBOX.douyin_shop_id,
        "access_token": SANDBOX.douyin_token, "refresh_token": SANDBOX.douyin_refresh_token,
    },
    "wechat": {"app_id": SANDBOX.wechat_app_id, "app_secret": SANDBOX.wechat_secret},
}  # fmt: skip
STOCK_CALL = {
    "taobao": "taobao.skus.quantity.update", "jd": "jingdong.ware.stock.sku.set", "douyin": "sku.syncStock",
    "wechat": "/channels/ec/product/stock/update",
}  # fmt: skip


class Store:
    """One shop of the sandbox and what was told to it."""

    def __init__(self, platform, sandbox, **settings):
        self.platform, self.sandbox = platform, sandbox
        options = {"calls_per_second": 1000, "look_back_hours": 1, "stock_seconds": 0, **settings}
        self.shop = make_shop(platform, platform=platform, settings=options)
        self.shop.credentials = CREDENTIALS[platform]
        self.shop.save()

    def list(self, sku, parts=None, **values):
        """Make the listing that the platform has of an article; without `parts` it is one piece of that SKU."""
        item, number = channel_ids(self.platform, sku)
        listing = Listing.objects.create(
            shop=self.shop, item_id=item, sku_id=number, outer_id=sku, state="matched", **values
        )
        for code, quantity in (parts or {sku: 1}).items():
            ListingPart.objects.create(listing=listing, sku=code, quantity=quantity)
        return listing

    def told(self, sku):
        """Return the quantities that the platform was told of one article, oldest first."""
        rows = self.sandbox.store.writes(self.platform, "stock", self.key(sku))
        return [row["body"].get("quantity", row["body"].get("stock_num")) for row in rows][::-1]

    def key(self, sku):
        """Return the name under which the sandbox notes what it was told of an article."""
        return sku if self.platform in {"jd", "douyin"} else channel_ids(self.platform, sku)[1]

    def calls(self):
        """Return how many stock writes of single items the platform took."""
        return len(self.sandbox.store.writes(self.platform, "stock"))

    def fault(self, kind, **options):
        self.sandbox.faults.add({"kind": kind, "method": STOCK_CALL[self.platform], **options})


def channel_ids(platform, sku):
    article = catalogue.by_sku()[sku]
    if platform == "jd":
        return jd_sku(sku)[:-1], jd_sku(sku)
    if platform == "douyin":
        return str(article.item_id), str(douyin_sku(article))
    return str(article.item_id), str(article.item_id * 10 + 1)


@contextmanager
def sandbox(settings):
    """Run a sandbox that plays all platforms and makes no orders by itself."""
    token._slots.clear()
    with Sandbox(Options(shares=dict.fromkeys(PLATFORMS, 1.0), moves=False), now=PlatformClock()) as running:
        settings.TAOBAO_GATEWAY_URL = f"{running.url}/router/rest"
        settings.JD_GATEWAY_URL = f"{running.url}/jd/routerjson"
        settings.JD_OAUTH_URL = f"{running.url}/jd/oauth2"
        settings.DOUYIN_GATEWAY_URL = f"{running.url}/douyin"
        settings.WECHAT_GATEWAY_URL = f"{running.url}/wechat"
        yield running


def stocked(sku, on_hand, reserved=0, warehouse="WH01"):
    """Set what one warehouse has of a SKU."""
    StockLevel.objects.update_or_create(
        sku=sku, warehouse=warehouse, defaults={"on_hand": on_hand, "reserved": reserved}
    )
