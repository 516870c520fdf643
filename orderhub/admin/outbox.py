"""The outbox: what the hub wants done outside itself, and dead letters that can be tried again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, ngettext

from orderhub.console import columns
from orderhub.console.actions import actor_of
from orderhub.console.change_list import SavedView
from orderhub.console.filters import ShopFilter
from orderhub.console.model_admin import ReadOnlyModelAdmin
from orderhub.console.paging import Keyset
from orderhub.core.words import EffectState
from orderhub.models import Effect
from orderhub.services.outbox import retry_dead

TONES = {
    EffectState.DONE: "green",
    EffectState.DEAD: "red",
    EffectState.SENDING: "blue",
    EffectState.CANCELLED: "faint",
}
EMPTY = {
    EffectState.PENDING: gettext_lazy("Nothing waits to be sent."),
    EffectState.DEAD: gettext_lazy("Nothing was given up."),
}


def _view(state: EffectState) -> SavedView:
    return SavedView(state.value, state.label, lambda rows: rows.filter(state=state), empty=EMPTY.get(state, ""))


@admin.register(Effect)
class EffectAdmin(ReadOnlyModelAdmin):
    """Effects by state."""

    keyset = Keyset(("id",))
    views = (SavedView("all", gettext_lazy("All")), *(_view(state) for state in EffectState))
    list_display = ("key", "kind", "order_link", "shop", "state_pill", "attempts", "due_at", "finished_at", "error")
    list_select_related = ("shop",)
    list_filter = ("kind", ShopFilter)
    number_columns = ("attempts",)
    text_columns = ("key", "error")
    deferred = ("payload",)
    fields = (
        "key", "kind", "order_link", "shop", "state_pill", "attempts", "created_at", "due_at", "finished_at",
        "leased_until", "last_error",
    )  # fmt: skip
    readonly_fields = ("state_pill", "order_link")
    actions = ("retry",)
    empty_text = gettext_lazy("Effects appear here as soon as orders pass triage.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Bring the number of the order along."""
        rows: QuerySet[Any] = super().get_queryset(request).annotate(order_no=F("order__external_no"))
        return rows

    @admin.display(description=gettext_lazy("state"))
    def state_pill(self, effect: Effect) -> SafeString:
        """The state as a pill."""
        return columns.pill(effect.get_state_display(), TONES.get(EffectState(effect.state), "plain"))

    @admin.display(description=gettext_lazy("order"))
    def order_link(self, effect: Any) -> SafeString:
        """The order it belongs to."""
        return columns.order_link(effect.order_id, effect.order_no)

    @admin.display(description=gettext_lazy("last error"))
    def error(self, effect: Effect) -> SafeString:
        """The last error, cut."""
        return columns.truncated(effect.last_error)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may try dead letters again."""
        return request.user.has_perm("orderhub.change_effect")

    @admin.action(description=gettext_lazy("Try dead letters again"), permissions=["retry"])
    def retry(self, request: HttpRequest, rows: QuerySet[Effect]) -> None:
        """Put the dead letters among the selected effects back; others stay as they are."""
        ids = sorted(rows.values_list("pk", flat=True))
        done = retry_dead(effect_ids=ids, actor=actor_of(request))
        left = len(ids) - done
        if done:
            text = ngettext("%(count)d dead letter is tried again.", "%(count)d dead letters are tried again.", done)
            messages.success(request, text % {"count": done})
        if left:
            text = ngettext("%(count)d row was no dead letter.", "%(count)d rows were no dead letters.", left)
            messages.warning(request, text % {"count": left})
