"""What is said of parcels, by warehouses and in the pool alike: values only."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Pieces:
    """Pieces of one line, as far as it is named: by line number, by SKU or by both."""

    line_no: str
    sku: str
    quantity: int


@dataclass(slots=True, frozen=True)
class ToldParcel:
    """One parcel: carrier by its common code (SF, YTO, …); no `lines` means that nobody said what is in it."""

    carrier: str
    tracking_no: str
    weight_grams: int | None = None
    lines: Sequence[Pieces] = ()
