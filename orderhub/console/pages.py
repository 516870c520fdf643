"""Pages of the console that are no list of a model: features add theirs from their `admin.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import Promise

from orderhub.core.registry import Registry


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """One address below the console's prefix, for people on the staff.

    `route` and `name` are those of `django.urls.path`; the view itself asks for its permission. With a `section` (the
    key of a part of the side bar) the page stands at the head of it, for people who have `permission`.
    """

    name: str
    route: str
    view: Callable[..., HttpResponseBase]
    section: str = ""
    title: str | Promise = ""
    icon: str = ""
    permission: str = ""
    rank: int = 50

    def is_for(self, request: HttpRequest) -> bool:
        """Tell whether this person finds the page in the side bar."""
        return not self.permission or request.user.has_perm(self.permission)


console_pages: Registry[ConsolePage] = Registry("console page")
"""Add with `add_page(page)`."""


def add_page(page: ConsolePage) -> ConsolePage:
    """Put a page into the console."""
    return console_pages.add(page.name, page)


def pages_of(section: str, request: HttpRequest) -> list[ConsolePage]:
    """Return the pages at the head of one part of the side bar."""
    found: list[Any] = [page for page in console_pages.values() if page.section == section and page.is_for(request)]
    return sorted(found, key=lambda page: page.rank)
