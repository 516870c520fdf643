"""The tables of the order pool."""

from orderhub.models.access import ApiToken, IdempotentRequest, Reveal
from orderhub.models.gate import Gate, GateChange, ParkedLine, ParkedOrder
from orderhub.models.inbox import InboxItem, Reject
from orderhub.models.job import JobHeartbeat, Lease
from orderhub.models.order import Buyer, Order, OrderLine, Receiver
from orderhub.models.outbox import Effect
from orderhub.models.parcel import Parcel, ParcelLine
from orderhub.models.report import WarehouseReport
from orderhub.models.ship_rule import ShipRule
from orderhub.models.shop import AgentGroup, Shop, Warehouse
from orderhub.models.stock import Sku, StockChange, StockLevel
from orderhub.models.timeline import TimelineEntry

__all__ = [
    "AgentGroup",
    "ApiToken",
    "Buyer",
    "Effect",
    "Gate",
    "GateChange",
    "IdempotentRequest",
    "InboxItem",
    "JobHeartbeat",
    "Lease",
    "Order",
    "OrderLine",
    "Parcel",
    "ParcelLine",
    "ParkedLine",
    "ParkedOrder",
    "Receiver",
    "Reject",
    "Reveal",
    "ShipRule",
    "Shop",
    "Sku",
    "StockChange",
    "StockLevel",
    "TimelineEntry",
    "Warehouse",
    "WarehouseReport",
]
