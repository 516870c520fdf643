"""What warehouses told: every callback, what became of it, and those that wait for a person."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, ngettext

from channels_sync.services.reports import retry
from orderhub.console import columns
from orderhub.console.actions import actor_of
from orderhub.console.change_list import SavedView
from orderhub.console.filters import TimeFilter
from orderhub.console.model_admin import ReadOnlyModelAdmin
from orderhub.console.paging import Keyset
from orderhub.core.words import InboxState
from orderhub.models import WarehouseReport

TONES = {InboxState.DONE: "green", InboxState.DEAD: "red", InboxState.WORKING: "blue"}
WAITING = (InboxState.NEW, InboxState.WORKING)


@admin.register(WarehouseReport)
class WarehouseReportAdmin(ReadOnlyModelAdmin):
    """Reports by state; one of an unknown order is kept and can be tried again."""

    keyset = Keyset(("received_at", "id"))
    views = (
        SavedView(
            "dead", InboxState.DEAD.label, lambda rows: rows.filter(state=InboxState.DEAD),
            empty=gettext_lazy("Every report was understood and belongs to a known order."),
        ),
        SavedView(
            "open", gettext_lazy("Waiting"), lambda rows: rows.filter(state__in=WAITING),
            empty=gettext_lazy("Every report has been worked on."),
        ),
        SavedView("all", gettext_lazy("All")),
    )  # fmt: skip
    list_display = ("order_code", "method", "warehouse", "state_pill", "attempts", "received_at", "done_at", "error")
    list_select_related = ("warehouse",)
    list_filter = ("method", ("received_at", TimeFilter))
    search_fields = ("order_code__startswith",)
    search_help_text = gettext_lazy("Delivery order")
    number_columns = ("attempts",)
    text_columns = ("error",)
    deferred = ("packed_body",)
    fields = (
        "order_code", "method", "warehouse", "delivery_key", "state_pill", "attempts", "received_at", "done_at",
        "leased_until", "last_error",
    )  # fmt: skip
    readonly_fields = ("state_pill",)
    actions = ("retry",)
    empty_text = gettext_lazy("Reports appear here as soon as a warehouse calls back.")

    @admin.display(description=gettext_lazy("state"))
    def state_pill(self, report: WarehouseReport) -> SafeString:
        """The state as a pill."""
        return columns.pill(report.get_state_display(), TONES.get(InboxState(report.state), "plain"))

    @admin.display(description=gettext_lazy("last error"))
    def error(self, report: WarehouseReport) -> SafeString:
        """The last error, cut."""
        return columns.truncated(report.last_error)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may have reports worked on again."""
        return request.user.has_perm("orderhub.change_warehousereport")

    @admin.action(description=gettext_lazy("Work on them again"), permissions=["retry"])
    def retry(self, request: HttpRequest, rows: QuerySet[WarehouseReport]) -> None:
        """Put the reports that were set aside among the selected ones back; others stay as they are."""
        ids = sorted(rows.values_list("pk", flat=True))
        done = retry(report_ids=ids, actor=actor_of(request))
        text = ngettext("%(count)d report is worked on again.", "%(count)d reports are worked on again.", done)
        messages.success(request, text % {"count": done})
        if left := len(ids) - done:
            text = ngettext("%(count)d report was not set aside.", "%(count)d reports were not set aside.", left)
            messages.warning(request, text % {"count": left})
