"""The base of every admin class; the theme is known in `orderhub.console` only, so that it can be replaced."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib.admin import ShowFacets
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from unfold.admin import ModelAdmin as ThemeModelAdmin
from unfold.admin import StackedInline, TabularInline

from orderhub.console.change_list import ConsoleChangeList, SavedView, chosen_view
from orderhub.console.paging import COUNT_CAP, CappedPaginator, Keyset, count_or_guess, count_text


class ConsoleModelAdmin(ThemeModelAdmin):  # type: ignore[misc]
    """A list and a form in the console's look.

    A list over a table that grows sets `keyset`; then it pages by key, counts at most 10,000 rows and is not sorted by
    other columns. `number_columns` are right-aligned, `text_columns` may break into lines. A page that several people
    edit sets `form = FreshForm` (`orderhub/console/fresh.py`) and names its fields.
    """

    change_list_template: ClassVar[str] = "console/change_list.html"
    change_form_before_template = "console/seen.html"
    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_fullwidth = True
    compressed_fields = True
    keyset: ClassVar[Keyset | None] = None
    views: Sequence[SavedView] = ()
    number_columns: Sequence[str] = ()
    text_columns: Sequence[str] = ()
    deferred: Sequence[str] = ()
    """Big columns that a list does not read."""
    empty_text: Any = ""
    """What an empty list tells people to do next."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Use the console's list."""
        return ConsoleChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Call the page by what it lists. Skips the theme's own step, which stores the request on this object, shared
        by all threads."""
        extra = {"title": capfirst(str(self.opts.verbose_name_plural)), **(extra_context or {})}
        return super(ThemeModelAdmin, self).changelist_view(request, extra)  # type: ignore[no-any-return]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave big columns out of lists; a single object is read whole."""
        rows: QuerySet[Any] = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        return rows.defer(*self.deferred) if is_list and self.deferred else rows

    def get_keyset(self, request: HttpRequest) -> Keyset | None:
        """Return the order of the list; a queue is read from its oldest row."""
        view = chosen_view(self.views, request)
        if self.keyset and view and view.is_queue:
            return Keyset(self.keyset.fields, descending=False)
        return self.keyset

    def get_sortable_by(self, request: HttpRequest) -> Sequence[str]:
        """Allow sorting by a column only on small tables."""
        return () if self.keyset else super().get_sortable_by(request)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the saved view."""
        view = chosen_view(self.views, request)
        return view.narrow(rows) if view else rows

    def load_page(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to the rows of one page what needs a query of its own; nothing by default."""

    def view_counts(self, request: HttpRequest) -> dict[str, int]:
        """Return the numbers of rows that saved views show; none by default."""
        return {}

    def get_urls(self) -> list[URLPattern]:
        """Add the numbers of a list that pages by key: they come after the page, so that no page waits for them."""
        urls: list[URLPattern] = super().get_urls()
        if self.keyset is None:
            return urls
        return [path("counts/", self.admin_site.admin_view(self.counts_view), name=self.counts_name), *urls]

    @property
    def counts_name(self) -> str:
        """The name of the address of the numbers."""
        return f"{self.opts.app_label}_{self.opts.model_name}_counts"

    @property
    def counts_url(self) -> str:
        """The address of the numbers, empty where the page itself knows them."""
        return reverse(f"{self.admin_site.name}:{self.counts_name}") if self.keyset else ""

    def counts_view(self, request: HttpRequest) -> JsonResponse:
        """Tell how many rows match, and how many each saved view has."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        try:
            total = count_or_guess(self.get_changelist_instance(request).queryset)
        except IncorrectLookupParameters as error:
            raise BadRequest from error
        views = {key: count_text(count) for key, count in self.view_counts(request).items()}
        return JsonResponse({"total": count_text(total), "is_exact": total <= COUNT_CAP, "views": views})


class ReadOnlyModelAdmin(ConsoleModelAdmin):
    """Rows that only services write: nothing can be added, changed or deleted by hand."""

    actions_selection_counter = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody."""
        return False


class ConsoleTabularInline(TabularInline):  # type: ignore[misc]
    """Rows of a related table."""

    extra = 0


class ConsoleStackedInline(StackedInline):  # type: ignore[misc]
    """Forms of a related table."""

    extra = 0
