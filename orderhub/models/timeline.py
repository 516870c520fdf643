"""The timeline: append-only, written in the transaction of what it tells of."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from orderhub.core.words import Source, Status
from orderhub.models.order import Order
from orderhub.models.shop import Shop


class TimelineEntry(models.Model):
    """One thing that happened to one order: who said so, what changed from what to what."""

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="+", db_index=False, verbose_name=_("shop"))
    order = models.ForeignKey(Order, models.CASCADE, related_name="timeline", db_index=False, verbose_name=_("order"))
    at = models.DateTimeField(_("time"))
    kind = models.CharField(_("what"), max_length=40)
    source = models.CharField(_("source"), max_length=10, choices=Source.choices)
    actor = models.CharField(_("by"), max_length=150)
    status_from = models.CharField(_("from"), max_length=20, choices=Status.choices, blank=True, default="")
    status_to = models.CharField(_("to"), max_length=20, choices=Status.choices, blank=True, default="")
    data = models.JSONField(_("details"), null=True)

    class Meta:
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline entries")
        indexes = [models.Index(fields=["order", "id"], name="timeline_order")]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.status_from}→{self.status_to}"
