"""The connector of Taobao and Tmall shops."""

from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from channels_sync.connectors.base import Connector, CredentialField, RawPage, ShopAccess, Window, connectors, mark_last
from channels_sync.connectors.taobao.client import TopClient
from channels_sync.connectors.taobao.pull import Options, Pull


class TaobaoConnector(Connector):
    """Pulls orders by modification time; receivers come masked, with an OAID token."""

    key = "taobao"
    label = _("Taobao / Tmall")
    pulls = True
    credential_fields = (
        CredentialField("app_key", _("App key")),
        CredentialField("app_secret", _("App secret"), is_secret=True),
        CredentialField("session", _("Session (access token)"), is_secret=True),
    )

    def pull(self, access: ShopAccess, window: Window) -> Iterator[RawPage]:
        """Yield the orders modified in `window`, oldest pages first."""
        client = TopClient(
            settings.TAOBAO_GATEWAY_URL,
            access.credential("app_key"),
            access.credential("app_secret"),
            access.credential("session"),
            sign_method=str(access.settings.get("sign_method", "md5")),
        )
        return mark_last(Pull(client, access, window, Options.of(access.settings)).pages())


connectors.add(TaobaoConnector.key, TaobaoConnector())
