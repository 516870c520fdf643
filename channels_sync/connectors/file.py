"""Shops whose orders come in files: `manage.py import_orders`, see `docs/channels/file.md`."""

from django.utils.translation import gettext_lazy as _

from channels_sync.connectors.base import Connector, connectors


class FileConnector(Connector):
    """Nothing to pull: a person or a job hands the file over."""

    key = "file"
    label = _("File")


connectors.add(FileConnector.key, FileConnector())
