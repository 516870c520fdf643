"""What channel items show and should show, on their list and their page."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from channels_sync.models import Listing
from channels_sync.selectors.listings import current
from channels_sync.selectors.offers import Offer, differing, left_on_sale, offers
from channels_sync.services import stock
from orderhub.console import columns
from orderhub.console.change_list import SavedView
from orderhub.console.model_admin import ConsoleModelAdmin

FAILING = SavedView(
    "failing", gettext_lazy("Stock refused"), lambda rows: current(rows.exclude(stock_error="")), True,
    gettext_lazy("Every channel took the stock of its items."),
)  # fmt: skip
WAITING = SavedView(
    "waiting", gettext_lazy("Stock waits"), lambda rows: rows.filter(pk__in=differing()), True,
    gettext_lazy("Every channel shows the stock that it should."),
)  # fmt: skip
SUPERSEDED = gettext_lazy("The channel has another merchant code for this item and is told the stock of that one.")


MOST_NAMED = 10


def say_what_stays_on_sale(request: HttpRequest, listing_ids: Sequence[int]) -> None:
    """Warn of what channels go on selling of items that were put aside: the hub tells them nothing more."""
    left = left_on_sale(listing_ids)
    for listing, pieces in left[:MOST_NAMED]:
        text = _(
            "%(item)s: the channel keeps the stock of %(count)d that it was told last and goes on selling. Change it "
            "on the platform if that must not be."
        )
        messages.warning(request, text % {"item": listing, "count": pieces})
    if len(left) > MOST_NAMED:
        messages.warning(request, _("… and %(count)d more.") % {"count": len(left) - MOST_NAMED})


class OfferColumns(ConsoleModelAdmin):
    """Adds the column `stock`, the fields of one item's page, and the actions that tell a channel again."""

    def load_offers(self, rows: Sequence[Any]) -> None:
        """Read the figures of a page of items. Two queries."""
        found = offers([row.pk for row in rows])
        for row in rows:
            row.offer = found.get(row.pk)

    @admin.display(description=gettext_lazy("shown on the channel"))
    def stock(self, listing: Listing) -> SafeString:
        """What the channel was last told, what it should show where that differs, and why it did not take it."""
        offer = self._offer(listing)
        if offer is not None and offer.is_superseded:
            return format_html('<span class="dim" title="{}">{}</span>', SUPERSEDED, _("newer code"))
        if offer is None or (offer.should_show is None and offer.shown is None):
            return columns.NOTHING
        now = "?" if offer.shown is None or offer.is_unanswered else str(offer.shown)
        figure = format_html('<span class="num">{}</span>', now)
        if offer.differs:
            figure = format_html('{} <span class="dim num">→ {}</span>', figure, offer.should_show)
        if offer.error:
            return format_html('{} <span title="{}">{}</span>', figure, offer.error, columns.pill(_("refused"), "red"))
        return figure

    @admin.display(description=gettext_lazy("told at"))
    def told(self, listing: Listing) -> SafeString:
        """When the channel last took a figure."""
        offer = self._offer(listing)
        return columns.when(offer.shown_at) if offer and offer.shown_at else columns.NOTHING

    @admin.display(description=pgettext_lazy("channel item", "stock error"))
    def refused_because(self, listing: Listing) -> SafeString:
        """What the platform said, and when it is tried again."""
        offer = self._offer(listing)
        if offer is None or not offer.error:
            return columns.NOTHING
        if offer.retry_at is None:
            return format_html("{}", offer.error)
        return format_html(
            '{} <span class="dim">{} {}</span>', offer.error, _("tried again"), columns.when(offer.retry_at)
        )

    @admin.action(description=gettext_lazy("Try the stock again now"), permissions=["change"])
    def try_stock(self, request: HttpRequest, rows: QuerySet[Listing]) -> None:
        """Let the refused ones of the selected items be tried at once."""
        count = stock.try_again(listing_ids=sorted(rows.values_list("pk", flat=True)))
        text = ngettext("%(count)d item is tried again.", "%(count)d items are tried again.", count)
        messages.success(request, text % {"count": count})

    @admin.action(description=gettext_lazy("Tell the stock again"), permissions=["change"])
    def tell_stock(self, request: HttpRequest, rows: QuerySet[Listing]) -> None:
        """Tell the selected items anew: somebody may have changed them on the platform."""
        count = stock.forget(listing_ids=sorted(rows.values_list("pk", flat=True)))
        text = ngettext("%(count)d item is told again.", "%(count)d items are told again.", count)
        messages.success(request, text % {"count": count})

    @staticmethod
    def _offer(listing: Any) -> Offer | None:
        if not hasattr(listing, "offer"):
            listing.offer = offers([listing.pk]).get(listing.pk) if listing.pk else None
        found: Offer | None = listing.offer
        return found
