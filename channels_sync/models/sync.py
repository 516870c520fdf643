"""State of the synchronisation: one row per shop, a log of runs, how fast an application key may call, and what was
asked of the platforms against a quota."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from channels_sync.models.counted import Counted
from orderhub.models import Order, Shop


class ErrorKind(models.TextChoices):
    """What has to happen before a failing pull can work again."""

    NONE = "", pgettext_lazy("sync error", "None")
    TEMPORARY = "temporary", pgettext_lazy("sync error", "Passes by itself")
    THROTTLED = "throttled", pgettext_lazy("sync error", "Call limit")
    AUTHORISATION = "authorisation", pgettext_lazy("sync error", "Needs authorisation")
    PERMANENT = "permanent", pgettext_lazy("sync error", "Needs a person")


class TokenState(models.TextChoices):
    """Whether the platform accepts the shop's session."""

    UNKNOWN = "unknown", pgettext_lazy("token", "Not tried yet")
    VALID = "valid", pgettext_lazy("token", "Accepted")
    REFUSED = "refused", pgettext_lazy("token", "Needs authorisation")


class RunState(models.TextChoices):
    """How one pull ended."""

    RUNNING = "running", pgettext_lazy("sync run", "Running")
    DONE = "done", pgettext_lazy("sync run", "Done")
    STOPPED = "stopped", pgettext_lazy("sync run", "To be continued")
    FAILED = "failed", pgettext_lazy("sync run", "Failed")
    ABANDONED = "abandoned", pgettext_lazy("sync run", "Ended without an answer")


class RunKind(models.TextChoices):
    """What one run asks the channel for."""

    PULL = "pull", pgettext_lazy("sync run", "Changes")
    REREAD = "reread", pgettext_lazy("sync run", "Open orders again")
    EVENTS = "events", pgettext_lazy("sync run", "Kept messages")


class ShopSync(models.Model):
    """How far the pull of one shop has come and how it does. `cursor` moves in the transaction that takes the last page
    of a window in."""

    shop = models.OneToOneField(Shop, models.CASCADE, related_name="sync", verbose_name=_("shop"))
    cursor = models.DateTimeField(_("complete up to"), null=True, blank=True)
    last_success_at = models.DateTimeField(_("last success"), null=True)
    last_attempt_at = models.DateTimeField(_("last attempt"), null=True)
    consecutive_failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    last_error = models.TextField(_("last error"), blank=True, default="")
    error_kind = models.CharField(_("kind of error"), max_length=15, choices=ErrorKind.choices, blank=True, default="")
    error_cause = models.CharField(_("cause"), max_length=20, blank=True, default="")
    """A word of `channels_sync.connectors.causes.Cause`, by which the console finds its advice."""
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    token_state = models.CharField(
        _("authorisation"), max_length=10, choices=TokenState.choices, default=TokenState.UNKNOWN
    )
    failed_with = models.BigIntegerField(null=True, editable=False)
    """Fingerprint of the credentials and settings that a permanent failure belongs to: new ones are tried at once."""

    token_expires_at = models.DateTimeField(_("authorisation ends"), null=True)
    """A copy of what stands with the sealed credentials, for lists; None: the platform has not told."""
    token_renewed_at = models.DateTimeField(_("authorisation renewed"), null=True)
    token_error = models.TextField(_("why it was not renewed"), blank=True, default="")
    token_retry_at = models.DateTimeField(_("next renewal"), null=True)
    token_failed_with = models.BigIntegerField(null=True, editable=False)
    """Fingerprint of the credentials that the platform refuses to renew: they are not tried again."""
    token_asked_at = models.DateTimeField(null=True, editable=False)
    """When a renewal was asked for whose answer is not stored (yet)."""

    clock_ahead = models.PositiveIntegerField(_("clock ahead (s)"), default=0)
    """Seconds by which the clock of the machine that pulled last was ahead of the platform's; 0: too few to matter."""

    reread_at = models.DateTimeField(_("open orders read again"), null=True)
    reread_to = models.DateTimeField(null=True, editable=False)
    """Back to which creation time a re-reading that is not finished has come."""

    class Meta:
        verbose_name = _("channel state")
        verbose_name_plural = _("channel states")
        ordering = ["shop__code"]

    def __str__(self) -> str:
        return str(self.shop)

    @property
    def lag(self) -> timedelta | None:
        """How far the pool is behind the channel; None before the first complete window."""
        return max(timezone.now() - self.cursor, timedelta()) if self.cursor else None

    @property
    def lag_seconds(self) -> int | None:
        """The lag in whole seconds."""
        return int(self.lag.total_seconds()) if self.lag is not None else None


class SyncRun(Counted):
    """One pull of one shop: append-only, written by the sync service."""

    shop = models.ForeignKey(Shop, models.CASCADE, related_name="sync_runs", db_index=False, verbose_name=_("shop"))
    kind = models.CharField(_("what for"), max_length=10, choices=RunKind.choices, default=RunKind.PULL)
    window_start = models.DateTimeField(_("window start"))
    window_end = models.DateTimeField(_("window end"))
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    state = models.CharField(_("state"), max_length=10, choices=RunState.choices, default=RunState.RUNNING)
    pages = models.PositiveIntegerField(_("pages"), default=0)
    error = models.TextField(_("error"), blank=True, default="")

    class Meta:
        verbose_name = _("sync run")
        verbose_name_plural = _("sync runs")
        indexes = [
            models.Index(fields=["started_at", "id"], name="syncrun_started"),
            models.Index(fields=["shop", "started_at", "id"], name="syncrun_shop_started"),
        ]

    def __str__(self) -> str:
        return f"{self.shop_id} {self.started_at:%Y-%m-%d %H:%M:%S}"


class CallAllowance(models.Model):
    """From when on the next call of one application key may start, by database time, for all workers together."""

    key = models.CharField(_("application"), max_length=150, unique=True)
    free_at = models.DateTimeField(_("free from"))

    class Meta:
        verbose_name = _("call allowance")
        verbose_name_plural = _("call allowances")

    def __str__(self) -> str:
        return self.key


class PlatformReveal(models.Model):
    """One metered question to a platform for the texts behind an order's cipher texts: append-only.

    Written before the call, so that a quota is never exceeded; `texts` becomes 0 when the platform surely counted
    nothing.
    """

    shop = models.ForeignKey(Shop, models.CASCADE, related_name="+", db_index=False, verbose_name=_("shop"))
    order = models.ForeignKey(Order, models.CASCADE, related_name="+", verbose_name=_("order"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False, verbose_name=_("by")
    )
    at = models.DateTimeField(_("time"), db_default=Now())
    texts = models.PositiveSmallIntegerField(_("counted texts"))
    opened = models.PositiveSmallIntegerField(_("opened texts"), default=0)
    error = models.CharField(_("error"), max_length=300, blank=True, default="")

    class Meta:
        verbose_name = _("reveal at a platform")
        verbose_name_plural = _("reveals at platforms")
        indexes = [
            models.Index(fields=["shop", "at"], name="platformreveal_shop_at"),
            models.Index(fields=["user", "at"], name="platformreveal_user_at"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} → {self.order_id}"
