"""App configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TriageConfig(AppConfig):
    """Registers the package with Django."""

    name = "triage"
    verbose_name = _("Triage rules")

    def ready(self) -> None:
        """Offer findings to the API and the desk."""
        from triage import api  # noqa: F401, PLC0415  (models must be loaded first)
