"""What differs between the pool and a platform, field by field, with the offer to mend it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, ngettext

from channels_sync.difference_words import field_label, shown_value
from channels_sync.models import Difference, DifferenceKind, DifferenceState
from channels_sync.services import mend
from orderhub.console import columns
from orderhub.console.actions import actor_of
from orderhub.console.change_list import SavedView
from orderhub.console.filters import ShopFilter
from orderhub.console.model_admin import ReadOnlyModelAdmin
from orderhub.console.origins import actor_word
from orderhub.console.paging import Keyset
from orderhub.console.reject_words import row_words

DIFFERENCE_TONES = {
    DifferenceState.OPEN: "amber", DifferenceState.ASKED: "blue", DifferenceState.MENDED: "green",
    DifferenceState.KEPT: "red", DifferenceState.GONE: "faint",
}  # fmt: skip
UNSETTLED = (DifferenceState.OPEN, DifferenceState.ASKED, DifferenceState.KEPT)
_LOST = (DifferenceKind.MISSING_IN_POOL, DifferenceKind.MISSING_ON_PLATFORM)


@admin.register(Difference)
class DifferenceAdmin(ReadOnlyModelAdmin):
    """What differs, field by field, with the offer to mend it."""

    keyset = Keyset(("id",))
    views = (
        SavedView("open", gettext_lazy("To be settled"), lambda rows: rows.filter(state__in=UNSETTLED),
                  empty=gettext_lazy("Pool and platforms agree, as far as they were compared.")),
        SavedView("all", gettext_lazy("All")),
    )  # fmt: skip
    list_display = (
        "external_no", "shop", "kind_pill", "what", "here", "there", "state_pill", "note_text", "order_link",
    )  # fmt: skip
    list_select_related = ("shop",)
    list_filter = (ShopFilter, "kind", "state")
    text_columns = ("what", "here", "there", "note_text")
    fields = (
        "reconciliation", "shop", "kind_pill", "external_no", "order_link", "ordered_at", "what", "here", "there",
        "state_pill", "note_words", "closed_at", "who",
    )  # fmt: skip
    readonly_fields = ("kind_pill", "what", "here", "there", "state_pill", "note_words", "order_link", "who")
    actions = ("mend",)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Let a comparison link to its differences."""
        return lookup == "reconciliation__id__exact" or super().lookup_allowed(lookup, value, request)

    def view_counts(self, request: HttpRequest) -> dict[str, int]:
        """Count what is to be settled."""
        return Difference.objects.aggregate(open=Count("pk", filter=Q(state__in=UNSETTLED)))

    @admin.display(description=gettext_lazy("kind"))
    def kind_pill(self, row: Difference) -> SafeString:
        """The kind as a pill."""
        return columns.pill(row.get_kind_display(), "red" if row.kind in _LOST else "amber")

    @admin.display(description=gettext_lazy("field"))
    def what(self, row: Difference) -> str:
        """The field in words."""
        return field_label(row.field)

    @admin.display(description=gettext_lazy("in the pool"))
    def here(self, row: Difference) -> str:
        """What the pool has, in words."""
        return shown_value(row.field, row.pool_value)

    @admin.display(description=gettext_lazy("on the platform"))
    def there(self, row: Difference) -> str:
        """What the platform says, in words."""
        return shown_value(row.field, row.platform_value)

    @admin.display(description=gettext_lazy("state"))
    def state_pill(self, row: Difference) -> SafeString:
        """The state as a pill."""
        return columns.pill(row.get_state_display(), DIFFERENCE_TONES.get(DifferenceState(row.state), "plain"))

    @admin.display(description=gettext_lazy("what came of it"))
    def note_text(self, row: Difference) -> SafeString:
        """Why it could not be mended, cut."""
        return columns.truncated(row_words(row.note))

    @admin.display(description=gettext_lazy("what came of it"))
    def note_words(self, row: Difference) -> str:
        """Why it could not be mended."""
        return row_words(row.note) or "—"

    @admin.display(description=gettext_lazy("closed by"))
    def who(self, row: Difference) -> str:
        """Who asked for the mending."""
        return actor_word(row.closed_by) or "—"

    @admin.display(description=gettext_lazy("order"))
    def order_link(self, row: Difference) -> SafeString:
        """The order in the pool."""
        return columns.order_link(row.order_id, row.external_no)

    def has_mend_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may have orders fetched again."""
        return request.user.has_perm("channels_sync.change_difference")

    @admin.action(description=gettext_lazy("Fetch again and mend"), permissions=["mend"])
    def mend(self, request: HttpRequest, rows: QuerySet[Difference]) -> None:
        """Have the selected differences mended by the next turn of the job."""
        ids = list(rows.values_list("pk", flat=True))
        count = mend.ask(difference_ids=ids, actor=actor_of(request))
        left = len(ids) - count
        if count:
            text = ngettext(
                "%(count)d difference is mended within a minute or two.",
                "%(count)d differences are mended within a minute or two.",
                count,
            )
            messages.success(request, text % {"count": count})
        if left:
            text = ngettext(
                "%(count)d difference is settled or being mended already.",
                "%(count)d differences are settled or being mended already.",
                left,
            )
            messages.warning(request, text % {"count": left})
