"""The tables of the synchronisation: how each shop does, which channel item is which own SKU, and whether all came."""

from channels_sync.models.completeness import (
    OPEN_JOB,
    Backfill,
    Difference,
    DifferenceKind,
    DifferenceState,
    JobState,
    Reconciliation,
    StockCompared,
    SyncPage,
)
from channels_sync.models.counted import COUNTS
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
    "COUNTS",
    "OPEN_JOB",
    "Backfill",
    "CallAllowance",
    "Difference",
    "DifferenceKind",
    "DifferenceState",
    "ErrorKind",
    "JobState",
    "Listing",
    "ListingPart",
    "ListingState",
    "PlatformReveal",
    "Reconciliation",
    "RunKind",
    "RunState",
    "ShopSync",
    "StockCompared",
    "SyncPage",
    "SyncRun",
    "TokenState",
]
