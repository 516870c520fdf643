"""The contract of a warehouse adapter: how a delivery order reaches a warehouse system, and what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

from channels_sync.connectors.base import CredentialField
from channels_sync.connectors.exchange import NotOfferedError, PushRequest
from channels_sync.connectors.exchange import PushAnswer as ReportAnswer
from orderhub.core.errors import HubError
from orderhub.core.parcels import Pieces, ToldParcel
from orderhub.core.registry import Registry


@dataclass(slots=True, frozen=True)
class PushLine:
    """One line to pick; amounts in fen."""

    line_no: str
    sku: str
    title: str
    quantity: int
    unit_price_fen: int
    paid_fen: int


@dataclass(slots=True, frozen=True)
class PushReceiver:
    """Who receives, in clear or masked with the platform's token; kept in memory only."""

    name: str = field(repr=False)
    phone: str = field(repr=False)
    province: str
    city: str
    district: str
    town: str
    detail: str = field(repr=False)
    postcode: str
    country: str
    is_masked: bool
    oaid: str = field(repr=False)


@dataclass(slots=True, frozen=True)
class PushOrder:
    """One delivery order. `code` is the same at every try: the warehouse knows a repeat by it. After the warehouse gave
    the order back it is another one."""

    code: str
    platform: str
    shop_name: str
    external_no: str
    created_at: datetime
    paid_at: datetime | None
    ship_by: datetime | None
    is_urgent: bool
    is_presale: bool
    buyer_nickname: str
    buyer_remark: str
    seller_remark: str
    total_fen: int
    discount_fen: int
    freight_fen: int
    paid_fen: int
    receiver: PushReceiver
    lines: Sequence[PushLine]


@dataclass(slots=True, frozen=True)
class WarehouseAccess:
    """What an adapter may know of a warehouse."""

    code: str
    credentials: Mapping[str, Any]
    settings: Mapping[str, Any]

    def setting(self, name: str) -> str:
        """Return a setting, or a credential of that name. Raises HubError when neither is there."""
        value = self.settings.get(name) or self.credentials.get(name)
        if not isinstance(value, str) or not value:
            raise HubError(f"warehouse {self.code}: {name} is not set")
        return value


@dataclass(slots=True, frozen=True)
class PushAnswer:
    """The warehouse has the order; `is_repeat` when it says that it had it before, `sent_to` our code of it."""

    warehouse_order_id: str = ""
    warehouse_code: str = ""
    message: str = ""
    is_repeat: bool = False
    sent_to: str = ""


@dataclass(slots=True, frozen=True)
class Reported:
    """One thing that a warehouse told, to be stored before it is read. The same thing has the same `delivery_key`."""

    delivery_key: str
    method: str
    order_code: str
    body: bytes = field(repr=False)


@dataclass(slots=True, frozen=True)
class Step:
    """A step of the work on a delivery order: the warehouse's own word and, where it has one, the word of the one
    status; a `problem` is told in the timeline although it moves no status."""

    node: str
    status: str = ""
    at: datetime | None = None
    info: str = ""
    tracking_no: str = ""
    is_problem: bool = False


@dataclass(slots=True, frozen=True)
class Confirmed:
    """A hand-over to the carrier, the last one if `is_final`; `lines` are the pieces that left in all its parcels."""

    at: datetime | None
    is_final: bool
    parcels: Sequence[ToldParcel] = ()
    lines: Sequence[Pieces] = ()


@dataclass(slots=True, frozen=True)
class StockChanged:
    """Sellable pieces that came (+) or went (-). With `for_order` they went with a delivery order, of the hub perhaps:
    those are taken off by its confirmation."""

    sku: str
    delta: int
    reason: str
    for_order: bool = False


Report = Step | Confirmed | StockChanged | None
"""What one report says; None when there is nothing in it for the hub."""


class WarehouseRefusedError(HubError):
    """The warehouse has looked at the delivery order and does not take it: it has none of that code."""


class WarehouseAdapter:
    """One kind of warehouse system."""

    key: str
    label: str | Promise
    credential_fields: Sequence[CredentialField] = ()
    reports: bool = False

    def create_order(self, access: WarehouseAccess, order: PushOrder) -> PushAnswer:
        """Hand one delivery order over. Raises WarehouseRefusedError when the warehouse does not take
        it, HubError, permanent or temporary, when it cannot be asked; a repeat is no error."""
        raise NotImplementedError

    def accept_report(self, access: WarehouseAccess, request: PushRequest) -> Sequence[Reported]:
        """Verify one callback over its raw bytes and return what it tells; no network, no database.

        Raises PushRefusedError for a wrong signature or a body that is not the warehouse's.
        """
        raise NotOfferedError(f"{self.key} tells nothing")

    def read_report(self, method: str, body: bytes) -> Report:
        """Return what a stored report says. Raises HubError when it cannot be read."""
        raise NotOfferedError(f"{self.key} tells nothing")

    def answer_report(self, error: HubError | None = None) -> ReportAnswer:
        """Return what the warehouse wants to hear: that its report is stored, or why not."""
        raise NotOfferedError(f"{self.key} tells nothing")


warehouses: Registry[WarehouseAdapter] = Registry("warehouse adapter", "channels_sync.warehouses")
