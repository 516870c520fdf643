"""On the order page: which channel items its lines were, where that is not plain, or not known."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy

from channels_sync.admin.listings import parts_text
from channels_sync.models import Listing, ListingState
from orderhub.admin.order_panels import page_of
from orderhub.console.panels import OrderPanel, add_panel
from orderhub.core.told import notes_of
from orderhub.models import Order, OrderLine

_NAMES = ("item_id", "sku_id", "sku")


def items_panel(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return the lines that became others, and those without an own SKU. Two queries where the channel named items."""
    notes = notes_of(order.extra)
    if not notes:
        return {}
    lines = {line.line_no: line for line in page_of(request).lines}
    found = _listings(order.shop_id, notes, lines.values())
    may_open = request.user.has_perm("channels_sync.view_listing")
    rows = []
    for note in notes:
        line = lines.get(note["line_no"])
        code = note.get("sku") or (line.sku if line else "")
        listing = found.get((note.get("item_id", ""), note.get("sku_id", ""), code)) or found.get(
            (note.get("item_id", ""), note.get("sku_id", ""), "")
        )
        is_unknown = listing is not None and listing.state == ListingState.UNMATCHED and "as" not in note
        if "as" not in note and not is_unknown:
            continue
        rows.append({
            "title": note.get("title") or (line.title if line else ""),
            "spec": listing.spec if listing else note.get("spec", ""),
            "code": code,
            "quantity": note.get("quantity") or (line.quantity if line else 1),
            "lines": [lines[number] for number in note.get("as", ()) if number in lines],
            "is_unknown": is_unknown,
            "now": parts_text(list(listing.parts.all())) if listing else "",
            "link": reverse("admin:channels_sync_listing_change", args=[listing.pk]) if listing and may_open else "",
        })  # fmt: skip
    return {"rows": rows} if rows else {}


def _listings(
    shop_id: int, notes: Sequence[Mapping[str, Any]], lines: Iterable[OrderLine]
) -> dict[tuple[str, str, str], Listing]:
    item_ids, sku_ids, codes = ({str(note[name]) for note in notes if note.get(name)} for name in _NAMES)
    codes |= {line.sku for line in lines}
    wanted = Q(item_id__in=item_ids) | Q(item_id="", sku_id__in=sku_ids) | Q(item_id="", sku_id="", outer_id__in=codes)
    rows = Listing.objects.filter(wanted, shop_id=shop_id).prefetch_related("parts")
    return {(row.item_id, row.sku_id, row.outer_id): row for row in rows[:1000]}


add_panel(
    OrderPanel("items", gettext_lazy("Channel items"), "channels_sync/listing_panel.html", items_panel, "left", 45)
)
