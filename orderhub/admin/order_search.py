"""A search of the order list, answered, then remembered in the session: the address carries a random token, never what
was typed.

The session keeps the ids that were found and a masked label, so no phone or name is stored in clear either.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from orderhub.console.change_list import FOUND
from orderhub.core.contacts import canonical_phone, mask_name, mask_phone, phone_tail
from orderhub.selectors.search import MANY, Found, FoundMany, Kind, find, find_many, numbers_in
from orderhub.services.limits import SEARCHES

LONGEST_LIST = 20_000
"""Characters of a pasted list of numbers."""
UNKNOWN_SHOWN = 20
FOUND_LIMIT = 200
"""Orders that a search shows at most."""
KEPT = 5
"""Searches that a session remembers."""
SESSION_KEY = "found_orders"
_PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)|^0\d{9,11}$|^\+")


def answer_search(request: HttpRequest) -> HttpResponseRedirect:
    """Look up what was typed and lead to the one order, or to the list of those that were found."""
    text = request.POST.get("text", "")[:LONGEST_LIST]
    numbers = numbers_in(text)
    if not SEARCHES.count(str(request.user.pk), max(1, sum(map(_is_phone, numbers[:MANY])))):
        messages.warning(request, _("Too many searches in a minute. Wait a moment."))
        return HttpResponseRedirect(_list_of())
    many = find_many(numbers) if numbers else FoundMany([], [])
    if not many.order_ids:
        # A list of which nobody knows anything may be one number in groups, as waybills print it.
        found = find(text, limit=FOUND_LIMIT)
        if len(found.order_ids) == 1:
            return HttpResponseRedirect(reverse("admin:orderhub_order_change", args=found.order_ids))
        if found.order_ids:
            return HttpResponseRedirect(_list_of(remember(request, text, found)))
    if numbers:
        return _answer_many(request, numbers, many)
    messages.warning(request, _("No order is known by that. Check the number, or search by another key."))
    return HttpResponseRedirect(_list_of())


def _answer_many(request: HttpRequest, numbers: Sequence[str], many: FoundMany) -> HttpResponseRedirect:
    """Show the orders of a pasted list, and say which of its numbers nobody knows."""
    if many.left_out:
        text = _("Only the first %(count)s numbers were looked for.")
        messages.warning(request, text % {"count": len(numbers) - many.left_out})
    if many.unknown:
        shown = _(", ").join(map(_shown, many.unknown[:UNKNOWN_SHOWN])) + (
            " …" if len(many.unknown) > UNKNOWN_SHOWN else ""
        )
        count = len(many.unknown)
        text = ngettext("%(count)d number is unknown: %(numbers)s", "%(count)d numbers are unknown: %(numbers)s", count)
        messages.warning(request, text % {"count": count, "numbers": shown})
    if not many.order_ids:
        return HttpResponseRedirect(_list_of())
    label = ngettext("%(count)d number", "%(count)d numbers", len(numbers)) % {"count": len(numbers)}
    found = Found(Kind.ORDER_NO, many.order_ids, many.more)
    return HttpResponseRedirect(_list_of(remember(request, label, found)))


def _shown(number: str) -> str:
    """Return an unknown number in a form that may be told: messages travel in a cookie that anybody can read."""
    if not number.isascii():
        return mask_name(number)
    return mask_phone(canonical_phone(number)) if _is_phone(number) else number


def _is_phone(number: str) -> bool:
    return _PHONE.search(canonical_phone(number)) is not None


def _list_of(token: str = "") -> str:
    """Return the address of the order list, of a remembered search where there is one."""
    address = reverse("admin:orderhub_order_changelist")
    return f"{address}?{FOUND}={token}" if token else address


def remember(request: HttpRequest, text: str, found: Found) -> str:
    """Keep what was found in the session and return the token for the address."""
    token = secrets.token_urlsafe(9)
    kept: dict[str, Any] = request.session.get(SESSION_KEY, {})
    entry = {"ids": found.order_ids, "label": masked(text, found.kind), "more": found.more}
    request.session[SESSION_KEY] = {**dict(list(kept.items())[-(KEPT - 1) :]), token: entry}
    return token


def masked(text: str, kind: Kind) -> str:
    """Return what was typed in a form that may be shown and stored."""
    text = text.strip()
    if kind == Kind.PHONE:
        return mask_phone(text)
    if kind == Kind.PHONE_TAIL:
        return f"****{phone_tail(text)}"
    if kind in {Kind.NAME, Kind.NICKNAME}:
        return mask_name(text)
    return text[:64]


def _entry(request: HttpRequest) -> dict[str, Any] | None:
    token = request.GET.get(FOUND)
    if not token:
        return None
    entry: dict[str, Any] = request.session.get(SESSION_KEY, {}).get(token) or {"ids": [], "label": "", "more": False}
    return entry


def found_ids(request: HttpRequest) -> list[int] | None:
    """Return the orders of the remembered search that the address names, None when it names none."""
    entry = _entry(request)
    return None if entry is None else list(entry["ids"])


def found_label(request: HttpRequest) -> dict[str, Any] | None:
    """Return the masked label of the remembered search, how many orders it shows and whether there were more."""
    entry = _entry(request)
    return None if entry is None else {"text": entry["label"], "more": entry["more"], "shown": len(entry["ids"])}
