"""Whether everything has come: pages of runs, back-fills of a range, comparisons of the pool with a platform."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from channels_sync.models.counted import Counted
from orderhub.models import Shop


class SyncPage(Counted):
    """One page of a run or of a back-fill: append-only. `run_id` and `backfill_id` are no foreign keys, so that runs
    and pages are pruned each by their own age."""

    shop = models.ForeignKey(Shop, models.CASCADE, related_name="+", db_index=False, verbose_name=_("shop"))
    run_id = models.BigIntegerField(_("sync run"), null=True)
    backfill_id = models.BigIntegerField(_("back-fill"), null=True)
    number = models.PositiveIntegerField(_("page"))
    delivery_key = models.CharField(_("delivery key"), max_length=200)
    inbox_id = models.BigIntegerField(_("raw delivery"), null=True)
    at = models.DateTimeField(_("time"), db_default=Now())
    fetch_ms = models.PositiveIntegerField(_("fetched in (ms)"), default=0)
    intake_ms = models.PositiveIntegerField(_("taken in in (ms)"), default=0)
    is_last = models.BooleanField(_("end of a window"), default=False)
    error = models.TextField(_("error"), blank=True, default="")

    class Meta:
        verbose_name = _("sync page")
        verbose_name_plural = _("sync pages")
        indexes = [
            models.Index(fields=["run_id", "id"], name="syncpage_run", condition=Q(run_id__isnull=False)),
            models.Index(
                fields=["backfill_id", "id"], name="syncpage_backfill", condition=Q(backfill_id__isnull=False)
            ),
            models.Index(fields=["at", "id"], name="syncpage_at"),
        ]

    def __str__(self) -> str:
        return self.delivery_key


class JobState(models.TextChoices):
    """Life of a back-fill or a comparison, which may take many turns of its job."""

    WAITING = "waiting", pgettext_lazy("long job", "Waiting")
    RUNNING = "running", pgettext_lazy("long job", "Running")
    DONE = "done", pgettext_lazy("long job", "Done")
    FAILED = "failed", pgettext_lazy("long job", "Needs a person")
    CANCELLED = "cancelled", pgettext_lazy("long job", "Cancelled")


BY_PULL = "pull"
"""In the place of a person's name: the pull itself noted it."""
OPEN_JOB = (JobState.WAITING.value, JobState.RUNNING.value)


class RangeJob(models.Model):
    """A span of time that is worked through in slices; everything before `position` is done, whatever dies."""

    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"))
    position = models.DateTimeField(_("done up to"))
    slice_seconds = models.PositiveIntegerField(_("seconds a slice"), default=1800)
    state = models.CharField(_("state"), max_length=10, choices=JobState.choices, default=JobState.WAITING)
    actor = models.CharField(_("by"), max_length=150)
    created_at = models.DateTimeField(_("asked for"), db_default=Now())
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    last_error = models.TextField(_("last error"), blank=True, default="")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{timezone.localtime(self.start):%Y-%m-%d %H:%M} – {timezone.localtime(self.end):%Y-%m-%d %H:%M}"

    @property
    def progress(self) -> float:
        """The part of the span that is done, 0 to 1."""
        span = (self.end - self.start).total_seconds()
        return min((self.position - self.start).total_seconds() / span, 1.0) if span > 0 else 1.0

    @property
    def percent(self) -> int:
        """The progress in whole percent, rounded down."""
        return int(self.progress * 100)

    @property
    def is_open(self) -> bool:
        """Whether it goes on by itself."""
        return self.state in OPEN_JOB


class Backfill(RangeJob, Counted):
    """A range that is read again from a platform: what changed in it and what was ordered in it."""

    shop = models.ForeignKey(Shop, models.CASCADE, related_name="backfills", db_index=False, verbose_name=_("shop"))
    slices_done = models.PositiveIntegerField(_("slices done"), default=0)
    slices_total = models.PositiveIntegerField(_("slices"), default=0)
    pages = models.PositiveIntegerField(_("pages"), default=0)
    closed_by = models.CharField(_("ended by"), max_length=150, blank=True, default="")
    counted = models.PositiveIntegerField(_("orders counted by the platform"), null=True)
    """What the platform counted in a part of the range whose list showed only `seen`; None: that never happened, or was
    settled since."""
    seen = models.PositiveIntegerField(_("orders seen"), null=True)
    short_tries = models.PositiveSmallIntegerField(default=0, editable=False)
    """How often the slice at `position` came short so far."""

    class Meta:
        verbose_name = _("back-fill")
        verbose_name_plural = _("back-fills")
        indexes = [
            models.Index(fields=["shop", "created_at"], name="backfill_shop"),
            models.Index(fields=["created_at", "id"], name="backfill_created"),
            models.Index(fields=["created_at"], name="backfill_open", condition=Q(state__in=["waiting", "running"])),
            models.Index(
                fields=["shop", "start"],
                name="backfill_short",
                condition=Q(counted__isnull=False, state__in=["waiting", "running", "failed"]),
            ),
        ]

    @property
    def is_left_out(self) -> bool:
        """Whether it only tells people of a span that the platform does not list any more: there is nothing to read."""
        return self.state == JobState.FAILED and self.actor == BY_PULL and self.counted is None

    @property
    def may_stop(self) -> bool:
        """Whether people may end it: also when it was given up because the platform lists less than it counts, or tells
        of a span that is out of reach."""
        return self.is_open or self.is_left_out or (self.state == JobState.FAILED and self.counted is not None)


class StockCompared(models.TextChoices):
    """What became of comparing stock."""

    NOT_YET = "", pgettext_lazy("stock comparison", "Not yet")
    COMPARED = "compared", pgettext_lazy("stock comparison", "Compared")
    NOT_OFFERED = "not_offered", pgettext_lazy("stock comparison", "Not offered by the platform")
    NOTHING = "nothing", pgettext_lazy("stock comparison", "Nothing was told yet")
    FAILED = "failed", pgettext_lazy("stock comparison", "Failed")


class Reconciliation(RangeJob):
    """One comparison of a shop's orders, by the time they were ordered, with its platform; then of its stock.

    Sums are over the orders that both sides were asked for, in fen.
    """

    shop = models.ForeignKey(
        Shop, models.CASCADE, related_name="reconciliations", db_index=False, verbose_name=_("shop")
    )
    day = models.DateField(_("night"), null=True)
    """The local day of a nightly comparison, so that there is one of each; None for one that somebody asked for."""
    platform_orders = models.PositiveIntegerField(_("orders on the platform"), default=0)
    pool_orders = models.PositiveIntegerField(_("orders in the pool"), default=0)
    equal = models.PositiveIntegerField(_("equal"), default=0)
    held = models.PositiveIntegerField(_("held at the gate"), default=0)
    rejected = models.PositiveIntegerField(_("among the rejects"), default=0)
    underway = models.PositiveIntegerField(_("on their way"), default=0)
    """Newer on the platform than the shop was pulled up to: the next pull brings them."""
    shipped_elsewhere = models.PositiveIntegerField(_("shipped outside the hub"), default=0)
    """Equal but for parcels that only the platform knows."""
    differing = models.PositiveIntegerField(_("differing"), default=0)
    platform_total_fen = models.BigIntegerField(_("total on the platform (fen)"), default=0)
    pool_total_fen = models.BigIntegerField(_("total in the pool (fen)"), default=0)
    platform_paid_fen = models.BigIntegerField(_("paid on the platform (fen)"), default=0)
    pool_paid_fen = models.BigIntegerField(_("paid in the pool (fen)"), default=0)
    platform_refunds = models.PositiveIntegerField(_("lines with a refund on the platform"), default=0)
    pool_refunds = models.PositiveIntegerField(_("lines with a refund in the pool"), default=0)
    stock_state = models.CharField(
        _("stock"), max_length=12, choices=StockCompared.choices, blank=True, default=StockCompared.NOT_YET
    )
    stock_items = models.PositiveIntegerField(_("stock items compared"), default=0)
    stock_differing = models.PositiveIntegerField(_("stock items differing"), default=0)
    stock_error = models.TextField(_("stock error"), blank=True, default="")

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        constraints = [models.UniqueConstraint(fields=["shop", "day"], name="reconciliation_shop_day")]
        indexes = [
            models.Index(fields=["created_at", "id"], name="reconciliation_created"),
            models.Index(
                fields=["created_at"], name="reconciliation_open", condition=Q(state__in=["waiting", "running"])
            ),
        ]


class DifferenceKind(models.TextChoices):
    """How pool and platform differ over one order or one stock item."""

    MISSING_IN_POOL = "missing_in_pool", pgettext_lazy("difference", "Missing in the pool")
    MISSING_ON_PLATFORM = "missing_on_platform", pgettext_lazy("difference", "Missing on the platform")
    STALE = "stale", pgettext_lazy("difference", "Older in the pool")
    FIELD = "field", pgettext_lazy("difference", "Field differs")
    STOCK = "stock", pgettext_lazy("difference", "Stock differs")


class DifferenceState(models.TextChoices):
    """What became of a difference."""

    OPEN = "open", pgettext_lazy("difference", "Open")
    ASKED = "asked", pgettext_lazy("difference", "Being mended")
    MENDED = "mended", pgettext_lazy("difference", "Mended")
    KEPT = "kept", pgettext_lazy("difference", "Could not be mended")
    GONE = "gone", pgettext_lazy("difference", "Compared again since")


class Difference(models.Model):
    """One field of one order, or one stock item, in which pool and platform differ. Values are shortened, personal
    ones masked."""

    reconciliation = models.ForeignKey(
        Reconciliation, models.CASCADE, related_name="differences", db_index=False, verbose_name=_("reconciliation")
    )
    shop = models.ForeignKey(Shop, models.CASCADE, related_name="+", db_index=False, verbose_name=_("shop"))
    kind = models.CharField(_("kind"), max_length=20, choices=DifferenceKind.choices)
    external_no = models.CharField(_("order number or stock item"), max_length=200)
    order_id = models.BigIntegerField(_("order"), null=True)
    ordered_at = models.DateTimeField(_("ordered"), null=True)
    field = models.CharField(_("field"), max_length=100, blank=True, default="")
    pool_value = models.CharField(_("in the pool"), max_length=200, blank=True, default="")
    platform_value = models.CharField(_("on the platform"), max_length=200, blank=True, default="")
    state = models.CharField(_("state"), max_length=10, choices=DifferenceState.choices, default=DifferenceState.OPEN)
    note = models.TextField(_("what came of it"), blank=True, default="")
    closed_at = models.DateTimeField(_("closed"), null=True)
    closed_by = models.CharField(_("closed by"), max_length=150, blank=True, default="")

    class Meta:
        verbose_name = _("difference")
        verbose_name_plural = _("differences")
        constraints = [
            models.UniqueConstraint(fields=["reconciliation", "kind", "external_no", "field"], name="difference_once"),
        ]
        indexes = [
            models.Index(fields=["shop", "id"], name="difference_open", condition=Q(state__in=["open", "asked"])),
        ]

    def __str__(self) -> str:
        return self.external_no
