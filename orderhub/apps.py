"""App configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrderHubConfig(AppConfig):
    """Registers the package with Django."""

    name = "orderhub"
    verbose_name = _("Order pool")
