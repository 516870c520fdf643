"""How far each shop is behind its channel, and what it brings of what is expected, among the figures of `/metrics`."""

from collections.abc import Iterable

from channels_sync.selectors import sync_health
from channels_sync.selectors.silence import HELD, NEW, SILENT, flows
from orderhub.selectors.figures import Figure, figure_sources


@figure_sources.register("sync")
def sync_figures() -> Iterable[Figure]:
    """Lag and failures of every active shop that is pulled from."""
    shops = sorted((health for health in sync_health() if health.pulls), key=lambda health: health.shop.code)
    lags = [((h.shop.code,), float(h.lag_seconds)) for h in shops if h.lag_seconds is not None]
    failures = [((h.shop.code,), float(h.sync.consecutive_failures if h.sync else 0)) for h in shops]
    yield Figure("hub_sync_lag_seconds", "Seconds a shop is behind its channel.", ("shop",), lags)
    yield Figure("hub_sync_failures", "Pulls that failed in a row.", ("shop",), failures)


@figure_sources.register("flow")
def flow_figures() -> Iterable[Figure]:
    """Expected and seen orders of every channel of which something can be said, and whether it is silent."""
    judged = [flow for flow in flows() if flow.state not in {HELD, NEW}]
    expected = [((flow.code,), flow.expected * 60 / flow.minutes) for flow in judged]
    seen = [((flow.code,), flow.seen * 60 / flow.minutes) for flow in judged]
    silent = [((flow.code,), float(flow.state == SILENT)) for flow in judged]
    yield Figure("hub_channel_expected_orders", "Orders an hour that a shop should bring now.", ("shop",), expected)
    yield Figure("hub_channel_seen_orders", "Orders an hour that a shop brings now.", ("shop",), seen)
    yield Figure("hub_channel_silent", "1 while a shop brings far fewer orders than it should.", ("shop",), silent)
