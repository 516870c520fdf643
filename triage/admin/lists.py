"""Listed buyers, shared networks, campaign prices, shipping stops and baselines."""

from typing import Any

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orderhub.console import columns
from orderhub.console.actions import actor_of
from orderhub.console.change_list import SavedView, by_time
from orderhub.console.fields import YuanField
from orderhub.console.filters import ShopFilter
from orderhub.console.fresh import FreshForm
from orderhub.console.model_admin import ConsoleModelAdmin, ReadOnlyModelAdmin
from orderhub.console.paging import Keyset
from orderhub.core.carriers import carrier_name
from triage.models import BuyerListing, CampaignPrice, IpListing, ShippingStop, SkuBaseline
from triage.predicates.price import MIN_SAMPLE


def _in_force(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=Now()))


@admin.register(BuyerListing)
class BuyerListingAdmin(ConsoleModelAdmin):
    """Trusted and denied buyers, each entry with its date."""

    keyset = Keyset(("created_at", "id"))
    views = (
        SavedView("all", gettext_lazy("All")),
        SavedView("force", gettext_lazy("In force"), _in_force),
    )
    list_display = ("buyer", "shop", "kind_mark", "note", "expires_at", "created_at")
    list_filter = (ShopFilter, "kind")
    list_select_related = ("shop",)
    search_fields = ("buyer__startswith",)
    search_help_text = gettext_lazy("Buyer id")
    text_columns = ("note",)
    form = FreshForm
    fields = ("shop", "buyer", "kind", "expires_at", "note")
    empty_text = gettext_lazy("Nobody is listed.")

    @admin.display(description=gettext_lazy("list"))
    def kind_mark(self, row: BuyerListing) -> SafeString:
        """Allow or deny."""
        return columns.pill(row.get_kind_display(), "red" if row.kind == BuyerListing.Kind.DENY else "green")


@admin.register(IpListing)
class IpListingAdmin(ConsoleModelAdmin):
    """Networks behind which many people sit."""

    views = (
        SavedView("all", gettext_lazy("All")),
        SavedView("force", gettext_lazy("In force"), _in_force),
    )
    list_display = ("network", "note", "expires_at", "created_at")
    search_fields = ("network__startswith", "note")
    text_columns = ("note",)
    form = FreshForm
    fields = ("network", "expires_at", "note")
    empty_text = gettext_lazy("Enter offices and campuses, so that many orders from there are no alarm.")


@admin.register(CampaignPrice)
class CampaignPriceAdmin(ConsoleModelAdmin):
    """What campaigns promise."""

    keyset = Keyset(("starts_at", "id"))
    views = by_time()
    list_display = ("sku", "shop", "price", "starts_at", "ends_at", "max_quantity", "set_by")
    list_filter = (ShopFilter,)
    list_select_related = ("shop",)
    search_fields = ("sku__startswith",)
    search_help_text = gettext_lazy("SKU")
    number_columns = ("price", "max_quantity")
    form = FreshForm
    fields = ("sku", "shop", "price_fen", "starts_at", "ends_at", "max_quantity")
    empty_text = gettext_lazy("Enter campaign prices before the campaign begins, so that they are no alarm.")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let people type the price in yuan."""
        if db_field.name == "price_fen":
            return YuanField(label=_("Price (yuan)"))
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: CampaignPrice, form: Any, change: bool) -> None:
        """Keep who answers for the price."""
        obj.set_by = actor_of(request)
        super().save_model(request, obj, form, change)

    @admin.display(description=gettext_lazy("price"), ordering="price_fen")
    def price(self, row: CampaignPrice) -> SafeString:
        """The promised price."""
        return columns.money(row.price_fen)


@admin.register(ShippingStop)
class ShippingStopAdmin(ConsoleModelAdmin):
    """Regions that cannot be shipped to for the moment."""

    views = by_time(is_active=True)
    list_display = ("region", "courier_shown", "starts_at", "ends_at", "reason", "is_active", "set_by")
    search_fields = ("region", "reason")
    text_columns = ("reason",)
    form = FreshForm
    fields = ("region", "courier", "starts_at", "ends_at", "reason", "is_active")
    empty_text = gettext_lazy("Enter regions that couriers do not serve for the moment, so that no parcel gets stuck.")

    def save_model(self, request: HttpRequest, obj: ShippingStop, form: Any, change: bool) -> None:
        """Keep who answers for the stop."""
        obj.set_by = actor_of(request)
        super().save_model(request, obj, form, change)

    @admin.display(description=gettext_lazy("courier"), ordering="courier")
    def courier_shown(self, row: ShippingStop) -> str:
        """The courier by its name; every one where none is named."""
        return carrier_name(row.courier) if row.courier else _("every courier")


@admin.register(SkuBaseline)
class SkuBaselineAdmin(ReadOnlyModelAdmin):
    """What articles have lately cost; worked out anew every minute."""

    views = (
        SavedView("all", gettext_lazy("All")),
        SavedView("used", gettext_lazy("In use"), lambda rows: rows.filter(sample__gte=MIN_SAMPLE)),
        SavedView(
            "skewed", gettext_lazy("Mean far from median"),
            lambda rows: rows.filter(Q(mean_fen__gt=F("median_fen") * 1.1) | Q(mean_fen__lt=F("median_fen") * 0.9)),
        ),
    )  # fmt: skip
    keyset = Keyset(("sku", "id"), descending=False)
    list_display = ("sku", "shop", "mean", "median", "sample", "updated_at")
    list_filter = (ShopFilter,)
    list_select_related = ("shop",)
    search_fields = ("sku__startswith",)
    search_help_text = gettext_lazy("SKU")
    number_columns = ("mean", "median", "sample")
    fields = ("sku", "shop", "mean", "median", "sample", "updated_at")
    readonly_fields = ("mean", "median")
    empty_text = gettext_lazy("Baselines appear with the first sales.")

    @admin.display(description=gettext_lazy("mean"))
    def mean(self, row: SkuBaseline) -> SafeString:
        """The mean that prices are held against."""
        return columns.money(row.mean_fen)

    @admin.display(description=gettext_lazy("median"))
    def median(self, row: SkuBaseline) -> SafeString:
        """The median of all sales counted."""
        return columns.money(row.median_fen)
