"""The contract of a warehouse adapter: how one delivery order reaches one warehouse system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

from channels_sync.connectors.base import CredentialField
from orderhub.core.errors import HubError
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
    """One delivery order. `code` is the same at every try: the warehouse knows a repeat by it."""

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
    """The warehouse has the order; `is_repeat` when it says that it had it before."""

    warehouse_order_id: str = ""
    warehouse_code: str = ""
    message: str = ""
    is_repeat: bool = False


class WarehouseAdapter:
    """One kind of warehouse system."""

    key: str
    label: str | Promise
    credential_fields: Sequence[CredentialField] = ()

    def create_order(self, access: WarehouseAccess, order: PushOrder) -> PushAnswer:
        """Hand one delivery order over. Raises HubError, permanent or temporary; a repeat is no error."""
        raise NotImplementedError


warehouses: Registry[WarehouseAdapter] = Registry("warehouse adapter", "channels_sync.warehouses")
