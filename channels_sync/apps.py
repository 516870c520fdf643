"""App configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChannelsSyncConfig(AppConfig):
    """Registers the package with Django."""

    name = "channels_sync"
    verbose_name = _("Channels")
