"""Orders with their lines, buyer and receiver."""

from typing import Any

import orjson
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orderhub.core.crypto import open_sealed
from orderhub.core.words import ContactKind, DeadlineSource, Flag, Lane, Presale, Refund, Status
from orderhub.models.shop import Shop


class Buyer(models.Model):
    """One buyer of one shop, by the platform's open buyer id."""

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="+", db_index=False, verbose_name=_("shop"))
    external_id = models.CharField(_("buyer id"), max_length=128)
    nickname = models.CharField(_("nickname"), max_length=200, blank=True, default="")
    first_seen_at = models.DateTimeField(_("first seen"), auto_now_add=True)

    class Meta:
        verbose_name = _("buyer")
        verbose_name_plural = _("buyers")
        constraints = [models.UniqueConstraint(fields=["shop", "external_id"], name="buyer_shop_external")]
        indexes = [
            models.Index(fields=["nickname"], name="buyer_nickname", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["external_id"], name="buyer_external"),
        ]

    def __str__(self) -> str:
        return self.nickname or self.external_id


class Order(models.Model):
    """One order of one shop with the one status and each department's own claim beside it.

    While a refund is open, `status` shows it and `under_refund` is the status that the order would have without one.
    `refund_at` is when the refund was first asked, empty once it is withdrawn; `left_at` when the first pieces left, by
    the word of warehouse or carrier. `given_back` counts the delivery orders that came back before the present one.
    `triaged_at` is the last judgement; `held_since`, of a held order, when its clock began, however often it was judged
    since. `worst_lane` is what `lane` was at its worst, whoever let the order go; empty where it was never kept.
    """

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="orders", db_index=False, verbose_name=_("shop"))
    external_no = models.CharField(_("order number"), max_length=64)
    buyer = models.ForeignKey(
        Buyer, models.PROTECT, null=True, related_name="orders", db_index=False, verbose_name=_("buyer")
    )
    status = models.CharField(_("status"), max_length=20, choices=Status.choices)
    lane = models.CharField(_("lane"), max_length=12, choices=Lane.choices, blank=True, default="")
    worst_lane = models.CharField(
        _("worst lane so far"), max_length=12, choices=Lane.choices, blank=True, default="", db_default=""
    )
    is_urgent = models.BooleanField(_("urgent"), default=False)

    channel_status = models.CharField(_("channel's own word"), max_length=64, blank=True, default="")
    channel_claim = models.CharField(_("channel says"), max_length=20, choices=Status.choices, blank=True, default="")
    channel_claim_at = models.DateTimeField(_("channel said so at"), null=True)
    warehouse_claim = models.CharField(
        _("warehouse says"), max_length=20, choices=Status.choices, blank=True, default=""
    )
    warehouse_claim_at = models.DateTimeField(_("warehouse said so at"), null=True)
    carrier_claim = models.CharField(_("carrier says"), max_length=20, choices=Status.choices, blank=True, default="")
    carrier_claim_at = models.DateTimeField(_("carrier said so at"), null=True)
    under_refund = models.CharField(
        _("status under the refund"), max_length=20, choices=Status.choices, blank=True, default="", db_default=""
    )
    refund_at = models.DateTimeField(_("refund asked"), null=True)
    left_at = models.DateTimeField(_("left the warehouse"), null=True)
    given_back = models.PositiveSmallIntegerField(_("given back by the warehouse"), default=0, db_default=0)
    has_drift = models.BooleanField(_("claims disagree"), default=False)

    created_at = models.DateTimeField(_("ordered"))
    paid_at = models.DateTimeField(_("paid"), null=True)
    modified_at = models.DateTimeField(_("changed by the channel"))
    ship_by = models.DateTimeField(_("ship by"), null=True)
    ship_by_source = models.CharField(
        _("deadline from"), max_length=8, choices=DeadlineSource.choices, blank=True, default="", db_default=""
    )
    received_at = models.DateTimeField(_("received"))
    triaged_at = models.DateTimeField(_("triaged"), null=True)
    held_since = models.DateTimeField(_("held since"), null=True)
    rule_set_id = models.BigIntegerField(_("rule set version"), null=True)

    total_fen = models.BigIntegerField(_("total (fen)"))
    discount_fen = models.BigIntegerField(_("discount (fen)"), default=0)
    freight_fen = models.BigIntegerField(_("freight (fen)"), default=0)
    paid_fen = models.BigIntegerField(_("paid (fen)"), default=0)
    item_count = models.IntegerField(_("pieces"), default=0)

    buyer_remark = models.TextField(_("buyer's remark"), blank=True, default="")
    seller_remark = models.TextField(_("seller's remark"), blank=True, default="")
    flag = models.CharField(_("flag"), max_length=8, choices=Flag.choices, default=Flag.NONE)
    presale = models.CharField(_("presale"), max_length=12, choices=Presale.choices, default=Presale.NONE)
    channel_hold = models.CharField(_("channel hold"), max_length=64, blank=True, default="")
    refund = models.CharField(_("refund"), max_length=8, choices=Refund.choices, default=Refund.NONE)

    ip_index = models.BigIntegerField(_("IP index"), null=True)
    merge_key = models.BigIntegerField(_("merge key"), null=True)
    content_hash = models.BigIntegerField(_("content hash"))
    inbox_id = models.BigIntegerField(_("raw delivery"), null=True)
    extra = models.JSONField(_("other fields"), null=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [models.UniqueConstraint(fields=["shop", "external_no"], name="order_shop_external")]
        indexes = [
            models.Index(fields=["created_at", "id"], name="order_created"),
            models.Index(fields=["status", "created_at", "id"], name="order_status"),
            models.Index(fields=["lane", "created_at", "id"], name="order_lane"),
            models.Index(fields=["shop", "created_at", "id"], name="order_shop_created"),
            models.Index(fields=["buyer", "created_at"], name="order_buyer"),
            models.Index(fields=["received_at"], name="order_received"),
            models.Index(fields=["modified_at", "id"], name="order_modified"),
            models.Index(
                fields=["created_at", "id"],
                name="order_urgent",
                condition=Q(is_urgent=True, status__in=["paid", "in_triage_hold", "ready", "short", "wms_failed"]),
            ),
            models.Index(
                fields=["created_at", "id"],
                name="order_regular",
                condition=Q(lane="regular", status__in=["paid", "in_triage_hold", "ready", "short", "wms_failed"]),
            ),
            models.Index(fields=["created_at", "id"], name="order_drift", condition=Q(has_drift=True)),
            models.Index(fields=["ip_index", "created_at"], name="order_ip", condition=Q(ip_index__isnull=False)),
            models.Index(fields=["merge_key"], name="order_merge", condition=Q(merge_key__isnull=False)),
        ]
        permissions = [
            ("reveal_personal_data", _("Can reveal personal data")),
            ("release_order", _("Can release a held order")),
            ("release_abnormal", _("Can release a frozen (abnormal) order")),
            ("edit_memo", _("Can edit the seller's remark and flag")),
            ("ship_by_hand", _("Can ship an order by hand")),
        ]

    def __str__(self) -> str:
        return self.external_no


class OrderLine(models.Model):
    """One line of an order; what is reserved for it counts in `StockLevel.reserved`."""

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="+", db_index=False, verbose_name=_("shop"))
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines", db_index=False, verbose_name=_("order"))
    line_no = models.CharField(_("line number"), max_length=64)
    sku = models.CharField(_("SKU"), max_length=100, blank=True, default="")
    title = models.CharField(_("title"), max_length=500, blank=True, default="")
    quantity = models.IntegerField(_("quantity"))
    unit_price_fen = models.BigIntegerField(_("unit price (fen)"), default=0)
    paid_fen = models.BigIntegerField(_("paid (fen)"), default=0)
    refund = models.CharField(_("refund"), max_length=8, choices=Refund.choices, default=Refund.NONE)
    reserved = models.IntegerField(_("reserved"), default=0)
    short = models.IntegerField(_("short"), default=0)
    warehouse = models.CharField(_("warehouse"), max_length=50, blank=True, default="")

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [models.UniqueConstraint(fields=["order", "line_no", "shop"], name="line_order_no")]
        indexes = [
            models.Index(fields=["sku", "order"], name="line_sku"),
            models.Index(fields=["order"], name="line_short", condition=Q(short__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.line_no} {self.title}"


class Receiver(models.Model):
    """Who receives an order. Clear text is only in `sealed`; every other column may be shown."""

    order = models.OneToOneField(Order, models.CASCADE, primary_key=True, related_name="receiver")
    shop = models.ForeignKey(Shop, models.PROTECT, related_name="+", db_index=False, verbose_name=_("shop"))
    kind = models.CharField(_("kind"), max_length=8, choices=ContactKind.choices, default=ContactKind.PLAIN)
    name_masked = models.CharField(_("name"), max_length=200, blank=True, default="")
    phone_masked = models.CharField(_("phone"), max_length=200, blank=True, default="")
    detail_masked = models.CharField(_("address"), max_length=1000, blank=True, default="")
    country = models.CharField(_("country"), max_length=64, default="CN")
    province = models.CharField(_("province"), max_length=64, blank=True, default="")
    city = models.CharField(_("city"), max_length=64, blank=True, default="")
    district = models.CharField(_("district"), max_length=64, blank=True, default="")
    town = models.CharField(_("town"), max_length=64, blank=True, default="")
    oaid = models.CharField(_("platform token"), max_length=256, blank=True, default="")
    sealed = models.BinaryField(_("sealed personal data"), null=True)
    phone_index = models.BigIntegerField(null=True, editable=False)
    tail_index = models.BigIntegerField(null=True, editable=False)
    name_grams = ArrayField(models.TextField(), null=True, editable=False)

    class Meta:
        verbose_name = _("receiver")
        verbose_name_plural = _("receivers")
        indexes = [
            models.Index(fields=["phone_index"], name="receiver_phone", condition=Q(phone_index__isnull=False)),
            models.Index(fields=["tail_index", "order"], name="receiver_tail", condition=Q(tail_index__isnull=False)),
            GinIndex(fields=["name_grams"], name="receiver_name"),
        ]

    def __str__(self) -> str:
        return self.name_masked

    def open(self) -> dict[str, Any]:
        """Return name, phone, detail, postcode and IP in clear. Callers must have permission and write a log row."""
        if not self.sealed:
            return {}
        clear: dict[str, Any] = orjson.loads(open_sealed(self.sealed, b"receiver"))
        return clear
