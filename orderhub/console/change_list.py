"""The lists of the console: saved views as tabs, pages by key, values that need a query loaded once per page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from unfold.views import ChangeList

from orderhub.console.paging import AFTER, BEFORE, CappedPaginator, Keyset, count_text

VIEW, FOUND = "view", "found"
OWN_PARAMETERS = (AFTER, BEFORE, VIEW, FOUND)
"""Parameters of an address that are not look-ups on columns."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A tab over a list. `narrow` keeps its rows; a queue is read oldest first."""

    key: str
    title: str | Promise
    narrow: Callable[[QuerySet[Any]], QuerySet[Any]] = lambda rows: rows
    is_queue: bool = False
    empty: str | Promise = ""
    """What to tell people when the view has no rows."""


def by_time(**on: Any) -> tuple[SavedView, ...]:
    """Return the tabs of a list whose rows hold from `starts_at` to before `ends_at`: all, running, coming; the last
    two only with rows that fit `on`."""
    return (
        SavedView("all", gettext_lazy("All")),
        SavedView(
            "now", gettext_lazy("Running"), lambda rows: rows.filter(**on, starts_at__lte=Now(), ends_at__gt=Now())
        ),
        SavedView("next", gettext_lazy("Coming"), lambda rows: rows.filter(**on, starts_at__gt=Now())),
    )


@dataclass(frozen=True, slots=True)
class Tab:
    """A saved view as it is shown."""

    view: SavedView
    link: str
    is_active: bool


class ListAdmin(Protocol):
    """What a list asks its admin class."""

    views: Sequence[SavedView]
    list_per_page: int

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Apply the saved view and other own parameters."""

    def get_keyset(self, request: HttpRequest) -> Keyset | None:
        """Return the order for paging by key, None for a small table that pages by number."""

    def load_page(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to the rows of one page what needs a query of its own."""


class ConsoleChangeList(ChangeList):  # type: ignore[misc]
    """A list of the console; with a keyset it reads one page plus one row, whatever the size of the table."""

    result_list: list[Any]
    multi_page: bool
    paginator: Any
    has_next = False
    has_previous = False
    count_is_known = True

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.request = request
        super().__init__(request, *args, **kwargs)
        for name in (AFTER, BEFORE):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)

    @property
    def console_admin(self) -> ListAdmin:
        """The admin class, by what this list asks of it."""
        return cast("ListAdmin", self.model_admin)

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Leave the list's own parameters out of the look-ups."""
        lookups: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in lookups.items() if name not in OWN_PARAMETERS}

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str] | None = None) -> QuerySet[Any]:
        """Return the rows of the list within the saved view."""
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return self.console_admin.narrow(request, rows)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Return the keyset's order, where there is one."""
        keyset = self.console_admin.get_keyset(request)
        return keyset.ordering() if keyset else super().get_ordering(request, queryset)

    def get_results(self, request: HttpRequest) -> None:
        """Read one page."""
        keyset = self.console_admin.get_keyset(request)
        if is_count_only(request):
            self.result_list = []
            return
        if keyset is None:
            super().get_results(request)
            self.result_list = list(self.result_list)
            self.has_previous = self.page_num > 1
            self.has_next = self.multi_page and self.page_num < self.paginator.num_pages
        else:
            self._read_by_key(request, keyset)
        self.console_admin.load_page(request, self.result_list)

    def _read_by_key(self, request: HttpRequest, keyset: Keyset) -> None:
        size = self.list_per_page
        before = keyset.read(request.GET.get(BEFORE, ""), self.model)
        after = None if before else keyset.read(request.GET.get(AFTER, ""), self.model)
        rows = self.queryset
        if key := before or after:
            rows = rows.filter(keyset.beyond(key, backwards=bool(before)))
        page = list(rows.order_by(*keyset.ordering(backwards=bool(before)))[: size + 1])
        has_more = len(page) > size
        page = page[:size][::-1] if before else page[:size]
        self.has_next = has_more or bool(before)
        self.has_previous = bool(after) or (bool(before) and has_more)
        is_whole = not (self.has_next or self.has_previous)
        self.result_list = page
        self.result_count = len(page)
        self.count_is_known = is_whole
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = not is_whole
        self.paginator = CappedPaginator(page, size)

    def url_for_result(self, result: Any) -> str:
        """Return the address of a row's page; it carries the saved view, so that the page knows its neighbours."""
        link = str(super().url_for_result(result))
        view = self.view
        return f"{link}?{VIEW}={view.key}" if view and view is not self.console_admin.views[0] else link

    @property
    def count_text(self) -> str:
        """The number of matching rows as people read it."""
        return count_text(self.result_count)

    @property
    def whole_view_link(self) -> str:
        """Address of the saved view without search and filters."""
        return str(self.get_query_string(remove=[SEARCH_VAR, *self.get_filters_params()]))

    @property
    def next_link(self) -> str:
        """Address of the next page, empty on the last."""
        return self._link(AFTER, -1, 1) if self.has_next and self.result_list else ""

    @property
    def previous_link(self) -> str:
        """Address of the page before, empty on the first."""
        return self._link(BEFORE, 0, -1) if self.has_previous and self.result_list else ""

    def _link(self, name: str, row: int, step: int) -> str:
        keyset = self.console_admin.get_keyset(self.request)
        if keyset is None:
            return str(self.get_query_string({"p": self.page_num + step}))
        return str(self.get_query_string({name: keyset.key_of(self.result_list[row])}))

    def tabs(self) -> list[Tab]:
        """Return the saved views as tabs."""
        active = self.view
        return [
            Tab(view, self.get_query_string({VIEW: view.key}, [FOUND]), view is active)
            for view in self.console_admin.views
        ]

    @property
    def view(self) -> SavedView | None:
        """The saved view in use, None where the list has none."""
        return chosen_view(self.console_admin.views, self.request)


def is_count_only(request: HttpRequest) -> bool:
    """Tell whether a request asks for the numbers of a list, which come after the page."""
    return bool(request.resolver_match and (request.resolver_match.url_name or "").endswith("_counts"))


def chosen_view(views: Sequence[SavedView], request: HttpRequest) -> SavedView | None:
    """Return the saved view that the address names, else the first one."""
    wanted = request.GET.get(VIEW)
    return next((view for view in views if view.key == wanted), views[0] if views else None)
