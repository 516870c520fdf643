"""How far each shop is behind its channel, among the figures of `/metrics`."""

from collections.abc import Iterable

from channels_sync.selectors import sync_health
from orderhub.selectors.figures import Figure, figure_sources


@figure_sources.register("sync")
def sync_figures() -> Iterable[Figure]:
    """Lag and failures of every active shop that is pulled from."""
    shops = sorted((health for health in sync_health() if health.pulls), key=lambda health: health.shop.code)
    lags = [((h.shop.code,), float(h.lag_seconds)) for h in shops if h.lag_seconds is not None]
    failures = [((h.shop.code,), float(h.sync.consecutive_failures if h.sync else 0)) for h in shops]
    yield Figure("hub_sync_lag_seconds", "Seconds a shop is behind its channel.", ("shop",), lags)
    yield Figure("hub_sync_failures", "Pulls that failed in a row.", ("shop",), failures)
