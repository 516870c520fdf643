"""What holds for every test: the same orders of the sandbox, property tests without a clock and in CI with the same
examples, no language inherited."""

import os

import pytest
from django.utils import translation
from hypothesis import settings

settings.register_profile("hub", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "hub")


@pytest.fixture(autouse=True)
def _own_language():
    """A request leaves its language behind in the thread; the next test must not see it."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def _same_orders(monkeypatch):
    """A sandbox numbers its orders by the clock, and what an order is like depends on its number."""
    monkeypatch.setattr("channels_sync.sandbox.live.first_serial", lambda now: 1)


@pytest.fixture(autouse=True)
def _flat_day(monkeypatch):
    """Nor may the hour of the test decide how a backlog is spread, and with that who buys again."""
    monkeypatch.setattr("channels_sync.sandbox.curve.HOURS", (1.0,) * 24)
    monkeypatch.setattr("channels_sync.sandbox.curve.RUSH_HOURS", frozenset())
