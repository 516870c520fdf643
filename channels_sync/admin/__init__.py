"""The channels in the ops console."""

from channels_sync.admin import (
    board,
    by_hand,
    card,
    channel,
    channel_actions,
    completeness,
    differences,
    listing_panel,
    listings,
    memo,
    reports,
    reveals,
    runs,
    systems,
)

__all__ = [
    "board",
    "by_hand",
    "card",
    "channel",
    "channel_actions",
    "completeness",
    "differences",
    "listing_panel",
    "listings",
    "memo",
    "reports",
    "reveals",
    "runs",
    "systems",
]
