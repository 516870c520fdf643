"""The inbox: every raw delivery as it came, and the rows of it that could not be taken in."""

import zstandard
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from orderhub.core.crypto import UnreadableError, open_sealed, seal
from orderhub.core.errors import HubError
from orderhub.core.words import InboxState, RejectState
from orderhub.models.shop import Shop


def pack(body: bytes) -> bytes:
    """Return raw bytes compressed and sealed, the form in which payloads are stored."""
    return seal(zstandard.ZstdCompressor(level=3).compress(body), b"raw")


class PayloadErasedError(HubError):
    """The raw bytes were erased after their time; why they were set aside still stands beside them."""

    def __init__(self) -> None:
        super().__init__(str(_("The raw data is not there any more: it was erased after its time.")))


def unpack(stored: bytes | memoryview) -> bytes:
    """Return the raw bytes of `pack`. Raises PayloadErasedError where retention has emptied them."""
    if not stored:
        raise PayloadErasedError
    return zstandard.ZstdDecompressor().decompress(open_sealed(stored, b"raw"))


class Delivery(models.Model):
    """What somebody delivered, stored as it came and worked on under a lease. `delivery_key` makes a repeat a no-op."""

    delivery_key = models.CharField(_("delivery key"), max_length=200)
    packed_body = models.BinaryField(_("body"))
    state = models.CharField(_("state"), max_length=10, choices=InboxState.choices, default=InboxState.NEW)
    received_at = models.DateTimeField(_("received"), db_default=Now())
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    leased_until = models.DateTimeField(_("leased until"), null=True)
    last_error = models.TextField(_("last error"), blank=True, default="")
    done_at = models.DateTimeField(_("done"), null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.delivery_key

    @property
    def body(self) -> bytes:
        """The raw bytes as they were received."""
        return unpack(self.packed_body)

    @body.setter
    def body(self, value: bytes) -> None:
        self.packed_body = pack(value)


class InboxItem(Delivery):
    """One delivery of a channel: a page of a poll, a push, a part of a file, an API call."""

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="inbox", db_index=False, verbose_name=_("shop"))
    source = models.CharField(_("came by"), max_length=20)
    reader = models.CharField(_("read by"), max_length=50, default="draft")
    content_type = models.CharField(_("content type"), max_length=100, default="application/json")
    headers = models.JSONField(_("headers"), default=dict, blank=True)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    result = models.JSONField(_("result"), null=True)

    class Meta:
        verbose_name = _("inbox item")
        verbose_name_plural = _("inbox")
        constraints = [models.UniqueConstraint(fields=["shop", "delivery_key"], name="inbox_shop_key")]
        indexes = [
            models.Index(fields=["received_at"], name="inbox_open", condition=Q(state__in=["new", "working"])),
            models.Index(fields=["received_at", "id"], name="inbox_dead", condition=Q(state="dead")),
            models.Index(fields=["received_at", "id"], name="inbox_received"),
        ]


class Reject(models.Model):
    """One row that could not be taken in: where in it, why, and the raw row for another try."""

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="rejects", db_index=False, verbose_name=_("shop"))
    inbox_id = models.BigIntegerField(_("raw delivery"), null=True)
    row = models.PositiveIntegerField(_("row"), default=0)
    external_no = models.CharField(_("order number"), max_length=64, blank=True, default="")
    field_path = models.CharField(_("field"), max_length=200, blank=True, default="")
    reason = models.TextField(_("reason"))
    packed_row = models.BinaryField(_("raw row"))
    reader = models.CharField(_("read by"), max_length=50, default="draft")
    state = models.CharField(_("state"), max_length=10, choices=RejectState.choices, default=RejectState.OPEN)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    created_at = models.DateTimeField(_("rejected"), db_default=Now())
    closed_at = models.DateTimeField(_("closed"), null=True)
    closed_by = models.CharField(_("closed by"), max_length=150, blank=True, default="")

    class Meta:
        verbose_name = _("reject")
        verbose_name_plural = _("rejects")
        constraints = [
            models.UniqueConstraint(fields=["shop", "inbox_id", "row"], name="reject_shop_inbox_row"),
        ]
        indexes = [models.Index(fields=["created_at", "id"], name="reject_open", condition=Q(state="open"))]

    def __str__(self) -> str:
        return self.external_no or f"#{self.pk}"

    @property
    def raw_row(self) -> bytes:
        """The rejected row as it came."""
        return unpack(self.packed_row)

    @raw_row.setter
    def raw_row(self, value: bytes) -> None:
        self.packed_row = pack(value)

    def readable_row(self) -> bytes | None:
        """Return the rejected row as it came; None where it was erased or no data key opens it."""
        try:
            return self.raw_row
        except (PayloadErasedError, UnreadableError):
            return None
