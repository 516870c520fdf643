"""Reading what the synchronisation knows."""

from channels_sync.selectors.listings import sellable
from channels_sync.selectors.sync import (
    Health,
    due_shops,
    has_rested,
    is_late,
    known_versions,
    pulling_platforms,
    recent_failures,
    refused_versions,
    retries,
    sync_health,
)

__all__ = [
    "Health",
    "due_shops",
    "has_rested",
    "is_late",
    "known_versions",
    "pulling_platforms",
    "recent_failures",
    "refused_versions",
    "retries",
    "sellable",
    "sync_health",
]
