"""The pool's own panels of the order page."""

from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from orderhub.console.columns import owner_of
from orderhub.console.origins import CAME_BY, actor_word, warehouse_names
from orderhub.console.panels import OrderPanel, add_panel, fact_words
from orderhub.core.carriers import carrier_name
from orderhub.core.words import Change, EffectKind, Flag, Hold, Lane, Presale, Source, Status
from orderhub.models import Effect, Order, StockLevel
from orderhub.selectors.orders import OrderPage
from orderhub.services.reveal import PERMISSION as REVEAL
from orderhub.services.reveal import opening_quota

ICONS = {
    Source.CHANNEL: "storefront",
    Source.WAREHOUSE: "warehouse",
    Source.CARRIER: "local_shipping",
    Source.HUB: "hub",
    Source.PERSON: "person",
}
WAREHOUSE = "warehouse"
"""Names a warehouse by its code: among the facts of an entry, and before the colon of who did it."""
KINDS: dict[str, str | Promise] = {
    "intake": pgettext_lazy("timeline", "Taken in"),
    "change": pgettext_lazy("timeline", "Changed by the channel"),
    "status": pgettext_lazy("timeline", "Status changed"),
    "claim": pgettext_lazy("timeline", "Said"),
    "findings_accepted": pgettext_lazy("timeline", "Findings accepted"),
    "wms_push": pgettext_lazy("timeline", "Pushed to the warehouse"),
    "push_unanswered": pgettext_lazy("timeline", "No answer from the warehouse, which may have the order"),
    "warehouse_step": pgettext_lazy("timeline", "Step in the warehouse"),
    "warehouse_problem": pgettext_lazy("timeline", "Problem in the warehouse"),
    "parcel": pgettext_lazy("timeline", "Parcel handed to the carrier"),
    "handed_over": pgettext_lazy("timeline", "Everything handed to the carrier"),
    "part_handed_over": pgettext_lazy("timeline", "A part handed to the carrier"),
    "shipped_by_hand": pgettext_lazy("timeline", "Shipped by hand"),
    "shipment": pgettext_lazy("timeline", "Channel told of the parcel"),
    "memo": pgettext_lazy("timeline", "Remark or flag edited"),
    "memo_told": pgettext_lazy("timeline", "Remark and flag told to the channel"),
    "memo_failed": pgettext_lazy("timeline", "The channel did not take remark and flag"),
    "retried": pgettext_lazy("timeline", "Tried again by hand"),
}
"""Words for what happened; an unknown kind is shown as it is."""


def page_of(request: HttpRequest) -> OrderPage:
    """Return the page that the view has read."""
    page: OrderPage = request.hub_order_page  # type: ignore[attr-defined]
    return page


def lines(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return the lines with what is available of each SKU now."""
    rows = page_of(request).lines
    levels = StockLevel.objects.filter(sku__in={line.sku for line in rows}).values_list("sku", "on_hand", "reserved")
    available: dict[str, int] = {}
    for sku, on_hand, reserved in levels:
        available[sku] = available.get(sku, 0) + max(on_hand - reserved, 0)
    houses = warehouse_names() if any(line.warehouse for line in rows) else {}
    shown = [(line, available.get(line.sku), houses.get(line.warehouse, line.warehouse)) for line in rows]
    return {"lines": shown, "order": order}


def remarks(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return remarks and marks of buyer and seller, where there are any."""
    shown = {
        "buyer_remark": order.buyer_remark,
        "seller_remark": order.seller_remark,
        "flag": order.get_flag_display() if order.flag != Flag.NONE else "",
        "presale": order.get_presale_display() if order.presale != Presale.NONE else "",
        "channel_hold": dict(Hold.choices).get(order.channel_hold, order.channel_hold),
    }
    return shown if any(shown.values()) else {}


def receiver(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return the masked receiver and how personal data may be revealed."""
    return {
        "receiver": page_of(request).receiver,
        "order": order,
        "may_reveal": request.user.has_perm(REVEAL),
        "reveal_url": reverse("admin:orderhub_order_reveal", args=[order.pk]),
        "quota": settings.HUB_REVEALS_PER_HOUR,
        "opening": opening_quota(page_of(request).receiver, cast("User", request.user)),
    }


def path(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return the way the order has taken, where it is and what comes next."""
    css = {"done": "past", "now": "now", "ahead": "next"}
    steps = [
        {"status": step.status, "css": css[step.state], "at": step.at, "source": _source(step.source),
         "owner": owner_of(step.status)[0]}
        for step in page_of(request).path
    ]  # fmt: skip
    return {"steps": steps}


def claims(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return what each department says, and the two that contradict each other."""
    said = [
        {"source": _source(claim.source), "icon": ICONS[Source(claim.source)], "status": claim.status, "at": claim.at,
         "own_word": claim.own_word}
        for claim in page_of(request).claims
    ]  # fmt: skip
    spoken = [claim for claim in said if claim["status"]]
    return {"claims": said, "drift": spoken if order.has_drift else []}


def parcels(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return the parcels, where there are any."""
    rows = page_of(request).parcels
    return {"parcels": rows} if rows else {}


def effects(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return what the hub wants done for this order outside itself."""
    rows = list(Effect.objects.filter(order=order).defer("payload").order_by("id")[:20])
    return {"effects": rows} if rows else {}


def timeline(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return the newest entries of the timeline, the newest first."""
    rows = page_of(request).timeline
    told = {name for entry in rows if isinstance(entry.data, dict) for name in entry.data}
    if any(entry.actor.startswith(f"{WAREHOUSE}:") for entry in rows):
        told.add(WAREHOUSE)
    words = {name: ask() for name, ask in fact_words.items() if name in told}
    houses = words.get(WAREHOUSE)
    entries = [
        {"entry": entry, "icon": ICONS.get(Source(entry.source), "info") if entry.source in Source else "info",
         "what": KINDS.get(entry.kind, entry.kind), "source": _source(entry.source),
         "actor": actor_word(entry.actor, houses), "facts": _facts(entry.data, words)}
        for entry in rows
    ]  # fmt: skip
    return {"entries": entries}


_DATA_WORDS: dict[str, str | Promise] = {
    "reason": _("Reason"),
    "says": _("says"),
    "claim": _("says"),
    "lane": _("lane"),
    "urgent": _("urgent"),
    "findings": _("findings"),
    "unpriced": _("price not judged"),
    "changed": _("changed"),
    "via": _("came by"),
    "codes": _("findings"),
    "tracking_no": _("tracking number"),
    "carrier": _("carrier"),
    "pieces": _("pieces"),
    "too_many": _("pieces more than ordered"),
    "node": _("warehouse's word"),
    "info": _("said"),
    WAREHOUSE: _("warehouse"),
    "warehouse_order_id": _("number in the warehouse"),
    "attempts": _("attempts"),
    "code": _("delivery order"),
    "effects": _("sent again"),
    "repeat": _("there already"),
    "warehouse_code": _("the warehouse's own code"),
}

_CHANGES: dict[str, str | Promise] = {
    **dict(Change.choices), "seller_remark": _("seller's remark"), "flag": _("flag"),
}  # fmt: skip
"""What a channel changed, or a person about the memo."""


def _facts(data: Any, more_words: Mapping[str, Mapping[str, Any]]) -> list[tuple[Any, str]]:
    if not isinstance(data, dict):
        return []
    told = {name: value for name, value in data.items() if value not in (None, "", [])}
    for name, words in (("lane", dict(Lane.choices)), ("via", CAME_BY)):
        if name in told:
            told[name] = words.get(told[name], told[name])
    if "carrier" in told:
        told["carrier"] = carrier_name(str(told["carrier"]))
    if WAREHOUSE in told:
        told[WAREHOUSE] = more_words[WAREHOUSE].get(told[WAREHOUSE], told[WAREHOUSE])
    lists: dict[str, Mapping[str, Any]] = {
        "changed": _CHANGES, "effects": dict(EffectKind.choices), **more_words,
    }  # fmt: skip
    told |= {name: _in_words(data, name, words) for name, words in lists.items() if isinstance(told.get(name), list)}
    return [(_DATA_WORDS.get(name, name), _fact(value)) for name, value in told.items()]


def changes_shown(data: Any) -> str:
    """Return what the channel changed, of the data of an entry `change`, in words."""
    return _in_words(data, "changed", _CHANGES)


def effects_shown(data: Any) -> str:
    """Return what was tried again, of the data of an entry `retried`, in words."""
    return _in_words(data, "effects", dict(EffectKind.choices))


def _in_words(data: Any, key: str, words: Mapping[str, Any]) -> str:
    names = data.get(key) if isinstance(data, dict) else None
    return gettext(", ").join(str(words.get(name, name)) for name in names) if isinstance(names, list) else ""


def _fact(value: Any) -> str:
    if isinstance(value, list):
        return gettext(", ").join(_fact(item) for item in value)
    if value is True:
        return "✓"
    return str(Status(value).label) if isinstance(value, str) and value in Status.values else str(value)


def _source(source: str) -> str:
    return str(Source(source).label) if source in Source.values else source


fact_words.add(WAREHOUSE, warehouse_names)
P = "console/panels"
add_panel(OrderPanel("lines", _("Lines"), f"{P}/lines.html", lines, "left", 40))
add_panel(OrderPanel("remarks", _("Remarks"), f"{P}/remarks.html", remarks, "left", 50))
add_panel(OrderPanel("receiver", _("Receiver"), f"{P}/receiver.html", receiver, "left", 60))
add_panel(OrderPanel("path", _("Status"), f"{P}/path.html", path, "right", 20))
add_panel(OrderPanel("claims", _("What each department says"), f"{P}/claims.html", claims, "right", 40))
add_panel(OrderPanel("parcels", _("Parcels"), f"{P}/parcels.html", parcels, "right", 60))
add_panel(OrderPanel("effects", _("Sent and to be sent"), f"{P}/effects.html", effects, "right", 80))
add_panel(OrderPanel("timeline", _("Timeline"), f"{P}/timeline.html", timeline, "bottom", 20))
