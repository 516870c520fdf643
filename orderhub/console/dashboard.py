"""Cards of the dashboard: the pool's own and those that features add from their `admin.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from django.http import HttpRequest
from django.utils.functional import Promise

from orderhub.core.registry import Registry

Width = Literal["half", "full", "third"]


@dataclass(frozen=True, slots=True)
class DashboardCard:
    """One card of the dashboard.

    `context(request)` returns what `template` shows, with a constant number of time-bounded queries. An empty
    dictionary leaves the card out, which is also how a card hides from people without permission. Cards are shown by
    rising `rank` (the pool's own use 20, 40, 60 …).
    """

    key: str
    title: str | Promise
    template: str
    context: Callable[[HttpRequest], dict[str, Any]]
    width: Width = "half"
    rank: int = 50
    has_frame: bool = True


dashboard_cards: Registry[DashboardCard] = Registry("dashboard card")
"""Add with `dashboard_cards.add(card.key, card)`."""


def add_card(card: DashboardCard) -> DashboardCard:
    """Put a card onto the dashboard."""
    return dashboard_cards.add(card.key, card)


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A card with what it shows now."""

    key: str
    title: str | Promise
    template: str
    width: Width
    has_frame: bool
    context: dict[str, Any]


def cards_for(request: HttpRequest) -> list[ShownCard]:
    """Return the cards that have something to show, in order of rank."""
    shown = []
    for card in sorted(dashboard_cards.values(), key=lambda card: card.rank):
        context = card.context(request)
        if context:
            shown.append(ShownCard(card.key, card.title, card.template, card.width, card.has_frame, context))
    return shown
