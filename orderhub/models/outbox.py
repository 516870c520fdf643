"""The outbox: what the hub wants done outside itself, one row per effect."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orderhub.core.words import EffectKind, EffectState
from orderhub.models.order import Order
from orderhub.models.shop import Shop


class Effect(models.Model):
    """One effect with its idempotency key. `attempts` is counted and committed before each try, the lease is by
    database time, so a worker that dies never sends twice at once and never tries for ever."""

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="+", db_index=False, verbose_name=_("shop"))
    order = models.ForeignKey(
        Order, models.CASCADE, null=True, related_name="effects", db_index=False, verbose_name=_("order")
    )
    kind = models.CharField(_("effect"), max_length=30, choices=EffectKind.choices)
    key = models.CharField(_("idempotency key"), max_length=100)
    state = models.CharField(_("state"), max_length=10, choices=EffectState.choices, default=EffectState.PENDING)
    payload = models.JSONField(_("payload"), null=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due"))
    leased_until = models.DateTimeField(_("leased until"), null=True)
    lease_token = models.UUIDField(_("lease"), null=True)
    last_error = models.TextField(_("last error"), blank=True, default="")
    created_at = models.DateTimeField(_("created"))
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("effect")
        verbose_name_plural = _("outbox")
        constraints = [models.UniqueConstraint(fields=["shop", "key"], name="effect_shop_key")]
        indexes = [
            models.Index(fields=["kind", "due_at"], name="effect_pending", condition=Q(state="pending")),
            models.Index(fields=["leased_until"], name="effect_sending", condition=Q(state="sending")),
            models.Index(fields=["created_at", "id"], name="effect_dead", condition=Q(state="dead")),
            models.Index(fields=["order"], name="effect_order"),
        ]

    def __str__(self) -> str:
        return self.key
