"""Contacts that platforms opened: who asked when for which order, and what it counted."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from channels_sync.models import PlatformReveal
from orderhub.console import columns
from orderhub.console.filters import ShopFilter, TimeFilter
from orderhub.console.model_admin import ReadOnlyModelAdmin
from orderhub.console.paging import Keyset


@admin.register(PlatformReveal)
class PlatformRevealAdmin(ReadOnlyModelAdmin):
    """Every question to a platform for texts that it keeps back; the reason stands in the log of reveals."""

    keyset = Keyset(("id",))
    list_display = ("at", "shop", "user", "order_no", "texts", "opened", "why")
    list_select_related = ("shop", "user", "order")
    list_filter = (ShopFilter, ("at", TimeFilter))
    list_display_links = None
    number_columns = ("texts", "opened")
    fields = ("at", "shop", "user", "order_no", "texts", "opened", "error")
    readonly_fields = ("order_no",)
    empty_text = gettext_lazy("No platform was asked for a contact yet.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read only what the list shows of order, shop and person."""
        names = ("at", "texts", "opened", "error", "shop__name", "user__username", "order__external_no")
        return super().get_queryset(request).only(*names)

    @admin.display(description=gettext_lazy("order"))
    def order_no(self, asked: PlatformReveal) -> SafeString:
        """The order, as a link."""
        return columns.order_link(asked.order_id, asked.order.external_no)

    @admin.display(description=gettext_lazy("error"))
    def why(self, asked: PlatformReveal) -> SafeString:
        """What was not opened, and why."""
        return columns.truncated(asked.error)
