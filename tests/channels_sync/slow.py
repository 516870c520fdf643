"""A platform that takes its time, by a clock of its own."""

from types import SimpleNamespace

import orjson

from channels_sync.connectors.base import Connector, RawPage, connectors
from tests.drafts import draft


class Slow(Connector):
    """A platform that needs `seconds` for each call, shows none of `hidden` just now, and with `is_empty` no order at
    all; it refuses everything with `refusal`."""

    key, label, pulls, rereads, fetches, seconds = "slow", "Slow", True, True, True, 0.0

    def __init__(self):
        self.clock, self.asked, self.hidden, self.is_empty, self.refusal = 0.0, [], set(), False, None

    def reread(self, access, window):
        return iter(())

    def fetch(self, access, numbers):
        self.asked.append(list(numbers))
        if self.refusal:
            raise self.refusal
        self.clock += self.seconds
        rows = [] if self.is_empty else [draft(number) for number in numbers if number not in self.hidden]
        later = sorted(self.hidden.intersection(numbers))
        body = orjson.dumps(rows)
        yield RawPage(f"page {len(self.asked)}", body, "application/json", "draft", len(rows), later=later)


def slow_platform(monkeypatch, module):
    """Return the platform `slow`, by whose clock `module` goes."""
    platform = Slow()
    monkeypatch.setitem(connectors._items, "slow", platform)
    monkeypatch.setattr(f"{module}.time", SimpleNamespace(monotonic=lambda: platform.clock))
    return platform
