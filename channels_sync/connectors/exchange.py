"""What a connector can do besides pulling: take pushes, fetch single orders, write back. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orderhub.core.errors import HubError

WRITE_SECONDS = 60.0
"""`Connector.write_stock` begins no further call after this long: who called holds the shop for a limited time."""


class PushRefusedError(HubError):
    """A push whose signature, time or shape is not the platform's; nothing of it is stored."""

    def __init__(self, message: str, status: int = 401) -> None:
        super().__init__(message)
        self.status = status


class NotOpenedError(HubError):
    """The platform says why it opens nothing; nothing was counted."""


class QuotaReachedError(NotOpenedError):
    """The platform opens no more contacts today."""


class NotOfferedError(HubError):
    """The platform has no such call."""


@dataclass(slots=True, frozen=True)
class PushRequest:
    """One HTTP request of a platform. Header names are lower case; `body` is what was received, to the byte."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True, frozen=True)
class PushAnswer:
    """What the platform wants to hear."""

    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200


@dataclass(slots=True, frozen=True)
class Pushed:
    """One event of a push: whole orders for `reader`, or only `numbers` of orders that must be fetched.

    The same event always has the same `delivery_key`.
    """

    delivery_key: str
    body: bytes
    reader: str = ""
    numbers: Sequence[str] = ()
    content_type: str = "application/json"


@dataclass(slots=True, frozen=True)
class StockWrite:
    """The quantity that one channel item shall show, absolute; `key` is the same when the same write is repeated."""

    item_id: str
    sku_id: str
    outer_id: str
    quantity: int
    key: str


@dataclass(slots=True, frozen=True)
class ShippedLine:
    """A line of a shipment: the channel's line number and the pieces in this parcel."""

    line_no: str
    quantity: int


@dataclass(slots=True, frozen=True)
class Shipment:
    """One parcel handed over: carrier by its common code (SF, YTO, …); no `lines` means the whole order.

    `earlier` are the order's other parcels so far, as (carrier, tracking number): some platforms take them together.
    """

    external_no: str
    carrier: str
    tracking_no: str
    lines: Sequence[ShippedLine] = ()
    shipped_at: datetime | None = None
    is_final: bool = True
    earlier: Sequence[tuple[str, str]] = ()


@dataclass(slots=True, frozen=True)
class Memo:
    """The seller's remark and flag (a word of `orderhub.core.words.Flag`) of one order."""

    external_no: str
    remark: str
    flag: str


@dataclass(slots=True, frozen=True)
class MemoRules:
    """What a platform takes as the seller's remark and flag."""

    characters: int | None = None
    """Length of a remark; None where only the bytes count or nothing is known."""
    octets: int | None = None
    """Length of a remark in bytes of UTF-8."""
    flags: Sequence[str] = ()
    """Colours beside none (words of `orderhub.core.words.Flag`); empty where the platform has no flag."""
    flag_needs_remark: bool = False

    def shown(self, remark: str, flag: str) -> tuple[str, str]:
        """Return remark and flag as the platform will show them: no colour beside a remark is its grey."""
        if not self.flags or (self.flag_needs_remark and not remark):
            return remark, "none"
        return remark, flag if flag in self.flags else "grey" if remark else "none"


@dataclass(slots=True, frozen=True)
class WriteResult:
    """What became of one write; `error` is empty when it worked."""

    key: str
    error: HubError | None = None


@dataclass(slots=True, frozen=True)
class Sealed:
    """One contact value of an order as the platform's cipher text; `part` is name, phone or detail.

    A connector leaves them in the draft as `raw["sealed"]`, by part. Where a platform opens by order number, `cipher`
    says what has to be asked; values with the same one are opened, and counted, together.
    """

    external_no: str
    part: str
    cipher: str = field(repr=False)


@dataclass(slots=True, frozen=True)
class Opened:
    """What the platform made of a Sealed value: its text and what kind of contact that is (a word of `ContactKind`).

    A virtual number stops working at `expires_at`; `error` says why there is no text.
    """

    sealed: Sealed
    text: str = field(default="", repr=False)
    kind: str = ""
    expires_at: datetime | None = None
    error: HubError | None = None
