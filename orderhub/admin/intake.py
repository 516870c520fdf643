"""What came in: raw deliveries and the rows that could not be taken in."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from orderhub.console import columns
from orderhub.console.actions import actor_of, asked_reason, at_most, each_row, report
from orderhub.console.change_list import SavedView
from orderhub.console.filters import ShopFilter, TimeFilter
from orderhub.console.model_admin import ReadOnlyModelAdmin
from orderhub.console.origins import CAME_BY
from orderhub.console.paging import Keyset
from orderhub.console.reject_words import field_words, reason_words
from orderhub.core import hooks
from orderhub.core.errors import HubError
from orderhub.core.wording import labelled
from orderhub.core.words import InboxState, RejectState
from orderhub.models import InboxItem, Reject
from orderhub.services import rejects
from orderhub.services.reveal import PERMISSION as REVEAL

REJECT_TONES = {RejectState.OPEN: "amber", RejectState.TAKEN: "green", RejectState.DISMISSED: "faint"}
OPEN_INBOX = (InboxState.NEW, InboxState.WORKING)
INBOX_TONES = {InboxState.DONE: "green", InboxState.DEAD: "red"}


def _state(state: str) -> Any:
    return lambda rows: rows.filter(state=state)


@admin.register(Reject)
class RejectAdmin(ReadOnlyModelAdmin):
    """Rows that could not be taken in: where, why, try again or set aside."""

    change_form_template = "console/reject.html"
    keyset = Keyset(("id",))
    views = (
        SavedView(
            "open", gettext_lazy("Open"), _state(RejectState.OPEN), empty=gettext_lazy("Every row was taken in.")
        ),
        SavedView("taken", RejectState.TAKEN.label, _state(RejectState.TAKEN)),
        SavedView("dismissed", RejectState.DISMISSED.label, _state(RejectState.DISMISSED)),
        SavedView("all", gettext_lazy("All")),
    )
    list_display = ("external_no", "shop", "place", "why", "attempts", "state_pill", "created_at", "closed")
    list_select_related = ("shop",)
    list_filter = (ShopFilter, ("created_at", TimeFilter))
    number_columns = ("attempts",)
    text_columns = ("why", "place")
    deferred = ("packed_row",)
    fields = (
        "external_no", "shop", "place", "told", "row", "reader", "state_pill", "attempts", "created_at",
        "closed_at", "closed",
    )  # fmt: skip
    readonly_fields = ("place", "told", "state_pill", "closed")
    actions = ("rerun", "dismiss")

    @admin.display(description=gettext_lazy("field"))
    def place(self, reject: Reject) -> SafeString | str:
        """The field in words; where these are ours, with its path as the source writes it."""
        words = field_words(reject.field_path)
        if words == reject.field_path:
            return words or columns.NOTHING
        return format_html('{} <span class="dim num">{}</span>', words, reject.field_path)

    @admin.display(description=gettext_lazy("reason"))
    def why(self, reject: Reject) -> SafeString:
        """The reason, cut."""
        return columns.truncated(reason_words(reject.reason))

    @admin.display(description=gettext_lazy("reason"))
    def told(self, reject: Reject) -> str:
        """The whole reason."""
        return reason_words(reject.reason)

    @admin.display(description=gettext_lazy("state"))
    def state_pill(self, reject: Reject) -> SafeString:
        """The state as a pill."""
        return columns.pill(reject.get_state_display(), REJECT_TONES.get(RejectState(reject.state), "plain"))

    @admin.display(description=gettext_lazy("closed by"))
    def closed(self, reject: Reject) -> str:
        """Who closed it; of a row that was set aside the reason, too."""
        who, is_reasoned, why = reject.closed_by.partition(": ")
        return labelled(who, why) if is_reasoned else who or "—"

    def has_handle_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may try rows again and set them aside."""
        return request.user.has_perm("orderhub.change_reject")

    @admin.action(description=gettext_lazy("Try again"), permissions=["handle"])
    def rerun(self, request: HttpRequest, rows: QuerySet[Reject]) -> HttpResponse | None:
        """Try the selected rows again, each for itself."""
        asked = _("The platform refused to show this order and is asked again; the row closes when the order comes in.")

        def do(reject: Reject) -> str:
            is_in = hooks.rerun_reject(reject.pk, actor_of(request))
            if is_in is None:
                return asked
            if not is_in:
                now = Reject.objects.only("field_path", "reason").get(pk=reject.pk)
                reason = reason_words(now.reason)
                raise HubError(labelled(field_words(now.field_path), reason) if now.field_path else reason)
            return _("taken in")

        outcomes = each_row(at_most(request, rows.defer("packed_row")), do)
        told = [outcome for outcome in outcomes if outcome.message != asked]
        if len(told) < len(outcomes):
            messages.info(request, asked)
        return report(self, request, _("Try again"), told) if told else None

    @admin.action(description=gettext_lazy("Set aside…"), permissions=["handle"])
    def dismiss(self, request: HttpRequest, rows: QuerySet[Reject]) -> HttpResponse | None:
        """Set the selected rows aside for a reason."""
        explain = _("The rows are not tried again. Their raw form is kept until retention erases it.")
        answer = asked_reason(self, request, rows, title=_("Set aside"), explain=explain)
        if isinstance(answer, HttpResponse):
            return answer

        def do(reject: Reject) -> str:
            if not rejects.dismiss(reject_id=reject.pk, actor=actor_of(request), reason=answer.reason):
                raise HubError(_("The row is not open any more."))
            return _("set aside")

        return report(self, request, _("Set aside"), each_row(answer.rows, do))

    def get_urls(self) -> list[URLPattern]:
        """Add the look at the raw row."""
        view = self.admin_site.admin_view(require_POST(self.raw_view))
        return [path("<int:reject_id>/raw/", view, name="orderhub_reject_raw"), *super().get_urls()]

    def raw_view(self, request: HttpRequest, reject_id: int) -> HttpResponse:
        """Show the raw row for a reason; the answer is a piece of the page that is never stored."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return _raw(request, reject_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Tell the page whether the raw row may be asked for."""
        extra = {"may_reveal": request.user.has_perm(REVEAL), **(extra_context or {})}
        return cast("HttpResponse", super().change_view(request, object_id, form_url, extra))


@never_cache
@sensitive_post_parameters()
def _raw(request: HttpRequest, reject_id: int) -> HttpResponse:
    user = cast("User", request.user)
    if not user.has_perm(REVEAL):
        return render(request, "console/raw.html", {"error": _("You may not see personal data.")}, status=403)
    try:
        raw = rejects.show_raw(reject_id=reject_id, user=user, reason=request.POST.get("reason", ""))
    except Reject.DoesNotExist as error:
        raise Http404 from error
    except HubError as error:
        return render(request, "console/raw.html", {"error": str(error)}, status=400)
    return render(request, "console/raw.html", {"raw": raw.decode("utf-8", "replace")})


@admin.register(InboxItem)
class InboxAdmin(ReadOnlyModelAdmin):
    """Raw deliveries as they were received; their content is not shown."""

    keyset = Keyset(("received_at", "id"))
    views = (
        SavedView("all", gettext_lazy("All"), empty=gettext_lazy("No channel has delivered anything yet.")),
        SavedView(
            "waiting", gettext_lazy("Waiting"), lambda rows: rows.filter(state__in=OPEN_INBOX),
            True, gettext_lazy("Everything was taken in."),
        ),
        SavedView("dead", InboxState.DEAD.label, _state(InboxState.DEAD), empty=gettext_lazy("Nothing was set aside.")),
    )  # fmt: skip
    list_display = (
        "delivery_key",
        "shop",
        "came_by",
        "state_pill",
        "rows",
        "attempts",
        "received_at",
        "done_at",
        "error",
    )
    list_select_related = ("shop",)
    list_filter = (ShopFilter, ("received_at", TimeFilter))
    number_columns = ("rows", "attempts")
    text_columns = ("error", "delivery_key")
    deferred = ("packed_body", "headers", "result")
    fields = (
        "delivery_key", "shop", "came_by", "reader", "content_type", "state_pill", "received_at", "done_at", "attempts",
        "rows", "counts", "last_error",
    )  # fmt: skip
    readonly_fields = ("came_by", "state_pill", "counts")
    actions = ("take_in",)

    @admin.display(description=gettext_lazy("came by"))
    def came_by(self, item: InboxItem) -> str:
        """The way it came, in words."""
        return str(CAME_BY.get(item.source, item.source))

    @admin.display(description=gettext_lazy("state"))
    def state_pill(self, item: InboxItem) -> SafeString:
        """The state as a pill."""
        return columns.pill(item.get_state_display(), INBOX_TONES.get(InboxState(item.state), "plain"))

    @admin.display(description=gettext_lazy("outcome"))
    def counts(self, item: InboxItem) -> str:
        """How many rows had which outcome."""
        counts = (item.result or {}).get("counts", {})
        return " · ".join(f"{OUTCOMES.get(name, name)} {count}" for name, count in counts.items()) or "—"

    @admin.display(description=gettext_lazy("last error"))
    def error(self, item: InboxItem) -> SafeString:
        """The last error, cut."""
        return columns.truncated(item.last_error)

    def has_handle_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may start an intake."""
        return request.user.has_perm("orderhub.change_inboxitem")

    @admin.action(description=gettext_lazy("Take in now"), permissions=["handle"])
    def take_in(self, request: HttpRequest, rows: QuerySet[InboxItem]) -> HttpResponse | None:
        """Take the selected deliveries in; one that is done is not done again."""

        def do(item: InboxItem) -> str:
            counts = hooks.process_inbox(item.pk).counts()
            return " · ".join(f"{OUTCOMES.get(name, name)} {count}" for name, count in counts.items())

        return report(self, request, _("Take in now"), each_row(at_most(request, rows.defer(*self.deferred)), do))


OUTCOMES = {
    "new": pgettext_lazy("orders", "new"),
    "changed": pgettext_lazy("orders", "changed"),
    "unchanged": pgettext_lazy("orders", "unchanged"),
    "stale": pgettext_lazy("orders", "older than known"),
    "held": pgettext_lazy("orders", "held at the gate"),
    "rejected": pgettext_lazy("orders", "rejected"),
}
