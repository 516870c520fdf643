"""The channels board: what one person watches while orders surge."""

from collections import Counter
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy

from channels_sync.admin.tiles import Tile, tile, worst_first
from channels_sync.selectors.board import board
from channels_sync.selectors.troubles import Level
from orderhub.console import columns
from orderhub.console.pages import ConsolePage, add_page

SEE = "channels_sync.view_shopsync"
TITLE = gettext_lazy("Channels board")


def board_view(request: HttpRequest) -> TemplateResponse:
    """Show every shop, the broken ones first; the page reads itself again every few seconds."""
    if not request.user.has_perm(SEE):
        raise PermissionDenied
    now = timezone.now()
    found = board()
    tiles = worst_first([tile(facts, now) for facts in found.channels])
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": TITLE,
        "is_fullwidth": "1",
        "tiles": tiles,
        "now": now,
        "gate": found.gates,
        "tone": columns.GATE_TONES[found.gates.of_all.state],
        "totals": totals(tiles),
    }
    return TemplateResponse(request, "channels_sync/board.html", context)


def totals(tiles: list[Tile]) -> dict[str, int]:
    """Return how many shops are how, and the orders of the last hour."""
    levels = Counter(one.level for one in tiles if one.facts.shop.is_active)
    return {
        "bad": levels[Level.BAD],
        "warn": levels[Level.WARN],
        "fine": levels[Level.FINE] + levels[Level.NOTE],
        "orders": sum(one.facts.orders_60 for one in tiles),
    }


add_page(
    ConsolePage(
        "channels_sync_board", "channels/", board_view, "channels", TITLE, "monitor_heart", permission=SEE, rank=10
    )
)
