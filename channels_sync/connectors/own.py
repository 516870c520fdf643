"""A shop of the company's own, such as a mini program: it pushes its orders through `POST /api/v1/intake/`."""

from django.utils.translation import gettext_lazy as _

from channels_sync.connectors.base import Connector, connectors


class OwnConnector(Connector):
    """Nothing to pull: the shop pushes."""

    key = "own"
    label = _("Own shop (pushes through the API)")


connectors.add(OwnConnector.key, OwnConnector())
