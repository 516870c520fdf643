"""What warehouses tell the hub: every callback as it came, stored before it is read."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orderhub.models.inbox import Delivery
from orderhub.models.shop import Warehouse


class WarehouseReport(Delivery):
    """One thing that a warehouse told: a step, a hand-over, a change of stock.

    A report of an order that the hub does not know is tried again for a while and then set aside, never dropped.
    """

    warehouse = models.ForeignKey(
        Warehouse, models.PROTECT, related_name="reports", db_index=False, verbose_name=_("warehouse")
    )
    method = models.CharField(_("method"), max_length=60)
    order_code = models.CharField(_("delivery order"), max_length=120, blank=True, default="")

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
