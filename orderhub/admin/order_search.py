"""A search of the order list, remembered in the session: the address carries a random token, never what was typed.

The session keeps the ids that were found and a masked label, so no phone or name is stored in clear either.
"""

import secrets
from typing import Any

from django.http import HttpRequest

from orderhub.console.change_list import FOUND
from orderhub.core.contacts import mask_name, mask_phone, phone_tail
from orderhub.selectors.search import Found, Kind

FOUND_LIMIT = 200
"""Orders that a search shows at most."""
KEPT = 5
"""Searches that a session remembers."""
SESSION_KEY = "found_orders"


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
    """Return the masked label of the remembered search and whether there were more orders than shown."""
    entry = _entry(request)
    return None if entry is None else {"text": entry["label"], "more": entry["more"]}
