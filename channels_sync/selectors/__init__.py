"""Reading what the synchronisation knows."""

from channels_sync.selectors.listings import sellable
from channels_sync.selectors.sync import (
    LATE,
    Health,
    due_shops,
    known_versions,
    pulling_platforms,
    recent_failures,
    sync_health,
)

__all__ = [
    "LATE",
    "Health",
    "due_shops",
    "known_versions",
    "pulling_platforms",
    "recent_failures",
    "sellable",
    "sync_health",
]
