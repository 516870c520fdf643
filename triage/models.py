"""Rules, word lists, prices and lists that people edit; published versions; and the findings."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from orderhub.core.carriers import NAMES, carrier_code
from orderhub.core.errors import FieldError
from orderhub.core.words import Lane
from orderhub.models import Order, Shop, Warehouse
from triage.conditions import check
from triage.gates import AFTER_PUSH
from triage.matchers import PATTERNS, region_code
from triage.networks import parse_network
from triage.phrases import check_template


class Outcome(models.TextChoices):
    """What a rule that fires does: a lane, the urgent mark, or only a tag."""

    ABNORMAL = Lane.ABNORMAL.value, pgettext_lazy("lane", "Abnormal")
    TO_CONFIRM = Lane.TO_CONFIRM.value, pgettext_lazy("lane", "To confirm")
    URGENT = "urgent", _("Urgent mark")
    TAG = "tag", _("Tag only")


class RuleState(models.TextChoices):
    """A shadow rule is judged and recorded but changes nothing."""

    ON = "on", pgettext_lazy("rule", "On")
    OFF = "off", pgettext_lazy("rule", "Off")
    SHADOW = "shadow", pgettext_lazy("rule", "Shadow")


class Rule(models.Model):
    """One rule as people edit it; it takes effect with the next published version."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name_zh = models.CharField(_("name (Chinese)"), max_length=100)
    name_en = models.CharField(_("name (English)"), max_length=100)
    condition = models.JSONField(_("condition"))
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome.choices)
    severity = models.PositiveSmallIntegerField(
        _("severity"),
        default=2,
        help_text=_("1 to 5, orders the reasons. Urgent mark: 1 hint, from 2 on red and to the warehouse at once."),
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), default=100, help_text=_("Smaller goes first among equals.")
    )
    state = models.CharField(_("state"), max_length=6, choices=RuleState.choices, default=RuleState.ON)
    reason_zh = models.CharField(_("reason (Chinese)"), max_length=300)
    reason_en = models.CharField(_("reason (English)"), max_length=300)
    clear_zh = models.CharField(_("what clears it (Chinese)"), max_length=300, blank=True, default="")
    clear_en = models.CharField(_("what clears it (English)"), max_length=300, blank=True, default="")
    is_builtin = models.BooleanField(_("comes with the product"), default=False, editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["priority", "code"]
        permissions = [("accept_finding", _("Can accept a finding"))]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The name in the active language."""
        return self.name_zh if (get_language() or "zh").startswith("zh") else self.name_en

    def clean(self) -> None:
        """Check the condition against the fact catalogue and the templates against the values they may name."""
        errors: dict[str, str] = {}
        try:
            check(self.condition)
        except FieldError as error:
            errors["condition"] = str(error)
        else:
            for name in ("reason_zh", "reason_en", "clear_zh", "clear_en"):
                try:
                    check_template(getattr(self, name), self.condition)
                except FieldError as error:
                    errors[name] = error.reason
        if not 1 <= self.severity <= 5:
            errors["severity"] = str(_("From 1 to 5."))
        if errors:
            raise ValidationError(errors)


class RuleSet(models.Model):
    """One published version: rules and word lists as they were, never changed afterwards."""

    number = models.PositiveIntegerField(_("version"), unique=True)
    snapshot = models.JSONField(_("rules and words"))
    digest = models.CharField(_("digest"), max_length=64)
    published_at = models.DateTimeField(_("published"), db_default=models.functions.Now())
    published_by = models.CharField(_("by"), max_length=150)

    class Meta:
        verbose_name = _("rule-set version")
        verbose_name_plural = _("rule-set versions")
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"v{self.number}"


class Vocabulary(models.Model):
    """One list of words that predicates look for."""

    key = models.SlugField(_("key"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=100)
    help = models.CharField(_("what it is for"), max_length=300, blank=True, default="")
    holds_regions = models.BooleanField(_("holds regions"), default=False, editable=False)

    class Meta:
        verbose_name = _("word list")
        verbose_name_plural = _("word lists")
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name


class Match(models.TextChoices):
    """How a term is held against a text."""

    CONTAINS = "contains", pgettext_lazy("match", "Contains")
    EXACT = "exact", pgettext_lazy("match", "Whole text")
    STARTS = "starts", pgettext_lazy("match", "At the start")
    ENDS = "ends", pgettext_lazy("match", "At the end")
    PATTERN = "pattern", pgettext_lazy("match", "Named pattern")


class Term(models.Model):
    """One word of a list."""

    vocabulary = models.ForeignKey(Vocabulary, models.CASCADE, related_name="terms", verbose_name=_("word list"))
    term = models.CharField(_("term"), max_length=60)
    match = models.CharField(_("match"), max_length=8, choices=Match.choices, default=Match.CONTAINS)
    weight = models.PositiveSmallIntegerField(_("weight"), default=1)
    is_active = models.BooleanField(_("active"), default=True)
    note = models.CharField(_("note"), max_length=200, blank=True, default="")

    class Meta:
        verbose_name = _("term")
        verbose_name_plural = _("terms")
        ordering = ["-weight", "term"]
        constraints = [models.UniqueConstraint(fields=["vocabulary", "term", "match"], name="term_list_match")]

    def __str__(self) -> str:
        return self.term

    def clean(self) -> None:
        """Refuse unknown patterns and regions."""
        self.term = self.term.strip()
        if self.match == Match.PATTERN and self.term not in PATTERNS:
            message = _("Unknown pattern; known: %(known)s.")
            raise ValidationError({"term": message % {"known": _(", ").join(PATTERNS)}})
        if self.vocabulary_id and self.vocabulary.holds_regions and not region_code(self.term):
            raise ValidationError({"term": _("Neither a division code nor the name of a province or city.")})


class Dated(models.Model):
    """What counts only until a moment."""

    note = models.CharField(_("note"), max_length=200, blank=True, default="")
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    created_at = models.DateTimeField(_("added"), auto_now_add=True)

    class Meta:
        abstract = True


class BuyerListing(Dated):
    """A buyer whom people decided to trust or to deny, until a date."""

    class Kind(models.TextChoices):
        """Which list."""

        ALLOW = "allow", pgettext_lazy("list", "Allow")
        DENY = "deny", pgettext_lazy("list", "Deny")

    shop = models.ForeignKey(Shop, models.CASCADE, related_name="+", verbose_name=_("shop"))
    buyer = models.CharField(_("buyer id"), max_length=128, help_text=_("The platform's own id of the buyer."))
    kind = models.CharField(_("list"), max_length=5, choices=Kind.choices)

    class Meta:
        verbose_name = _("listed buyer")
        verbose_name_plural = _("listed buyers")
        constraints = [models.UniqueConstraint(fields=["shop", "buyer", "kind"], name="listing_shop_buyer_kind")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.buyer}"


class IpListing(Dated):
    """A network behind which many people sit: an office, a campus."""

    network = models.CharField(_("network"), max_length=50, unique=True, help_text=_("Such as 203.0.113.0/24."))

    class Meta:
        verbose_name = _("shared network")
        verbose_name_plural = _("shared networks")
        ordering = ["network"]

    def __str__(self) -> str:
        return self.network

    def clean(self) -> None:
        """Write the network in its canonical form."""
        try:
            self.network = str(parse_network(self.network))
        except ValueError as error:
            raise ValidationError({"network": _("Not a network address.")}) from error


class CampaignPrice(models.Model):
    """The price a campaign promises for one SKU, from one moment to another."""

    shop = models.ForeignKey(
        Shop, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("shop"),
        help_text=_("Empty means every shop."),
    )  # fmt: skip
    sku = models.CharField(_("SKU"), max_length=100)
    price_fen = models.BigIntegerField(_("price (fen)"))
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("to"))
    max_quantity = models.PositiveIntegerField(_("most pieces per order"), null=True, blank=True)
    set_by = models.CharField(_("entered by"), max_length=150, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("campaign price")
        verbose_name_plural = _("campaign prices")
        ordering = ["-starts_at", "sku"]
        constraints = [
            models.UniqueConstraint(
                fields=["sku", "shop", "starts_at"], name="campaign_sku_shop", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(price_fen__gt=0), name="campaign_price_positive"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="campaign_ends_later"),
        ]

    def __str__(self) -> str:
        return self.sku

    def clean(self) -> None:
        """Say at its field what the constraints would refuse."""
        errors: dict[str, str] = {}
        if self.price_fen is not None and self.price_fen <= 0:
            errors["price_fen"] = str(_("must be above ¥0"))
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            errors["ends_at"] = str(_("must be later than the start"))
        if errors:
            raise ValidationError(errors)


class ShippingStop(models.Model):
    """A region that one courier, or every courier, does not take parcels to, from one moment to another."""

    region = models.CharField(
        _("region"), max_length=60, help_text=_("Name of a province or city, or the beginning of a division code.")
    )
    courier = models.CharField(
        _("courier"), max_length=50, blank=True, default="", help_text=_("Code or name; empty means every courier.")
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("to"))
    reason = models.CharField(_("reason"), max_length=200)
    is_active = models.BooleanField(_("active"), default=True)
    set_by = models.CharField(_("entered by"), max_length=150, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("shipping stop")
        verbose_name_plural = _("shipping stops")
        ordering = ["-starts_at", "region"]
        constraints = [models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="stop_ends_later")]

    def __str__(self) -> str:
        return self.region

    def clean(self) -> None:
        """Refuse unknown regions and couriers, which would stop nothing, and write the courier as its code."""
        errors: dict[str, str] = {}
        self.region = self.region.strip()
        if not region_code(self.region):
            errors["region"] = str(_("Neither a division code nor the name of a province or city."))
        if self.courier.strip():
            self.courier = self._known_courier() or self.courier
            if not self._known_courier():
                errors["courier"] = _("Unknown courier; known: %(known)s.") % {
                    "known": _(", ").join(f"{code} {name}" for code, name in NAMES.items())
                }
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            errors["ends_at"] = str(_("must be later than the start"))
        if errors:
            raise ValidationError(errors)

    def _known_courier(self) -> str:
        """Return the code of the courier; one that a warehouse ships with is known, too."""
        used = Warehouse.objects.values_list("settings__carrier", flat=True)
        own = self.courier.strip().upper()
        return carrier_code(own) or next((code for code in used if code and str(code).upper() == own), "")


class SkuBaseline(models.Model):
    """What one SKU has lately cost in one shop, and in which campaign those sales fell."""

    shop = models.ForeignKey(Shop, models.CASCADE, related_name="+", db_index=False, verbose_name=_("shop"))
    sku = models.CharField(_("SKU"), max_length=100)
    sample = models.PositiveIntegerField(_("sales counted"))
    mean_fen = models.BigIntegerField(_("mean (fen)"))
    median_fen = models.BigIntegerField(_("median (fen)"))
    campaign_id = models.BigIntegerField(_("campaign"), null=True)
    updated_at = models.DateTimeField(_("updated"))

    class Meta:
        verbose_name = _("price baseline")
        verbose_name_plural = _("price baselines")
        constraints = [models.UniqueConstraint(fields=["shop", "sku"], name="baseline_shop_sku")]

    def __str__(self) -> str:
        return self.sku


class Finding(models.Model):
    """One reason on one order. Open while neither cleared nor accepted."""

    shop = models.ForeignKey(Shop, models.PROTECT, related_name="+", db_index=False, verbose_name=_("shop"))
    order = models.ForeignKey(Order, models.CASCADE, related_name="findings", db_index=False, verbose_name=_("order"))
    code = models.CharField(_("code"), max_length=40)
    rule_set_id = models.BigIntegerField(_("rule-set version"))
    severity = models.PositiveSmallIntegerField(_("severity"))
    lane = models.CharField(_("lane"), max_length=12, choices=Lane.choices, blank=True, default="")
    is_shadow = models.BooleanField(_("shadow"), default=False)
    values: models.JSONField[Any, Any] = models.JSONField(_("values"))
    facts_key = models.BigIntegerField(_("facts key"))
    found_at = models.DateTimeField(_("found"), db_default=models.functions.Now())
    cleared_at = models.DateTimeField(_("cleared"), null=True)
    accepted_at = models.DateTimeField(_("accepted"), null=True)
    accepted_by = models.CharField(_("accepted by"), max_length=150, blank=True, db_default="")
    accepted_reason = models.CharField(_("reason"), max_length=300, blank=True, db_default="")

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        constraints = [models.UniqueConstraint(fields=["order", "code", "shop"], name="finding_order_code")]
        indexes = [
            models.Index(fields=["code", "found_at"], name="finding_code_found"),
            models.Index(
                fields=["found_at", "order"], name="finding_after_push",
                condition=Q(code=AFTER_PUSH, cleared_at__isnull=True, accepted_at__isnull=True),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.code
