"""Qimen (奇门), the warehouse protocol of the Chinese market (protocol reference 2; developer metadata of TOP)."""

from channels_sync.warehouses.qimen.adapter import QimenAdapter
from channels_sync.warehouses.qimen.orders import document

__all__ = ["QimenAdapter", "document"]
