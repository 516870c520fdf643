"""Channel items: what they are made of, and the queue of those that nobody knows."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, ngettext
from django.views.decorators.http import require_POST

from channels_sync.admin import listing_files
from channels_sync.admin.listing_forms import ListingForm, PartInline
from channels_sync.admin.offer_columns import FAILING, WAITING, OfferColumns, say_what_stays_on_sale
from channels_sync.models import Listing, ListingPart, ListingState
from channels_sync.services import mapping, suggestions
from orderhub.console import columns
from orderhub.console.actions import actor_of, asked_first
from orderhub.console.change_list import SavedView
from orderhub.console.filters import ShopFilter
from orderhub.console.paging import Keyset
from orderhub.core import hooks
from orderhub.core.errors import HubError
from orderhub.core.wording import labelled

log = structlog.get_logger(__name__)

FOLLOW_AT_ONCE = 200
"""Open orders that follow before the page answers; the others follow by the job within a minute."""
TONES = {ListingState.MATCHED: "green", ListingState.UNMATCHED: "amber", ListingState.IGNORED: "faint"}
REASONS: dict[str, str | Promise] = {
    suggestions.SAME_CODE: gettext_lazy("the same code elsewhere"),
    suggestions.FORMULA: gettext_lazy("the code names its parts"),
    suggestions.LIKE_CODE: gettext_lazy("the same code in another spelling"),
    suggestions.SAME_TITLE: gettext_lazy("the same title elsewhere"),
    suggestions.CODE_WITHIN: gettext_lazy("the code holds it"),
    suggestions.TITLE: gettext_lazy("similar titles"),
}
EMPTY = {
    ListingState.UNMATCHED: gettext_lazy("Every channel item has its own SKU."),
    ListingState.MATCHED: gettext_lazy("Match items in the queue, or import a file."),
    ListingState.IGNORED: gettext_lazy("Nothing is ignored."),
}
IDS = ("shop", "item_id", "sku_id", "outer_id")


def _view(state: ListingState) -> SavedView:
    return SavedView(state.value, state.label, lambda rows: rows.filter(state=state), empty=EMPTY[state])


def parts_text(parts: Sequence[ListingPart]) -> str:
    """Return parts as people read them: `SERUM-30 × 2 + MASK-10`."""
    return " + ".join(part.sku if part.quantity == 1 else f"{part.sku} × {part.quantity}" for part in parts)


def suggestion_text(suggestion: Mapping[str, Any]) -> str:
    """Return a suggestion as people read it."""
    return " + ".join(sku if quantity == 1 else f"{sku} × {quantity}" for sku, quantity in suggestion["parts"])


@admin.register(Listing)
class ListingAdmin(OfferColumns):
    """The queue of unmatched items first; one click takes a suggestion, the form says anything else."""

    form = ListingForm
    change_list_template = "channels_sync/listing_list.html"
    keyset = Keyset(("last_seen_at", "id"))
    views = (
        _view(ListingState.UNMATCHED), _view(ListingState.MATCHED), _view(ListingState.IGNORED), FAILING, WAITING,
        SavedView("all", gettext_lazy("All"), empty=gettext_lazy("Items appear with the first orders of a channel.")),
    )  # fmt: skip
    list_display = ("name", "ids", "shop", "state_pill", "made_of", "stock", "seen")
    list_filter = (ShopFilter,)
    list_select_related = ("shop",)
    search_fields = ("outer_id__startswith", "item_id__startswith", "sku_id__startswith", "title__icontains")
    search_help_text = gettext_lazy("Merchant code, item id, title or own SKU")
    text_columns = ("name", "made_of")
    fields = ("shop", ("item_id", "sku_id", "outer_id"), "title", "spec", "state_pill", "suggested", "share_percent",
              "stock", "told", "refused_because", "first_seen_at", "last_seen_at")  # fmt: skip
    readonly_fields = ("state_pill", "suggested", "stock", "told", "refused_because", "first_seen_at", "last_seen_at")
    inlines = (PartInline,)
    actions = ("accept_best", "ignore", "reopen", "try_stock", "tell_stock")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the parts of a page in one query."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.prefetch_related("parts")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find items by the SKU they are made of, too."""
        rows, is_doubled = super().get_search_results(request, queryset, search_term)
        term = search_term.strip()
        if term:
            made_of = ListingPart.objects.filter(sku=term).values("listing_id")
            rows = rows | queryset.filter(pk__in=made_of)
        return rows, is_doubled

    def load_page(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Offer the one click to people who may change items; read what the channel shows of them."""
        self.load_offers(rows)
        may_accept = self.has_change_permission(request)
        for row in rows:
            row.may_accept = may_accept

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        """Fix what the channel says, once the item exists."""
        return (*IDS, "title", "spec", *self.readonly_fields) if obj else self.readonly_fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        """Ask for what names an item that is added by hand."""
        return self.fields if obj else ("shop", ("item_id", "sku_id", "outer_id"), "title", "spec", "share_percent")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: the channel would bring it again; ignore it instead."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Add the one click, and the way from and to files."""
        wrap = self.admin_site.admin_view
        own = [
            path("<int:listing_id>/accept/", wrap(require_POST(self.accept_view)), name="channels_sync_listing_accept"),
            path("import/", wrap(partial(listing_files.import_view, self)), name="channels_sync_listing_import"),
            path("export/", wrap(partial(listing_files.export_view, self)), name="channels_sync_listing_export"),
        ]
        return [*own, *super().get_urls()]

    def accept_view(self, request: HttpRequest, listing_id: int) -> HttpResponse:
        """Take the suggestion that the person saw."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        expected = request.POST.get("expected", "")
        problems = suggestions.accept(listing_ids=[listing_id], actor=actor_of(request), expected=expected or "?")
        if problems:
            messages.warning(request, problems[listing_id])
        else:
            messages.success(request, _("Matched with %(parts)s.") % {"parts": expected})
            follow(request, [listing_id])
        # The list as it was narrowed, which the address of this view does not tell.
        back = request.headers.get("Referer", "")
        is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
        return HttpResponseRedirect(back if is_ours and back else reverse("admin:channels_sync_listing_changelist"))

    def save_model(self, request: HttpRequest, obj: Listing, form: Any, change: bool) -> None:
        """Write only what the person changed: the stock turn and imports write to the same row meanwhile."""
        if not change:
            super().save_model(request, obj, form, change)
        elif form.changed_data:
            obj.save(update_fields=form.changed_data)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Say what the item is made of, by the service that lets open orders follow."""
        for formset in formsets:
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
            if not formset.has_changed():
                continue
            listing_id, actor = form.instance.pk, actor_of(request)
            if formset.parts:
                mapping.set_parts(listing_id=listing_id, parts=formset.parts, actor=actor)
            else:
                mapping.reopen(listing_ids=[listing_id], actor=actor)
                say_what_stays_on_sale(request, [listing_id])
            follow(request, [listing_id])

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        """Keep in the change log what the item is made of."""
        told: list[dict[str, Any]] = super().construct_change_message(request, form, formsets, add)
        for formset in formsets:
            if formset.has_changed():
                named = " + ".join(f"{part.quantity} x {part.sku}" for part in formset.parts) or "—"
                told.append({"changed": {"name": gettext_noop("parts"), "object": named, "fields": []}})
        return told

    @admin.action(description=gettext_lazy("Take the best suggestion"), permissions=["change"])
    def accept_best(self, request: HttpRequest, rows: QuerySet[Listing]) -> None:
        """Match the selected items by their best suggestions; each that cannot be is named."""
        names = {row.pk: str(row) for row in rows.order_by("pk")}
        problems = suggestions.accept(listing_ids=list(names), actor=actor_of(request))
        done = [pk for pk in names if pk not in problems]
        if done:
            text = ngettext("%(count)d item matched.", "%(count)d items matched.", len(done))
            messages.success(request, text % {"count": len(done)})
            follow(request, done)
        for pk, why in list(problems.items())[:10]:
            messages.warning(request, labelled(names[pk], why))
        if len(problems) > 10:
            messages.warning(request, _("… and %(count)d more.") % {"count": len(problems) - 10})

    @admin.action(description=gettext_lazy("Ignore: needs no SKU…"), permissions=["change"])
    def ignore(self, request: HttpRequest, rows: QuerySet[Listing]) -> HttpResponse | None:
        """Say that the selected items need no own SKU."""
        explain = _(
            "What they are made of is forgotten, and open orders follow. The hub tells the channel their stock no more."
        )
        chosen = asked_first(self, request, rows, title=_("Ignore: needs no SKU"), explain=explain)
        if isinstance(chosen, HttpResponse):
            return chosen
        self._leave(request, chosen, mapping.ignore)
        return None

    @admin.action(description=gettext_lazy("Back to the unmatched…"), permissions=["change"])
    def reopen(self, request: HttpRequest, rows: QuerySet[Listing]) -> HttpResponse | None:
        """Forget what the selected items are made of."""
        explain = _(
            "What they are made of is forgotten, and open orders follow: they wait until the items are matched again. "
            "Meanwhile the hub does not tell the channel their stock."
        )
        chosen = asked_first(self, request, rows, title=_("Back to the unmatched"), explain=explain)
        if isinstance(chosen, HttpResponse):
            return chosen
        self._leave(request, chosen, mapping.reopen)
        return None

    def _leave(self, request: HttpRequest, rows: QuerySet[Listing], do: Any) -> None:
        listing_ids = sorted(rows.values_list("pk", flat=True))
        count = do(listing_ids=listing_ids, actor=actor_of(request))
        text = ngettext("%(count)d item changed.", "%(count)d items changed.", count)
        messages.success(request, text % {"count": count})
        say_what_stays_on_sale(request, listing_ids)
        follow(request, listing_ids)

    @admin.display(description=gettext_lazy("item"))
    def name(self, listing: Listing) -> SafeString:
        """Title and variant."""
        if not listing.title:
            return format_html("{}", listing)
        spec = format_html(' <span class="dim">{}</span>', listing.spec) if listing.spec else ""
        return format_html("{}{}", listing.title, spec)

    @admin.display(description=gettext_lazy("code and ids"))
    def ids(self, listing: Listing) -> SafeString:
        """The merchant's code, and the channel's ids below it."""
        ids = " · ".join(filter(None, (listing.item_id, listing.sku_id)))
        code = listing.outer_id or _("no code")
        return format_html('<span class="num">{}</span><br><span class="dim num">{}</span>', code, ids)

    @admin.display(description=gettext_lazy("state"))
    def state_pill(self, listing: Listing) -> SafeString:
        """The state as a pill."""
        known = ListingState(listing.state) if listing.state in ListingState.values else ListingState.UNMATCHED
        mark = {"green": "✓ ", "amber": "● "}.get(TONES[known], "")
        return columns.pill(f"{mark}{known.label}", TONES[known])

    @admin.display(description=gettext_lazy("own SKUs"))
    def made_of(self, listing: Listing) -> SafeString:
        """The parts of a matched item, the suggestions of an unmatched one."""
        if listing.state == ListingState.MATCHED:
            return format_html('<span class="num">{}</span>', parts_text(list(listing.parts.all())))
        return _suggestions(listing) if listing.state == ListingState.UNMATCHED else columns.NOTHING

    @admin.display(description=gettext_lazy("suggestions"))
    def suggested(self, listing: Listing) -> SafeString:
        """What an unmatched item may be, on its own page."""
        rows = ((suggestion_text(row), why(row)) for row in listing.suggestions)
        return format_html_join("", '<div><span class="num">{}</span> <span class="dim">{}</span></div>', rows) or (
            columns.NOTHING
        )

    @admin.display(description=gettext_lazy("last seen"))
    def seen(self, listing: Listing) -> SafeString:
        """When an order last had it."""
        return columns.when(listing.last_seen_at)


def why(suggestion: Mapping[str, Any]) -> str:
    """Return the reason of a suggestion and how sure it is."""
    reason = REASONS.get(suggestion["reason"], suggestion["reason"])
    return _("%(score)s %%: %(reason)s") % {"score": suggestion["score"], "reason": reason}


def _suggestions(listing: Listing) -> SafeString:
    if not listing.suggestions:
        text = _("no suggestion") if listing.suggested_at else _("suggestions come within a minute")
        return format_html('<span class="dim">{}</span>', text)
    if not getattr(listing, "may_accept", False):
        rows = ((suggestion_text(row), why(row)) for row in listing.suggestions)
        return format_html_join(_(", "), '<span class="num" title="{1}">{0}</span>', rows)
    link = reverse("admin:channels_sync_listing_accept", args=[listing.pk])
    buttons = [
        (link, suggestions.text_of(row), why(row), suggestion_text(row), row["score"]) for row in listing.suggestions
    ]
    return format_html_join(
        " ",
        '<button type="submit" class="button small" formaction="{}" name="expected" value="{}" title="{}">'
        '{} <span class="dim num">{}%</span></button>',
        buttons,
    )


def follow(request: HttpRequest, listing_ids: Sequence[int]) -> None:
    """Let open orders follow once the change is committed, and tell how many did."""
    transaction.on_commit(partial(_follow, request, list(listing_ids)))


def _follow(request: HttpRequest, listing_ids: Sequence[int]) -> None:
    try:
        changed, left = hooks.remap(listing_ids, actor_of(request), FOLLOW_AT_ONCE)
    except (HubError, DatabaseError) as error:
        # The change itself is stored, and the job lets the orders follow.
        log.warning("open orders follow later", error=type(error).__name__)
        changed, left = 0, 1
    if changed:
        text = ngettext("%(count)d open order follows.", "%(count)d open orders follow.", changed)
        messages.info(request, text % {"count": changed})
    if left:
        messages.info(request, _("Other open orders follow within a minute."))
