import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from channels_sync.connectors.base import ShopAccess, Window, connectors
from channels_sync.readers.base import read
from channels_sync.sandbox.credentials import SANDBOX
from channels_sync.sandbox.server import Options, Sandbox
from tests.channels_sync.clock import PlatformClock


class Budget:
    """Takes no time and notes what it was told."""

    def __init__(self):
        self.blocked = []
        self.calls = 0

    def take(self, calls):
        self.calls += calls
        return [time.monotonic()] * calls

    def block(self, seconds):
        self.blocked.append(seconds)


class JdShop:
    """The connector at work on the sandbox's JD shop."""

    def __init__(self, platform, **settings):
        self.platform = platform
        self.connector = connectors.get("jd")
        self.budgets = {}
        self.known = {}
        self.settings = settings
        self.credentials = {
            "app_key": SANDBOX.jd_app_key, "app_secret": SANDBOX.jd_app_secret, "access_token": SANDBOX.jd_token,
            "refresh_token": SANDBOX.jd_refresh_token,
        }  # fmt: skip

    @property
    def access(self):
        return ShopAccess(
            shop_id=1, code="jd", credentials=self.credentials, settings=self.settings,
            budget=lambda key, _rate: self.budgets.setdefault(key, Budget()),
            known=lambda versions: {n for n, at in versions.items() if n in self.known and self.known[n] >= at},
        )  # fmt: skip

    @property
    def budget(self):
        """The queue that pulls stand in."""
        return self.budgets.setdefault(f"jd:{SANDBOX.jd_app_key}", Budget())

    def pages(self, hours=2.0):
        now = datetime.now(UTC)
        window = Window(now - timedelta(hours=hours), now - timedelta(seconds=10))
        return self.connector.pull(self.access, window)

    def reread(self, hours=2.0):
        now = datetime.now(UTC)
        return self.connector.reread(self.access, Window(now - timedelta(hours=hours), now))

    def raw(self, pages):
        """Return all orders of the pages, by number, and check that every page says how many it has."""
        found = {}
        for page in pages:
            rows = orjson.loads(page.body)["orders"]
            assert len(rows) == page.rows
            found |= {row["orderId"]: row for row in rows}
        return found

    def orders(self, **window):
        return self.raw(self.pages(**window))

    def drafts(self, pages=None):
        """Return what the intake would get, by number; no row may be refused."""
        found = {}
        for page in self.pages() if pages is None else pages:
            for row in read(page.reader, page.body, page.content_type):
                assert row.error is None, row.error
                found[row.external_no] = row.draft
        return found

    def order(self, number):
        return self.platform.store.get(number).draft

    def change(self, number, **fields):
        """Change an order on the platform without its time of change moving."""
        found = self.platform.store.get(number)
        found.draft.update(fields)
        self.platform.store.save(found)

    def paid(self, count=1):
        """Make orders until `count` of them are plain paid ones, and return their numbers."""
        found = []
        while len(found) < count:
            found += [n for n in self.platform.live.make(5) if self._is_plain(self.platform.store.get(n))]
        return found[:count]

    @staticmethod
    def _is_plain(order):
        frozen = {"refund", "channel_hold"} & set(order.kinds)
        return order.draft["status"] == "paid" and not frozen and order.draft["receiver"]["country"] == "CN"

    def shown(self):
        """Return the numbers of all orders that the platform shows by now."""
        now = self.platform.now().timestamp()
        query = "SELECT external_no FROM orders WHERE modified <= ? AND status NOT IN ('unpaid', 'presale_deposit')"
        return {row["external_no"] for row in self.platform.store.query(query, int(now))}


@pytest.fixture
def platform(settings):
    """A sandbox whose every order goes to JD and that makes none by itself."""
    options = Options(shares={"jd": 1.0}, moves=False, serial=1)
    with Sandbox(options, now=PlatformClock()) as sandbox:
        settings.JD_GATEWAY_URL = f"{sandbox.url}/jd/routerjson"
        settings.JD_OAUTH_URL = f"{sandbox.url}/jd/oauth2"
        yield sandbox


@pytest.fixture
def shop(platform):
    return JdShop(platform)
