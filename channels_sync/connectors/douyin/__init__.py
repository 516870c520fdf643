"""Douyin shops (抖店) through their open platform: `docs/channels/douyin.md`."""

from channels_sync.connectors.douyin.connector import DouyinConnector

__all__ = ["DouyinConnector"]
