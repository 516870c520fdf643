"""How each shop's pull does, and every run."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_sync import selectors
from channels_sync.admin.page_log import page_log
from channels_sync.models import ErrorKind, RunState, ShopSync, SyncPage, SyncRun, TokenState
from channels_sync.services import health
from orderhub.admin.shop import ShopAdmin
from orderhub.console import columns
from orderhub.console.actions import actor_of
from orderhub.console.change_list import SavedView
from orderhub.console.filters import ShopFilter, TimeFilter
from orderhub.console.model_admin import ConsoleStackedInline, ReadOnlyModelAdmin
from orderhub.console.paging import Keyset

RUN_TONES = {
    RunState.DONE: "plain", RunState.FAILED: "red", RunState.ABANDONED: "red", RunState.STOPPED: "amber",
    RunState.RUNNING: "blue",
}  # fmt: skip


def lag_text(sync: ShopSync | None) -> SafeString:
    """Return how far the pool is behind the channel, red once it is late."""
    if sync is None or sync.lag is None:
        return columns.NOTHING
    seconds = int(sync.lag.total_seconds())
    text = _("%(count)s s") % {"count": seconds} if seconds < 120 else _("%(count)s min") % {"count": seconds // 60}
    return columns.pill(text, "red" if selectors.is_late(sync) else "plain")


def kind_pill(sync: ShopSync) -> SafeString:
    """Return what has to happen before a failing pull works again."""
    if not sync.error_kind:
        if sync.lag is None:
            return columns.NOTHING
        return (
            columns.pill(f"● {_('Behind')}", "amber")
            if selectors.is_late(sync)
            else columns.pill(f"✓ {_('Healthy')}", "green")
        )
    needs_person = sync.error_kind in health.NEEDS_PERSON
    label = dict(ErrorKind.choices).get(sync.error_kind, sync.error_kind)
    return columns.pill(str(label), "red" if needs_person else "amber")


@admin.register(ShopSync)
class ShopSyncAdmin(ReadOnlyModelAdmin):
    """How far each shop has come, and what stops it."""

    list_display = ("shop", "kind", "lag_text", "last_success_at", "consecutive_failures", "error", "next_attempt_at")
    list_select_related = ("shop",)
    list_filter = ("error_kind", "token_state")
    number_columns = ("consecutive_failures",)
    fields = (
        "shop", "kind", "lag_text", "cursor", "last_success_at", "last_attempt_at", "token", "consecutive_failures",
        "last_error", "next_attempt_at", "clock_ahead",
    )  # fmt: skip
    readonly_fields = ("kind", "lag_text", "token")
    actions = ("try_now",)
    empty_text = gettext_lazy("No shop was pulled from yet.")

    @admin.display(description=gettext_lazy("state"), ordering="error_kind")
    def kind(self, sync: ShopSync) -> SafeString:
        """The kind of failure, or healthy."""
        return kind_pill(sync)

    @admin.display(description=gettext_lazy("lag"), ordering="-cursor")
    def lag_text(self, sync: ShopSync) -> SafeString:
        """How far behind the channel."""
        return lag_text(sync)

    @admin.display(description=gettext_lazy("authorisation"))
    def token(self, sync: ShopSync) -> SafeString:
        """Whether the platform accepts the session."""
        tone = {TokenState.VALID: "green", TokenState.REFUSED: "red"}.get(TokenState(sync.token_state), "faint")
        return columns.pill(sync.get_token_state_display(), tone)

    @admin.display(description=gettext_lazy("last error"))
    def error(self, sync: ShopSync) -> SafeString:
        """The sentence about what went wrong."""
        return columns.truncated(sync.last_error, 80)

    def has_pull_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may have shops tried again."""
        return request.user.has_perm("channels_sync.change_shopsync")

    @admin.action(description=gettext_lazy("Try again now"), permissions=["pull"])
    def try_now(self, request: HttpRequest, rows: QuerySet[ShopSync]) -> HttpResponse | None:
        """Let the next run of the pull job try the selected shops, whatever they wait for."""
        count = health.try_again(shop_ids=list(rows.values_list("shop_id", flat=True)), actor=actor_of(request))
        self.message_user(request, _("%(count)s shops are tried within a minute.") % {"count": count})
        return None


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyModelAdmin):
    """Every pull: what it asked for, what came, how it ended."""

    keyset = Keyset(("started_at", "id"))
    views = (
        SavedView("all", gettext_lazy("All"), empty=gettext_lazy("No shop was pulled from yet.")),
        SavedView(
            "failed", RunState.FAILED.label, lambda rows: rows.filter(state__in=[RunState.FAILED, RunState.ABANDONED]),
            empty=gettext_lazy("No run failed."),
        ),
    )  # fmt: skip
    list_display = (
        "started_at", "shop", "kind", "state_pill", "window", "pages", "rows", "new", "changed", "rejected", "took",
        "why",
    )  # fmt: skip
    list_select_related = ("shop",)
    list_filter = (ShopFilter, "kind", "state", ("started_at", TimeFilter))
    number_columns = ("pages", "rows", "new", "changed", "rejected", "took")
    fields = (
        "shop", "kind", "state_pill", "window_start", "window_end", "started_at", "finished_at", "pages", "rows", "new",
        "changed", "unchanged", "stale", "held", "rejected", "error", "log_of_pages",
    )  # fmt: skip
    readonly_fields = ("state_pill", "log_of_pages")

    @admin.display(description=gettext_lazy("state"))
    def state_pill(self, run: SyncRun) -> SafeString:
        """The state as a pill."""
        known = RunState(run.state) if run.state in RunState.values else RunState.RUNNING
        return columns.pill(run.get_state_display(), RUN_TONES[known])

    @admin.display(description=gettext_lazy("window"))
    def window(self, run: SyncRun) -> str:
        """The span that was asked for: of modification, or of creation where open orders were read again."""
        return f"{columns.exact(run.window_start)[5:]} – {columns.exact(run.window_end)[11:]}"

    @admin.display(description=gettext_lazy("took"))
    def took(self, run: SyncRun) -> str:
        """Seconds from start to end."""
        return _("%s s") % f"{(run.finished_at - run.started_at).total_seconds():.1f}" if run.finished_at else "—"

    @admin.display(description=gettext_lazy("log of pages"))
    def log_of_pages(self, run: SyncRun) -> SafeString:
        """Every page that came, with what intake made of it."""
        return page_log(SyncPage.objects.filter(run_id=run.pk))

    @admin.display(description=gettext_lazy("error"))
    def why(self, run: SyncRun) -> SafeString:
        """What went wrong, cut."""
        return columns.truncated(run.error)


class ShopSyncInline(ConsoleStackedInline):
    """The state of the pull on the shop's own page."""

    model = ShopSync
    verbose_name_plural = gettext_lazy("Synchronisation")
    fields = ("kind", "lag_text", "cursor", "last_success_at", "consecutive_failures", "last_error", "next_attempt_at")
    readonly_fields = fields
    can_delete = False
    max_num = 0

    @admin.display(description=gettext_lazy("state"))
    def kind(self, sync: ShopSync) -> SafeString:
        """The kind of failure, or healthy."""
        return kind_pill(sync)

    @admin.display(description=gettext_lazy("lag"))
    def lag_text(self, sync: ShopSync) -> SafeString:
        """How far behind the channel."""
        return lag_text(sync)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: the pull job makes the row."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: only the pull job writes it."""
        return False


ShopAdmin.inlines = (*ShopAdmin.inlines, ShopSyncInline)
