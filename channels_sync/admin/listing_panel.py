"""On the order page: which channel items its lines were, where that is not plain, or not known."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy

from channels_sync.admin.listings import parts_text
from channels_sync.models import Listing, ListingState
from orderhub.admin.order_panels import page_of
from orderhub.console.panels import OrderPanel, add_panel
from orderhub.core.told import notes_of
from orderhub.models import Order


def items_panel(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return the lines that became others, and those without an own SKU. Two queries where the channel named items."""
    notes = [note for note in notes_of(order.extra) if note.get("item_id") or note.get("sku_id") or "as" in note]
    if not notes:
        return {}
    lines = {line.line_no: line for line in page_of(request).lines}
    found = _listings(order.shop_id, notes)
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


def _listings(shop_id: int, notes: list[dict[str, Any]]) -> dict[tuple[str, str, str], Listing]:
    item_ids = {str(note.get("item_id", "")) for note in notes}
    rows = Listing.objects.filter(shop_id=shop_id, item_id__in=item_ids).prefetch_related("parts")
    return {(row.item_id, row.sku_id, row.outer_id): row for row in rows[:1000]}


add_panel(
    OrderPanel("items", gettext_lazy("Channel items"), "channels_sync/listing_panel.html", items_panel, "left", 45)
)
