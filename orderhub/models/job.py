"""Heartbeats and leases of jobs: who works on what, by the database's clock."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobHeartbeat(models.Model):
    """One row per periodic job; `manage.py watch` notices when `beat_at` grows old."""

    name = models.CharField(_("job"), max_length=60, unique=True)
    beat_at = models.DateTimeField(_("last run"))
    took_ms = models.PositiveIntegerField(_("took (ms)"), default=0)
    is_ok = models.BooleanField(_("succeeded"), default=True)
    message = models.TextField(_("message"), blank=True, default="")
    every_seconds = models.PositiveIntegerField(_("every (seconds)"), default=60)

    class Meta:
        verbose_name = _("job heartbeat")
        verbose_name_plural = _("job heartbeats")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Lease(models.Model):
    """A named lease: one holder at a time, until a moment by database time."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    token = models.UUIDField(_("holder"), null=True)
    until = models.DateTimeField(_("until"), null=True)

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")

    def __str__(self) -> str:
        return self.name
