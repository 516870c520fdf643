"""Whether everything has come: back-fills, and comparisons with the platforms."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from channels_sync.admin.page_log import page_log
from channels_sync.models import (
    OPEN_JOB,
    Backfill,
    JobState,
    Reconciliation,
    StockCompared,
    SyncPage,
)
from channels_sync.services import backfill, reconcile
from orderhub.console import columns
from orderhub.console.actions import actor_of, asked_first
from orderhub.console.change_list import SavedView
from orderhub.console.filters import ShopFilter, TimeFilter
from orderhub.console.model_admin import ReadOnlyModelAdmin
from orderhub.console.origins import actor_word
from orderhub.console.paging import Keyset
from orderhub.core.errors import HubError

JOB_TONES = {
    JobState.RUNNING: "blue", JobState.DONE: "green", JobState.FAILED: "red", JobState.CANCELLED: "faint",
}  # fmt: skip


class RangeAdmin(ReadOnlyModelAdmin):
    """Jobs that work through a span of time."""

    keyset = Keyset(("created_at", "id"))
    list_select_related = ("shop",)
    list_filter = (ShopFilter, "state", ("created_at", TimeFilter))
    text_columns = ("error",)

    @admin.display(description=gettext_lazy("state"))
    def state_pill(self, job: Any) -> SafeString:
        """The state as a pill, with how far it is; what stands in the way on hover."""
        label = f"{job.get_state_display()} {job.percent} %" if job.is_open else job.get_state_display()
        return columns.pill(label, JOB_TONES.get(job.state, "plain"), job.last_error)

    @admin.display(description=gettext_lazy("range"))
    def span(self, job: Any) -> str:
        """The span of the channel's time."""
        return f"{columns.exact(job.start)[5:16]} – {columns.exact(job.end)[5:16]}"

    @admin.display(description=gettext_lazy("progress"))
    def progress_text(self, job: Any) -> str:
        """How much of the span is done."""
        return f"{job.percent} %"

    @admin.display(description=gettext_lazy("by"))
    def who(self, job: Any) -> str:
        """Who asked for it: a person, or the hub by itself."""
        return actor_word(job.actor)

    @admin.display(description=gettext_lazy("error"))
    def error(self, job: Any) -> SafeString:
        """What stands in the way, cut."""
        return columns.truncated(job.last_error)


def _views(empty: Any) -> tuple[SavedView, ...]:
    return (
        SavedView("all", gettext_lazy("All"), empty=empty),
        SavedView("open", gettext_lazy("Under way"), lambda rows: rows.filter(state__in=OPEN_JOB),
                  empty=gettext_lazy("Nothing is under way.")),
        SavedView("failed", JobState.FAILED.label, lambda rows: rows.filter(state=JobState.FAILED),
                  empty=gettext_lazy("Nothing failed.")),
    )  # fmt: skip


@admin.register(Backfill)
class BackfillAdmin(RangeAdmin):
    """Ranges that were read again; asked for on the page of a shop."""

    views = _views(gettext_lazy("Nothing was read again yet: a shop's page has the button."))
    list_display = (
        "created_at", "shop", "state_pill", "span", "rows", "new", "changed", "unchanged", "rejected", "who", "error",
    )  # fmt: skip
    number_columns = ("rows", "new", "changed", "unchanged", "rejected")
    fields = (
        "shop", "state_pill", "start", "end", "progress_text", "slices_done", "slices_total", "pages", "rows", "new",
        "changed", "unchanged", "stale", "held", "rejected", "counted", "seen", "who", "created_at", "started_at",
        "finished_at", "closed_by", "failures", "next_attempt_at", "last_error", "log_of_pages",
    )  # fmt: skip
    readonly_fields = ("state_pill", "progress_text", "who", "log_of_pages")
    actions = ("stop", "try_again")

    @admin.display(description=gettext_lazy("log of pages"))
    def log_of_pages(self, job: Backfill) -> SafeString:
        """Every page that was read."""
        return page_log(SyncPage.objects.filter(backfill_id=job.pk))

    def has_work_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may stop and restart back-fills."""
        return request.user.has_perm("channels_sync.change_backfill")

    @admin.action(description=gettext_lazy("Stop…"), permissions=["work"])
    def stop(self, request: HttpRequest, rows: QuerySet[Backfill]) -> HttpResponse | None:
        """Stop the selected back-fills; what they brought stays."""
        explain = _("What they brought stays. They do not go on: the rest of the range has to be asked for anew.")
        chosen = asked_first(self, request, rows, title=_("Stop"), explain=explain)
        if isinstance(chosen, HttpResponse):
            return chosen
        _report(request, sum(backfill.cancel(row.pk, actor_of(request)) for row in chosen))
        return None

    @admin.action(description=gettext_lazy("Go on"), permissions=["work"])
    def try_again(self, request: HttpRequest, rows: QuerySet[Backfill]) -> None:
        """Let the selected back-fills go on from where they stood."""
        _report(request, sum(backfill.try_again(row.pk, actor_of(request)) for row in rows))


@admin.register(Reconciliation)
class ReconciliationAdmin(RangeAdmin):
    """Comparisons of the pool with the platforms, the nightly ones and those that somebody asked for."""

    views = (
        *_views(gettext_lazy("Nothing was compared yet: every active shop is, at three in the morning.")),
        SavedView(
            "differing", gettext_lazy("Something differs"),
            lambda rows: rows.filter(Q(differing__gt=0) | Q(stock_differing__gt=0)),
            empty=gettext_lazy("Every comparison agreed."),
        ),
    )  # fmt: skip
    list_display = (
        "created_at", "shop", "state_pill", "span", "platform_orders", "pool_orders", "equal", "not_judged", "result",
        "stock_text",
    )  # fmt: skip
    number_columns = ("platform_orders", "pool_orders", "equal", "not_judged")
    fields = (
        "shop", "state_pill", "start", "end", "progress_text", "platform_orders", "pool_orders", "equal", "held",
        "rejected", "underway", "shipped_elsewhere", "result", "total_text", "paid_text", "refund_text", "stock_text",
        "stock_error", "who", "created_at", "started_at", "finished_at", "failures", "next_attempt_at", "last_error",
    )  # fmt: skip
    readonly_fields = (
        "state_pill", "progress_text", "result", "total_text", "paid_text", "refund_text", "stock_text", "who",
    )  # fmt: skip
    actions = ("compare_again", "stop", "try_again")

    @admin.display(description=gettext_lazy("waiting or on their way"))
    def not_judged(self, job: Reconciliation) -> int:
        """Orders that lack for a known reason."""
        return job.held + job.rejected + job.underway

    @admin.display(description=gettext_lazy("result"))
    def result(self, job: Reconciliation) -> SafeString:
        """How many differ, with the way to them."""
        count = job.differing + job.stock_differing
        if not count:
            done = job.state == JobState.DONE
            return columns.pill(f"✓ {_('Agrees')}", "green") if done else columns.NOTHING
        link = f"{reverse('admin:channels_sync_difference_changelist')}?reconciliation__id__exact={job.pk}&view=all"
        text = ngettext("%(count)d differs", "%(count)d differ", count) % {"count": count}
        return format_html('<a href="{}">{}</a>', link, columns.pill(f"◆ {text}", "red"))

    @admin.display(description=gettext_lazy("stock"))
    def stock_text(self, job: Reconciliation) -> str:
        """What came of the stock."""
        if job.stock_state != StockCompared.COMPARED:
            return str(job.get_stock_state_display())
        numbers = {"items": job.stock_items, "count": job.stock_differing}
        return _("%(count)s of %(items)s differ") % numbers

    @admin.display(description=gettext_lazy("total, platform and pool"))
    def total_text(self, job: Reconciliation) -> SafeString:
        """Sums of what was ordered."""
        return _sums(job.platform_total_fen, job.pool_total_fen)

    @admin.display(description=gettext_lazy("paid, platform and pool"))
    def paid_text(self, job: Reconciliation) -> SafeString:
        """Sums of what was paid."""
        return _sums(job.platform_paid_fen, job.pool_paid_fen)

    @admin.display(description=gettext_lazy("lines with a refund, platform and pool"))
    def refund_text(self, job: Reconciliation) -> str:
        """Numbers of lines with a refund."""
        return f"{job.platform_refunds:,} / {job.pool_refunds:,}"

    def has_work_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may start and stop comparisons."""
        return request.user.has_perm("channels_sync.change_reconciliation")

    @admin.action(description=gettext_lazy("Compare the same range again"), permissions=["work"])
    def compare_again(self, request: HttpRequest, rows: QuerySet[Reconciliation]) -> None:
        """Ask for new comparisons of the ranges of the selected ones."""
        for row in rows:
            try:
                reconcile.start(shop_id=row.shop_id, start=row.start, end=row.end, actor=actor_of(request))
            except HubError as error:
                messages.error(request, str(error))
            else:
                messages.success(request, _("The comparison begins within a minute."))

    @admin.action(description=gettext_lazy("Stop…"), permissions=["work"])
    def stop(self, request: HttpRequest, rows: QuerySet[Reconciliation]) -> HttpResponse | None:
        """Stop the selected comparisons; what they found stays."""
        explain = _("What they found stays. They do not go on: the range has to be compared again as a whole.")
        chosen = asked_first(self, request, rows, title=_("Stop"), explain=explain)
        if isinstance(chosen, HttpResponse):
            return chosen
        _report(request, sum(reconcile.cancel(row.pk, actor_of(request)) for row in chosen))
        return None

    @admin.action(description=gettext_lazy("Go on"), permissions=["work"])
    def try_again(self, request: HttpRequest, rows: QuerySet[Reconciliation]) -> None:
        """Let the selected comparisons go on from where they stood."""
        _report(request, sum(reconcile.try_again(row.pk, actor_of(request)) for row in rows))


def _sums(platform: int, pool: int) -> SafeString:
    tone = "plain" if platform == pool else "amber"
    return format_html("{} / {} {}", columns.money(platform), columns.money(pool),
                       columns.pill(_("differs"), tone) if platform != pool else "")  # fmt: skip


def _report(request: HttpRequest, count: int) -> None:
    if not count:
        messages.warning(request, _("Nothing was changed."))
        return
    text = ngettext("%(count)d was changed.", "%(count)d were changed.", count)
    messages.success(request, text % {"count": count})
