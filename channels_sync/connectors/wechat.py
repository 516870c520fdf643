"""The company's own WeChat mini-program shop: it pushes its orders through `POST /api/v1/intake/`."""

from django.utils.translation import gettext_lazy as _

from channels_sync.connectors.base import Connector, connectors


class WechatConnector(Connector):
    """Nothing to pull: the shop pushes."""

    key = "wechat"
    label = _("WeChat mini program")


connectors.add(WechatConnector.key, WechatConnector())
