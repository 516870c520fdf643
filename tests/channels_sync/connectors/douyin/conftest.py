import time
from datetime import UTC, datetime, timedelta

import pytest

from channels_sync.connectors.base import ShopAccess, Window, connectors
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


class DouyinShop:
    """One shop of the sandbox, with the connector that serves it."""

    def __init__(self, platform, settings=None):
        self.platform = platform
        self.connector = connectors.get("douyin")
        self.budget = Budget()
        self.known = {}
        self.short = []
        self.settings = settings or {}
        self.credentials = {
            "app_key": SANDBOX.douyin_app_key, "app_secret": SANDBOX.douyin_secret, "shop_id": SANDBOX.douyin_shop_id,
            "access_token": SANDBOX.douyin_token, "refresh_token": SANDBOX.douyin_refresh_token,
        }  # fmt: skip

    @property
    def access(self):
        return ShopAccess(
            shop_id=1, code="dy", credentials=self.credentials, settings=self.settings,
            budget=lambda _key, _rate: self.budget,
            known=lambda versions: {n for n, at in versions.items() if self.known.get(n, at) > at},
            short=lambda counted, seen: self.short.append((counted, seen)),
        )  # fmt: skip

    def window(self, hours=2):
        now = datetime.now(UTC)
        return Window(now - timedelta(hours=hours), now - timedelta(seconds=10))

    def pages(self):
        return self.connector.pull(self.access, self.window())

    def make(self, status="paid", *, lines=1):
        """Make one order that is what a test needs and return its number."""
        while True:
            (number,) = self.platform.live.make(1)
            draft = self.platform.store.get(number).draft
            plain = not draft["channel_hold"] and all(line["refund"] == "none" for line in draft["lines"])
            if plain and draft["status"] == status and draft["presale"] == "none" and len(draft["lines"]) >= lines:
                return number

    def draft(self, number):
        """Return an order as the platform knows it."""
        return self.platform.store.get(number).draft

    def writes(self, kind, key=""):
        return [write["body"] for write in self.platform.store.writes("douyin", kind, key)]

    def fault(self, kind, method, **options):
        self.platform.faults.add({"kind": kind, "method": method, **options})

    def fired(self):
        return sum(fault["fired"] for fault in self.platform.faults.listing())


@pytest.fixture
def platform(settings):
    """A sandbox whose every order goes to Douyin and that makes none by itself."""
    options = Options(shares={"douyin": 1}, moves=False, serial=1)
    with Sandbox(options, now=PlatformClock()) as sandbox:
        settings.DOUYIN_GATEWAY_URL = f"{sandbox.url}/douyin"
        yield sandbox


@pytest.fixture
def shop(platform):
    return DouyinShop(platform)
