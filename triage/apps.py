"""App configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TriageConfig(AppConfig):
    """Registers the package with Django."""

    name = "triage"
    verbose_name = _("Triage rules")
