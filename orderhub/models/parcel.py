"""Parcels: what the warehouse hands to a carrier."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from orderhub.core.carriers import carrier_name
from orderhub.models.order import Order
from orderhub.models.shop import Shop


class Parcel(models.Model):
    """One parcel with its tracking number; several orders of one buyer may travel in it."""

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="+", db_index=False, verbose_name=_("shop"))
    carrier = models.CharField(_("carrier"), max_length=50, blank=True, default="")
    tracking_no = models.CharField(_("tracking number"), max_length=64)
    orders = models.ManyToManyField(Order, related_name="parcels", verbose_name=_("orders"))
    warehouse_code = models.CharField(_("warehouse"), max_length=50, blank=True, default="")
    weight_grams = models.PositiveIntegerField(_("weight (grams)"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    handed_over_at = models.DateTimeField(_("handed to the carrier"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)

    class Meta:
        verbose_name = _("parcel")
        verbose_name_plural = _("parcels")
        constraints = [models.UniqueConstraint(fields=["shop", "carrier", "tracking_no"], name="parcel_shop_tracking")]
        indexes = [models.Index(fields=["tracking_no"], name="parcel_tracking")]

    def __str__(self) -> str:
        return self.tracking_no

    @property
    def carrier_name(self) -> str:
        """The carrier by the name that customers know."""
        return carrier_name(self.carrier)


class ParcelLine(models.Model):
    """Pieces of one order line that have left the stock, and in which parcel; it outlives the line itself.

    Without a parcel: the order is known to have left, but the parcel has not been told yet. The sum over an order is
    what was taken off the stock for it, so that nothing is taken off twice.
    """

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="+", db_index=False, verbose_name=_("shop"))
    order = models.ForeignKey(
        Order, models.CASCADE, related_name="parcel_lines", db_index=False, verbose_name=_("order")
    )
    parcel = models.ForeignKey(Parcel, models.CASCADE, null=True, related_name="lines", verbose_name=_("parcel"))
    line_no = models.CharField(_("line number"), max_length=64, blank=True, default="")
    sku = models.CharField(_("SKU"), max_length=100, blank=True, default="")
    warehouse = models.CharField(_("warehouse"), max_length=50, blank=True, default="")
    quantity = models.PositiveIntegerField(_("pieces"))

    class Meta:
        verbose_name = _("line of a parcel")
        verbose_name_plural = _("lines of parcels")
        constraints = [
            models.UniqueConstraint(
                fields=["order", "parcel", "line_no", "sku", "shop"],
                name="parcelline_order_parcel",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.line_no} × {self.quantity}"
