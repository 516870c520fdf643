import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from channels_sync.connectors.base import ShopAccess, Window, connectors
from channels_sync.connectors.wechat import pull, token
from channels_sync.readers import read
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from tests.channels_sync.clock import PlatformClock


class Budget:
    """Takes no time and notes what it was told."""

    def __init__(self):
        self.blocked = []

    def take(self, calls):
        return [time.monotonic()] * calls

    def block(self, seconds):
        self.blocked.append(seconds)


class WechatSide:
    """The real connector against the sandbox's WeChat shop."""

    def __init__(self, platform=None, **settings):
        self.platform = platform
        self.settings = settings
        self.budget = Budget()
        self.queues = []
        self.known = {}
        self.connector = connectors.get("wechat")
        self.credentials = {
            "app_id": SANDBOX.wechat_app_id, "app_secret": SANDBOX.wechat_secret,
            "push_token": SANDBOX.wechat_push_token, "push_key": SANDBOX.wechat_push_key,
        }  # fmt: skip

    @property
    def access(self):
        return ShopAccess(
            shop_id=1, code="wx", credentials=self.credentials, settings=self.settings,
            budget=lambda key, _rate: self.queues.append(key) or self.budget,
            known=lambda versions: {n for n, at in versions.items() if n in self.known and self.known[n] >= at},
        )  # fmt: skip

    def window(self, **span):
        now = datetime.now(UTC)
        return Window(now - timedelta(**(span or {"hours": 2})), now - timedelta(seconds=10))

    def pages(self):
        return self.connector.pull(self.access, self.window())

    def orders(self, pages=None):
        """Return all orders of the pages, by number, and check that every page says how many it has."""
        found = {}
        for page in self.pages() if pages is None else pages:
            rows = orjson.loads(page.body)["orders"]
            assert len(rows) == page.rows
            found |= {row["order_id"]: row for row in rows}
        return found

    def drafts(self, pages=None):
        """Return the drafts that the reader makes of the pages, by number."""
        rows = [row for page in (self.pages() if pages is None else pages) for row in read(page.reader, page.body)]
        return {row.external_no: row.draft for row in rows}

    def fault(self, kind, **options):
        self.platform.faults.add({"kind": kind, **options})

    def told(self, kind):
        """Return what the shop was told, latest first."""
        return [write["body"] for write in self.platform.store.writes("wechat", kind)]

    def numbers(self):
        """Return the numbers of all orders that the platform shows by now."""
        now = int(self.platform.now().timestamp())
        rows = self.platform.store.query("SELECT external_no FROM orders WHERE modified <= ?", now)
        return {row["external_no"] for row in rows}


@pytest.fixture(autouse=True)
def nothing_at_hand():
    """What the process keeps for its next pull is not the business of the next test."""
    token._slots.clear()
    pull._handed_out.clear()


@pytest.fixture
def side(settings):
    """A sandbox whose every order goes to the WeChat shop and that makes none by itself."""
    options = Options(shares={"wechat": 1.0}, moves=False, serial=1)
    with Sandbox(options, now=PlatformClock()) as sandbox:
        settings.WECHAT_GATEWAY_URL = f"{sandbox.url}/wechat"
        yield WechatSide(sandbox)
