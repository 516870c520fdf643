"""Stock: one available figure per SKU and warehouse, and a ledger of what changed it."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Sku(models.Model):
    """One article the company sells, with the list price that price rules fall back to."""

    code = models.CharField(_("SKU"), max_length=100, unique=True)
    title = models.CharField(_("title"), max_length=500, blank=True, default="")
    list_price_fen = models.BigIntegerField(_("list price (fen)"), null=True, blank=True)
    floor_price_fen = models.BigIntegerField(_("floor price (fen)"), null=True, blank=True)

    class Meta:
        verbose_name = _("SKU")
        verbose_name_plural = _("SKUs")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class StockLevel(models.Model):
    """What is on hand and reserved of one SKU in one warehouse; available = on hand - reserved, never below zero by
    a reservation (a warehouse count below the reservations is kept and shown as oversold)."""

    sku = models.CharField(_("SKU"), max_length=100)
    warehouse = models.CharField(_("warehouse"), max_length=50)
    on_hand = models.IntegerField(_("on hand"), default=0)
    reserved = models.IntegerField(_("reserved"), default=0)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("stock level")
        verbose_name_plural = _("stock levels")
        constraints = [
            models.UniqueConstraint(fields=["sku", "warehouse"], name="stock_sku_warehouse"),
            models.CheckConstraint(condition=Q(reserved__gte=0), name="stock_reserved_not_negative"),
        ]
        ordering = ["sku", "warehouse"]

    def __str__(self) -> str:
        return f"{self.sku} @ {self.warehouse}"

    @property
    def available(self) -> int:
        """Pieces that can still be promised."""
        return max(self.on_hand - self.reserved, 0)

    available_expression = F("on_hand") - F("reserved")


class StockChange(models.Model):
    """Append-only ledger of what was counted or used up; reservations are told by the order lines."""

    sku = models.CharField(_("SKU"), max_length=100)
    warehouse = models.CharField(_("warehouse"), max_length=50)
    delta = models.IntegerField(_("change"))
    on_hand = models.IntegerField(_("on hand afterwards"))
    cause = models.CharField(_("cause"), max_length=50)
    actor = models.CharField(_("by"), max_length=150)
    at = models.DateTimeField(_("time"), auto_now_add=True)

    class Meta:
        verbose_name = _("stock change")
        verbose_name_plural = _("stock changes")
        indexes = [models.Index(fields=["sku", "warehouse", "at"], name="stock_change_sku")]

    def __str__(self) -> str:
        return f"{self.sku} {self.delta:+d}"
