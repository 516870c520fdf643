"""WeChat shops (微信小店, channels-ec): `docs/channels/wechat.md`."""

from channels_sync.connectors.wechat.connector import WechatConnector

__all__ = ["WechatConnector"]
