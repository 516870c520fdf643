"""Articles and their stock."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin import AllValuesFieldListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orderhub.console import columns
from orderhub.console.change_list import SavedView
from orderhub.console.fields import YuanField
from orderhub.console.fresh import FreshForm
from orderhub.console.model_admin import ConsoleModelAdmin, ReadOnlyModelAdmin
from orderhub.console.origins import warehouse_names
from orderhub.console.paging import Keyset
from orderhub.models import Sku, StockLevel, Warehouse


class WarehouseFilter(AllValuesFieldListFilter):
    """By warehouse, each by its name."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Offer every warehouse that has stock."""
        names = warehouse_names()
        for choice in super().choices(changelist):
            yield {**choice, "display": names.get(str(choice["display"]), choice["display"])}


@admin.register(StockLevel)
class StockLevelAdmin(ReadOnlyModelAdmin):
    """What is on hand, promised and available; counts come from warehouses and files."""

    keyset = Keyset(("sku", "warehouse"), descending=False)
    views = (
        SavedView("all", gettext_lazy("All")),
        SavedView(
            "oversold", gettext_lazy("Oversold"), lambda rows: rows.filter(reserved__gt=F("on_hand")),
            empty=gettext_lazy("No level is below what is promised."),
        ),
        SavedView(
            "out", gettext_lazy("Sold out"), lambda rows: rows.filter(reserved__gte=F("on_hand")),
            empty=gettext_lazy("Every level has pieces left."),
        ),
    )  # fmt: skip
    list_display = ("sku", "house", "on_hand", "reserved", "left", "mark", "updated_at")
    list_filter = (("warehouse", WarehouseFilter),)
    search_fields = ("sku__startswith",)
    search_help_text = gettext_lazy("SKU")
    number_columns = ("on_hand", "reserved", "left")
    fields = ("sku", "house", "on_hand", "reserved", "left", "mark", "updated_at")
    readonly_fields = ("house", "left", "mark")
    empty_text = gettext_lazy("Import counts with manage.py import_stock FILE.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Bring the names of the warehouses along."""
        named = Warehouse.objects.filter(code=OuterRef("warehouse")).values("name")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(house_name=Subquery(named))
        return rows

    @admin.display(description=gettext_lazy("warehouse"))
    def house(self, level: Any) -> str:
        """The warehouse by name; one that is not set up by its code."""
        return str(level.house_name or level.warehouse)

    @admin.display(description=gettext_lazy("available"))
    def left(self, level: StockLevel) -> SafeString:
        """Pieces that can still be promised."""
        return columns.number(level.available)

    @admin.display(description=gettext_lazy("state"))
    def mark(self, level: StockLevel) -> SafeString:
        """Oversold and sold out stand out; the rest is normal."""
        if level.reserved > level.on_hand:
            return columns.pill(_("▲ oversold by %(count)s") % {"count": level.reserved - level.on_hand}, "red")
        return columns.pill(_("sold out"), "amber") if not level.available else columns.NOTHING


@admin.register(Sku)
class SkuAdmin(ConsoleModelAdmin):
    """Articles with the prices that price rules fall back to."""

    keyset = Keyset(("code",), descending=False)
    list_display = ("code", "title", "list_price", "floor_price")
    search_fields = ("code__startswith", "title__icontains")
    search_help_text = gettext_lazy("SKU or title")
    number_columns = ("list_price", "floor_price")
    text_columns = ("title",)
    form = FreshForm
    fields = ("code", "title", "list_price_fen", "floor_price_fen")
    empty_text = gettext_lazy("Articles appear with the first stock import.")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Fix the code once the article exists."""
        return ("code",) if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let people type prices in yuan."""
        if db_field.name in {"list_price_fen", "floor_price_fen"}:
            label = _("List price (yuan)") if db_field.name == "list_price_fen" else _("Floor price (yuan)")
            return YuanField(label=label, required=False)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    @admin.display(description=gettext_lazy("list price"), ordering="list_price_fen")
    def list_price(self, sku: Sku) -> SafeString:
        """The list price."""
        return columns.money(sku.list_price_fen)

    @admin.display(description=gettext_lazy("floor price"), ordering="floor_price_fen")
    def floor_price(self, sku: Sku) -> SafeString:
        """The floor price."""
        return columns.money(sku.floor_price_fen)
