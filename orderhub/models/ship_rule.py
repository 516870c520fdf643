"""What campaigns promise about shipping."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from orderhub.models.shop import Shop

MOST_HOURS = 720
"""Thirty days, as for the hours of a shop; whatever is promised for longer the channel tells with the order."""


class ShipRule(models.Model):
    """How many hours after payment orders must have left that were paid from one moment to another.

    A presale counts from the payment of its balance. `shop` and `platform` narrow the rule; at most one of them is set.
    """

    name = models.CharField(_("name"), max_length=100, help_text=_("Campaign or reason, shown with each order."))
    shop = models.ForeignKey(
        Shop, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("shop"),
        help_text=_("Empty means every shop."),
    )  # fmt: skip
    platform = models.CharField(
        _("platform"), max_length=50, blank=True, default="", help_text=_("Only without a shop. Empty means all.")
    )
    ship_hours = models.PositiveSmallIntegerField(
        _("hours to ship"), validators=[MinValueValidator(1), MaxValueValidator(MOST_HOURS)],
        help_text=_("Counted from payment, of a presale from that of the balance: 24, 48, 72…"),
    )  # fmt: skip
    starts_at = models.DateTimeField(_("paid from"))
    ends_at = models.DateTimeField(_("paid before"))
    is_active = models.BooleanField(_("active"), default=True)
    set_by = models.CharField(_("entered by"), max_length=150, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("campaign ship deadline")
        verbose_name_plural = _("campaign ship deadlines")
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="ship_rule_ends_later",
                violation_error_message=_("The end must be later than the start."),
            ),
            models.CheckConstraint(
                condition=Q(shop__isnull=True) | Q(platform=""), name="ship_rule_shop_or_platform",
                violation_error_message=_("Choose a shop or a platform, not both."),
            ),
            models.CheckConstraint(
                condition=Q(ship_hours__gte=1, ship_hours__lte=MOST_HOURS), name="ship_rule_hours"
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name

    def concerns(self, shop: Shop) -> bool:
        """Tell whether orders of this shop are meant."""
        return self.shop_id == shop.pk if self.shop_id else self.platform in {"", shop.platform}
