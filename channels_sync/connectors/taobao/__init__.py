"""Taobao and Tmall through the TOP gateway: `docs/channels/taobao.md`."""

from channels_sync.connectors.taobao.connector import TaobaoConnector

__all__ = ["TaobaoConnector"]
