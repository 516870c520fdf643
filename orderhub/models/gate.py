"""The intake gate: its state per shop and for all, what changed it, and the orders that wait before it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from orderhub.core.words import GateState
from orderhub.models.inbox import unpack
from orderhub.models.shop import Shop


class Gate(models.Model):
    """The gate of one shop, or of all where `shop` is empty. A gate without a row is open.

    `rate_per_minute` is the pace at which waiting orders enter: a must for a trickle, a choice for an open gate.
    `paced_until` is the bookkeeping of that pace by database time: each order that enters moves it on by its share of
    a minute.
    """

    shop = models.ForeignKey(Shop, models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("shop"))
    state = models.CharField(_("state"), max_length=10, choices=GateState.choices, default=GateState.OPEN)
    rate_per_minute = models.PositiveIntegerField(_("orders a minute"), null=True)
    reason = models.CharField(_("reason"), max_length=200)
    actor = models.CharField(_("by"), max_length=150)
    changed_at = models.DateTimeField(_("since"), db_default=Now())
    paced_until = models.DateTimeField(_("paced until"), db_default=Now())

    class Meta:
        verbose_name = _("intake gate")
        verbose_name_plural = _("intake gates")
        default_permissions = ("view",)
        permissions = [("set_gate", _("Can open, pause and throttle the intake"))]
        constraints = [
            models.UniqueConstraint(fields=["shop"], name="gate_shop", nulls_distinct=False),
            models.CheckConstraint(
                condition=~Q(state="trickle") | Q(rate_per_minute__isnull=False, rate_per_minute__gt=0),
                name="gate_trickle_has_rate",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shop_id or '*'} {self.state}"


class GateChange(models.Model):
    """One change of a gate: append-only, written with the change itself."""

    shop = models.ForeignKey(Shop, models.PROTECT, null=True, related_name="+", verbose_name=_("shop"))
    state_from = models.CharField(_("from"), max_length=10, choices=GateState.choices)
    state_to = models.CharField(_("to"), max_length=10, choices=GateState.choices)
    rate_per_minute = models.PositiveIntegerField(_("orders a minute"), null=True)
    reason = models.CharField(_("reason"), max_length=200)
    actor = models.CharField(_("by"), max_length=150)
    at = models.DateTimeField(_("time"), db_default=Now())

    class Meta:
        verbose_name = _("change of the gate")
        verbose_name_plural = _("changes of the gate")
        default_permissions = ("view",)
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.shop_id or '*'} {self.state_from}→{self.state_to}"


class ParkedOrder(models.Model):
    """The newest version of one order that waits before the gate, as its delivery told it, sealed.

    `ship_by` is the ship deadline, or what stands for it where there is none yet: waiting orders enter by it.
    """

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="+", db_index=False, verbose_name=_("shop"))
    external_no = models.CharField(_("order number"), max_length=64)
    modified_at = models.DateTimeField(_("changed by the channel"))
    ship_by = models.DateTimeField(_("ship by"))
    packed_row = models.BinaryField(_("raw row"))
    reader = models.CharField(_("read by"), max_length=50)
    source = models.CharField(_("came by"), max_length=20)
    inbox_id = models.BigIntegerField(_("raw delivery"), null=True)
    row = models.PositiveIntegerField(_("row"), default=0)
    held_at = models.DateTimeField(_("waiting since"), db_default=Now())

    class Meta:
        verbose_name = _("parked order")
        verbose_name_plural = _("parked orders")
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["shop", "external_no"], name="parked_shop_external")]
        indexes = [models.Index(fields=["shop", "ship_by", "id"], name="parked_shop_deadline")]

    def __str__(self) -> str:
        return self.external_no

    @property
    def raw_row(self) -> bytes:
        """The row as it came."""
        return unpack(self.packed_row)


class ParkedLine(models.Model):
    """Pieces of one SKU that a waiting order will reserve: what channels show is less by them.

    They are what its items were made of when it came. What a newer version needs no more stays with no pieces and the
    time of that version, so that the change is seen.
    """

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="+", db_index=False, verbose_name=_("shop"))
    parked = models.ForeignKey(ParkedOrder, models.CASCADE, related_name="lines", db_index=False)
    sku = models.CharField(_("SKU"), max_length=100)
    quantity = models.PositiveIntegerField(_("pieces"))
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("line of a parked order")
        verbose_name_plural = _("lines of parked orders")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["parked", "sku", "shop"], name="parkedline_order_sku")]
        indexes = [models.Index(fields=["at"], name="parkedline_at")]

    def __str__(self) -> str:
        return f"{self.sku} × {self.quantity}"
