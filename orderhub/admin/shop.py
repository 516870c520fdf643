"""Shops, warehouses and groups of agents."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from orderhub.console import columns
from orderhub.console.credentials import SealedAdmin, adapters, platforms
from orderhub.console.model_admin import ConsoleModelAdmin
from orderhub.models import AgentGroup, Shop, Warehouse


@admin.register(Shop)
class ShopAdmin(SealedAdmin):
    """Shops with their write-only credentials."""

    kinds = platforms
    kind_field = "platform"
    list_display = ("name", "code", "platform_name", "warehouse", "has_credentials", "is_active")
    list_filter = ("is_active", "platform")
    list_select_related = ("warehouse",)
    search_fields = ("name", "code")
    fieldsets = (
        (None, {"fields": ("name", "code", "platform", "warehouse", "is_active")}),
        (_("Timing"), {"fields": ("merge_window_seconds", "ship_hours")}),
        (_("Advanced"), {"fields": ("settings",), "classes": ("collapse",)}),
    )
    empty_text = _("Add the first shop to let orders in.")

    @admin.display(description=_("platform"), ordering="platform")
    def platform_name(self, shop: Shop) -> str:
        """What people call the platform."""
        return self.kind_label(shop)

    @admin.display(description=_("credentials"))
    def has_credentials(self, shop: Shop) -> SafeString:
        """Whether credentials are stored; never which."""
        return columns.yes_no(bool(shop.sealed_credentials), _("stored"), _("none"))


@admin.register(Warehouse)
class WarehouseAdmin(SealedAdmin):
    """Warehouse systems with their write-only credentials."""

    kinds = adapters
    kind_field = "adapter"
    list_display = ("name", "code", "system", "has_credentials", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name", "code")
    fieldsets = (
        (None, {"fields": ("name", "code", "adapter", "is_active")}),
        (_("Settings"), {"fields": ("settings",)}),
    )
    empty_text = _("Add the warehouse system that orders are pushed to.")

    @admin.display(description=_("system"), ordering="adapter")
    def system(self, warehouse: Warehouse) -> str:
        """What people call the system."""
        return self.kind_label(warehouse)

    @admin.display(description=_("credentials"))
    def has_credentials(self, warehouse: Warehouse) -> SafeString:
        """Whether credentials are stored; never which."""
        return columns.yes_no(bool(warehouse.sealed_credentials), _("stored"), _("none"))


@admin.register(AgentGroup)
class AgentGroupAdmin(ConsoleModelAdmin):
    """Groups of agents and the shops they look after; a note, not a limit: everybody who may see orders sees all."""

    list_display = ("name", "agent_count", "shop_count")
    number_columns = ("agent_count", "shop_count")
    search_fields = ("name",)
    autocomplete_fields = ("agents", "shops")
    empty_text = _("Add a group to note which agents look after which shops. All agents see all orders.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Count members and shops in the list's own query."""
        rows: QuerySet[Any] = super().get_queryset(request)
        counts = {"agents_number": Count("agents", distinct=True), "shops_number": Count("shops", distinct=True)}
        counted: QuerySet[Any] = rows.annotate(**counts)
        return counted

    @admin.display(description=_("agents"), ordering="agents_number")
    def agent_count(self, group: Any) -> int:
        """Members of the group."""
        return int(group.agents_number)

    @admin.display(description=_("shops"), ordering="shops_number")
    def shop_count(self, group: Any) -> int:
        """Shops of the group."""
        return int(group.shops_number)
