"""Access from outside and to personal data: API tokens, repeated requests, reveals."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from orderhub.models.order import Order
from orderhub.models.shop import Shop


class ApiToken(models.Model):
    """A token of another system. Only its keyed digest is stored; `scopes` says what it may do."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), default=list, verbose_name=_("scopes"))
    shops = models.ManyToManyField(
        Shop, blank=True, related_name="+", verbose_name=_("shops"), help_text=_("Empty means every shop.")
    )
    every_shop = models.BooleanField(_("every shop"), db_default=False, editable=False)
    """Said when the token is made: `shops` becomes empty as well when the last of them is deleted."""
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_authenticated(self) -> bool:
        """Always true: an anonymous request has no token object."""
        return True


class IdempotentRequest(models.Model):
    """The answer to a request with an `Idempotency-Key`: the same key and body gets it again."""

    token = models.ForeignKey(ApiToken, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(_("key"), max_length=100)
    body_hash = models.CharField(_("body hash"), max_length=64)
    status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    answer = models.JSONField(_("answer"), null=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("repeatable request")
        verbose_name_plural = _("repeatable requests")
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="idempotent_token_key")]

    def __str__(self) -> str:
        return self.key


class Reveal(models.Model):
    """One look of one person at one order's personal data, with the reason; written before the data is shown. One that
    could show nothing stays as a try that no quota counts."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="reveals", verbose_name=_("order"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="reveals", verbose_name=_("by"))
    reason = models.CharField(_("reason"), max_length=200)
    at = models.DateTimeField(_("time"), db_default=Now())
    place = models.CharField(_("where"), max_length=20)
    shown = models.BooleanField(_("shown"), db_default=True)

    class Meta:
        verbose_name = _("reveal")
        verbose_name_plural = _("reveals")
        indexes = [models.Index(fields=["user", "at"], name="reveal_user_at")]

    def __str__(self) -> str:
        return f"{self.user_id} → {self.order_id}"
