"""Listings: the items a channel sells, and the own SKUs that each of them is made of."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orderhub.models import Shop

MAX_PIECES = 1000
"""Pieces of one SKU in one bundle; a million bundles of it still fit an order line."""


class ListingState(models.TextChoices):
    """Whether the own SKUs of a listing are known."""

    UNMATCHED = "unmatched", pgettext_lazy("listing", "Unmatched")
    MATCHED = "matched", pgettext_lazy("listing", "Matched")
    IGNORED = "ignored", pgettext_lazy("listing", "Ignored")


class Listing(models.Model):
    """One channel item of a shop, at the level of what a buyer can choose.

    Item and SKU id are the platform's, empty where it has none; `outer_id` is the merchant's code as the platform has
    it. A listing without both ids stands for every line with that code. `shown` is the quantity that the channel was
    last told and accepted.
    """

    shop = models.ForeignKey(Shop, models.CASCADE, related_name="listings", db_index=False, verbose_name=_("shop"))
    item_id = models.CharField(_("item id"), max_length=64, blank=True, default="")
    sku_id = models.CharField(_("channel SKU id"), max_length=64, blank=True, default="")
    outer_id = models.CharField(_("merchant code"), max_length=100, blank=True, default="")
    title = models.CharField(_("title"), max_length=500, blank=True, default="")
    spec = models.CharField(_("variant"), max_length=500, blank=True, default="")
    state = models.CharField(_("state"), max_length=10, choices=ListingState.choices, default=ListingState.UNMATCHED)
    first_seen_at = models.DateTimeField(_("first seen"), db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), db_default=Now(), editable=False)
    mapped_at = models.DateTimeField(_("parts changed"), null=True, editable=False)
    """When a person or an import changed the parts; None while they are what the merchant code says."""
    remap_until = models.DateTimeField(null=True, editable=False)
    """Open orders are mapped again until a pass begins after this moment."""
    suggestions = models.JSONField(_("suggestions"), default=list, blank=True, editable=False)
    suggested_at = models.DateTimeField(null=True, editable=False)

    share_percent = models.PositiveSmallIntegerField(
        _("share of the stock (%)"), null=True, blank=True,
        validators=[MaxValueValidator(100)], help_text=_("Empty means the setting of the shop."),
    )  # fmt: skip
    shown = models.IntegerField(_("quantity shown"), null=True, editable=False)
    shown_at = models.DateTimeField(_("told at"), null=True, editable=False)
    stock_error = models.TextField(pgettext_lazy("channel item", "stock error"), blank=True, default="", editable=False)
    stock_retry_at = models.DateTimeField(_("next try"), null=True, editable=False)
    asked = models.IntegerField(null=True, editable=False)
    """The quantity of a write whose answer is not known: what the channel shows is not known either."""
    asked_no = models.PositiveIntegerField(db_default=0, editable=False)
    """Counts what the channel was asked; part of the key of a write."""

    class Meta:
        verbose_name = _("channel item")
        verbose_name_plural = _("channel items")
        constraints = [
            models.UniqueConstraint(fields=["shop", "item_id", "sku_id", "outer_id"], name="listing_shop_item"),
            models.CheckConstraint(condition=~Q(item_id="", sku_id="", outer_id=""), name="listing_has_an_id"),
        ]
        indexes = [
            models.Index(fields=["last_seen_at", "id"], name="listing_seen"),
            models.Index(fields=["outer_id", "shop"], name="listing_outer"),
            models.Index(fields=["state", "last_seen_at", "id"], name="listing_state"),
            models.Index(fields=["id"], name="listing_remap", condition=Q(remap_until__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.outer_id or self.sku_id or self.item_id


class ListingPart(models.Model):
    """One own SKU of a listing and how many pieces of it; several, or more than one piece, make a bundle."""

    listing = models.ForeignKey(
        Listing, models.CASCADE, related_name="parts", db_index=False, verbose_name=_("channel item")
    )
    sku = models.CharField(_("SKU"), max_length=100)
    quantity = models.PositiveIntegerField(
        _("pieces"), default=1, validators=[MinValueValidator(1), MaxValueValidator(MAX_PIECES)]
    )
    value_fen = models.PositiveBigIntegerField(
        _("value of a piece (fen)"), null=True, blank=True,
        help_text=_("What a piece counts when the price of a bundle is split; empty everywhere: every piece the same."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("part of a channel item")
        verbose_name_plural = _("parts of channel items")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["listing", "sku"], name="listing_part_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1, quantity__lte=MAX_PIECES), name="listing_part_pieces"),
        ]
        indexes = [models.Index(fields=["sku"], name="listing_part_of")]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"
