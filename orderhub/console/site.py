"""The console's site: its names, its extra addresses and its first page."""

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from orderhub.console.dashboard import cards_for
from orderhub.console.pages import console_pages


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]
    """Supervisors' site; people with less see the pages their role allows."""

    site_title = _("Order hub")
    site_header = _("Order hub")
    index_title = _("Overview")
    index_template = "console/dashboard.html"
    enable_nav_sidebar = True

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of features; drop the theme's search of models, whose text would stand in addresses."""
        own = [path(page.route, self.admin_view(page.view), name=page.name) for page in console_pages.values()]
        return [*own, *(url for url in super().get_urls() if getattr(url, "name", None) != "search")]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show the dashboard."""
        context = {
            **self.each_context(request),
            "title": self.index_title,
            "subtitle": None,
            "index": True,
            "is_fullwidth": "1",
            "now": timezone.now(),
            "cards": cards_for(request),
            **(extra_context or {}),
        }
        request.current_app = self.name
        return TemplateResponse(request, self.index_template, context)
