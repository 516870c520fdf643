"""App configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChannelsSyncConfig(AppConfig):
    """Registers the package with Django."""

    name = "channels_sync"
    verbose_name = _("Channels")

    def ready(self) -> None:
        """Register what carries effects out, and the figures of the synchronisation."""
        from channels_sync import api  # noqa: F401, PLC0415  (models must be loaded first)
        from channels_sync.selectors.facts import hidden_facts  # noqa: PLC0415  (models first)
        from channels_sync.services import memo, push, shipping, stock  # noqa: F401, PLC0415  (models first)
        from channels_sync.services.reveals import open_at_platform, opening_quota  # noqa: PLC0415  (models first)
        from orderhub.core import hooks  # noqa: PLC0415  (beside what fills them)

        hooks.hidden_facts.fill(hidden_facts)
        hooks.open_at_platform.fill(open_at_platform)
        hooks.opening_quota.fill(opening_quota)
