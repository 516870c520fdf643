"""Who may look and call: API tokens, the log of reveals, the change log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from orderhub.console import columns
from orderhub.console.actions import actor_of, asked_first, each_row, report
from orderhub.console.filters import TimeFilter
from orderhub.console.model_admin import ConsoleModelAdmin, ReadOnlyModelAdmin
from orderhub.console.origins import PLACES
from orderhub.console.paging import Keyset
from orderhub.core.errors import HubError
from orderhub.models import ApiToken, Reveal
from orderhub.services.access import INTAKE_WRITE, METRICS_READ, ORDERS_READ, issue_token, revoke_token
from orderhub.services.rejects import LOOKED, TRIED

SCOPE_WORDS = {
    INTAKE_WRITE: gettext_lazy("push orders"),
    ORDERS_READ: gettext_lazy("read orders"),
    METRICS_READ: gettext_lazy("read metrics"),
}


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a new token may do, and until when."""

    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("May"), choices=list(SCOPE_WORDS.items()), widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )

    class Meta:
        model = ApiToken
        fields = ("name", "scopes", "shops", "expires_at")

    def clean_expires_at(self) -> datetime | None:
        """Refuse an end that lies in the past."""
        moment: datetime | None = self.cleaned_data["expires_at"]
        if moment is not None and moment <= timezone.now():
            raise ValidationError(_("The end lies in the past."))
        return moment


@admin.register(ApiToken)
class ApiTokenAdmin(ConsoleModelAdmin):
    """Tokens of other systems: the secret is shown once, at the moment it is made."""

    form = TokenForm
    list_display = ("name", "may", "is_active", "created_at", "last_used_at", "expires_at")
    list_filter = ("is_active",)
    search_fields = ("name",)
    fields = ("name", "scopes", "shops", "expires_at")
    readonly_fields = ("reach",)
    autocomplete_fields = ("shops",)
    actions = ("revoke",)
    empty_text = gettext_lazy("Make a token for each system that calls the API.")

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        """Say of a token that is made for which shops it is: a list that is empty would not tell."""
        return self.fields if obj is None else ("name", "scopes", "reach", "expires_at")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: what a token may do is fixed when it is made."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody: a token is switched off and stays in the log."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Tell whether this person may switch tokens off."""
        return request.user.has_perm("orderhub.change_apitoken")

    @admin.display(description=gettext_lazy("may"))
    def may(self, token: ApiToken) -> str:
        """The scopes in words."""
        return _(", ").join(str(SCOPE_WORDS.get(scope, scope)) for scope in token.scopes)

    @admin.display(description=gettext_lazy("shops"))
    def reach(self, token: ApiToken) -> str:
        """The shops in words; one that was bound stays so when its shops are deleted."""
        if token.every_shop:
            return _("every shop")
        return _(", ").join(map(str, token.shops.all())) or _("none: the shops it was for are deleted")

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: Any) -> None:  # type: ignore[type-arg]
        """Issue the token; the secret stays with this request only."""
        values = form.cleaned_data
        token, secret = issue_token(
            name=values["name"], scopes=values["scopes"], shops=list(values["shops"]),
            expires_at=values["expires_at"], actor=actor_of(request),
        )  # fmt: skip
        obj.pk, obj.digest, obj.created_at = token.pk, token.digest, token.created_at
        request.hub_token_secret = secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the secret, once."""
        context = {
            **self.admin_site.each_context(request),
            "title": obj.name,
            "opts": self.opts,
            "secret": request.hub_token_secret,  # type: ignore[attr-defined]
        }
        response = render(request, "console/token_issued.html", context)
        add_never_cache_headers(response)
        return response

    @admin.action(description=gettext_lazy("Switch off…"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiToken]) -> HttpResponse | None:
        """Switch the selected tokens off, once that was confirmed."""
        explain = _("The systems that use them are refused from now on. What is off stays off: they need a new token.")
        chosen = asked_first(self, request, rows, title=_("Switch off"), explain=explain)
        if isinstance(chosen, HttpResponse):
            return chosen

        def do(token: ApiToken) -> str:
            if not revoke_token(token_id=token.pk, actor=actor_of(request)):
                raise HubError(_("The token is off already."))
            return _("switched off")

        return report(self, request, _("Switch off"), each_row(chosen, do))


@admin.register(Reveal)
class RevealAdmin(ReadOnlyModelAdmin):
    """Who looked at whose personal data, and why."""

    keyset = Keyset(("id",))
    list_display = ("at", "user", "order_no", "reason", "where", "was_shown")
    list_select_related = ("user", "order")
    list_filter = (("at", TimeFilter),)
    list_display_links = None
    text_columns = ("reason",)
    fields = ("at", "user", "order_no", "reason", "where", "was_shown")
    readonly_fields = ("order_no", "where", "was_shown")
    empty_text = gettext_lazy("Nobody has looked at personal data yet.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read only what the list shows of order and person."""
        shown = ("at", "reason", "place", "shown", "user__username", "order__external_no")
        return super().get_queryset(request).only(*shown)

    @admin.display(description=gettext_lazy("order"))
    def order_no(self, reveal: Reveal) -> SafeString:
        """The order, as a link."""
        return columns.order_link(reveal.order_id, reveal.order.external_no)

    @admin.display(description=gettext_lazy("where"))
    def where(self, reveal: Reveal) -> str:
        """Console or desk."""
        return str(PLACES.get(reveal.place, reveal.place))

    @admin.display(description=gettext_lazy("shown"))
    def was_shown(self, reveal: Reveal) -> SafeString:
        """Whether the data could be opened; a try that showed nothing costs no quota."""
        return columns.yes_no(reveal.shown)


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyModelAdmin):
    """Who changed what in the console; names of changed fields only, never values."""

    keyset = Keyset(("id",))
    list_display = ("action_time", "user", "what", "thing", "message")
    list_select_related = ("user", "content_type")
    list_filter = (("action_time", TimeFilter),)
    list_display_links = None
    text_columns = ("message", "thing")
    fields = ("action_time", "user", "what", "thing", "message")
    readonly_fields = ("what", "thing", "message")
    empty_text = gettext_lazy("Nothing was changed by hand yet.")

    @admin.display(description=gettext_lazy("what"))
    def what(self, entry: LogEntry) -> str:
        """Added, changed or deleted."""
        words = {1: _("Added"), 2: _("Changed"), 3: _("Deleted")}
        return words.get(entry.action_flag, "—")

    @admin.display(description=gettext_lazy("object"))
    def thing(self, entry: LogEntry) -> SafeString:
        """The kind and name of the object."""
        kind = entry.content_type.name if entry.content_type else "—"
        return format_html('<span class="dim">{}</span> {}', kind, entry.object_repr)

    @admin.display(description=gettext_lazy("details"))
    def message(self, entry: LogEntry) -> SafeString:
        """Which fields were changed, or the reason of a look."""
        return columns.truncated(_change_words(entry), 120)


def _change_words(entry: LogEntry) -> str:
    kept = entry.get_change_message()
    for beginning, words in ((LOOKED, _("Raw row shown: %(reason)s")), (TRIED, _("Raw row not readable: %(reason)s"))):
        if kept.startswith(beginning):
            return words % {"reason": kept.removeprefix(beginning)}
    return kept
