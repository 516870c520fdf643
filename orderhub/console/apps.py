"""The ops console as Django's admin site."""

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Makes the console the default admin site, so that `@admin.register` fills it."""

    default_site = "orderhub.console.site.ConsoleSite"
