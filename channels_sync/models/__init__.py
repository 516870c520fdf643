"""The tables of the synchronisation: how each shop does, and which channel item is which own SKU."""

from channels_sync.models.listing import Listing, ListingPart, ListingState
from channels_sync.models.sync import (
    CallAllowance,
    ErrorKind,
    PlatformReveal,
    RunKind,
    RunState,
    ShopSync,
    SyncRun,
    TokenState,
)

__all__ = [
    "CallAllowance",
    "ErrorKind",
    "Listing",
    "ListingPart",
    "ListingState",
    "PlatformReveal",
    "RunKind",
    "RunState",
    "ShopSync",
    "SyncRun",
    "TokenState",
]
