"""Channels: connectors, warehouses, synchronisation."""
