"""What warehouses tell the hub: every callback as it came, stored before it is read."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from orderhub.core.words import InboxState
from orderhub.models.inbox import pack, unpack
from orderhub.models.shop import Warehouse


class WarehouseReport(models.Model):
    """One thing that a warehouse told: a step, a hand-over, a change of stock. `delivery_key` makes a repeat a no-op.

    A report of an order that the hub does not know is tried again for a while and then set aside, never dropped.
    """

    warehouse = models.ForeignKey(
        Warehouse, models.PROTECT, related_name="reports", db_index=False, verbose_name=_("warehouse")
    )
    delivery_key = models.CharField(_("delivery key"), max_length=200)
    method = models.CharField(_("method"), max_length=60)
    order_code = models.CharField(_("delivery order"), max_length=120, blank=True, default="")
    packed_body = models.BinaryField(_("body"))
    state = models.CharField(_("state"), max_length=10, choices=InboxState.choices, default=InboxState.NEW)
    received_at = models.DateTimeField(_("received"), db_default=Now())
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    leased_until = models.DateTimeField(_("leased until"), null=True)
    last_error = models.TextField(_("last error"), blank=True, default="")
    done_at = models.DateTimeField(_("done"), null=True)

    class Meta:
        verbose_name = _("warehouse report")
        verbose_name_plural = _("warehouse reports")
        constraints = [models.UniqueConstraint(fields=["warehouse", "delivery_key"], name="report_warehouse_key")]
        indexes = [
            models.Index(fields=["id"], name="report_open", condition=Q(state__in=["new", "working"])),
            models.Index(fields=["received_at", "id"], name="report_dead", condition=Q(state="dead")),
            models.Index(fields=["received_at", "id"], name="report_received"),
            models.Index(fields=["order_code"], name="report_order_code"),
        ]

    def __str__(self) -> str:
        return self.delivery_key

    @property
    def body(self) -> bytes:
        """The raw bytes as they were received."""
        return unpack(self.packed_body)

    @body.setter
    def body(self, value: bytes) -> None:
        self.packed_body = pack(value)
