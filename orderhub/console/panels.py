"""Panels of the order page: the pool's own and those that features add from their `admin.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.http import HttpRequest
from django.utils.functional import Promise

from orderhub.core.registry import Registry
from orderhub.models import Order

Place = Literal["left", "right", "bottom"]


@dataclass(frozen=True, slots=True)
class OrderPanel:
    """One panel of the order page.

    `context(order, request)` returns what `template` shows; it should need a constant number of queries. An empty
    dictionary leaves the panel out. Panels of one `place` are shown by rising `rank` (the pool's own use 20, 40, 60 …).
    """

    key: str
    title: str | Promise
    template: str
    context: Callable[[Order, HttpRequest], dict[str, Any]]
    place: Place = "left"
    rank: int = 50


order_panels: Registry[OrderPanel] = Registry("order panel")
"""Add with `order_panels.add(panel.key, panel)`."""

fact_words: Registry[Callable[[], Mapping[str, str | Promise]]] = Registry("words of the timeline")
"""Words for codes that timeline entries name, by the key of their data; asked once a page, if an entry has it."""


def add_panel(panel: OrderPanel) -> OrderPanel:
    """Put a panel onto the order page."""
    return order_panels.add(panel.key, panel)


@dataclass(frozen=True, slots=True)
class ShownPanel:
    """A panel with what it shows for one order."""

    key: str
    title: str | Promise
    template: str
    context: dict[str, Any]


def panels_for(order: Order, request: HttpRequest) -> dict[str, list[ShownPanel]]:
    """Return the panels of one order by place, in order of rank, without the empty ones."""
    places: dict[str, list[ShownPanel]] = {"left": [], "right": [], "bottom": []}
    for panel in sorted(order_panels.values(), key=lambda panel: panel.rank):
        context = panel.context(order, request)
        if context:
            places[panel.place].append(ShownPanel(panel.key, panel.title, panel.template, context))
    return places
