"""The clock of emulated platforms under test: it stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

BEHIND = timedelta(seconds=30)
"""How far it is behind: what a platform makes now is already older than the end of the hub's window, 10 s ago."""


class PlatformClock:
    """A standing clock. While it ran, an order could become visible between a pull and the look at what is true."""

    def __init__(self):
        self.now = datetime.now(UTC).replace(microsecond=0) - BEHIND

    def __call__(self):
        return self.now

    def forward(self, seconds=1):
        """Let time pass, less than BEHIND in all."""
        self.now += timedelta(seconds=seconds)
