"""Tokens of a shop: made from an authorisation code or by the shop's own application, refreshed before they run out.

Protocol reference 4.2: more than an hour before its end a refresh returns the same tokens; within the last hour it
returns new ones and the old access token lives on for an hour, so that two workers who refresh at once both get a
token that works. A refresh token lives 14 days.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.translation import gettext as _

from channels_sync.connectors import http
from channels_sync.connectors.base import AuthorisationError, ShopAccess
from channels_sync.connectors.douyin.client import DouyinClient
from orderhub.core.errors import HubError, TemporaryError

ABSOLUTE_FROM = 1_000_000_000
"""`expires_in` is seconds in one place of the platform's documents and a unix time in another."""


def new_token(access: ShopAccess) -> dict[str, Any]:
    """Return the credentials that change with a new token: access_token, refresh_token, expires_at, authorization_code.

    A refresh token is used first; when the platform refuses it, or there is none, a token is made from the code of an
    authorisation, or for the shop's own application by the shop's number. Raises AuthorisationError when none of it
    works, TemporaryError when it may work later.
    """
    client = DouyinClient(access.credential("app_key"), access.credential("app_secret"))
    refusal: HubError | None = None
    for method, params in _ways(access.credentials):
        try:
            data = client.call(method, params, tries=1 if params.get("code") else http.TRIES)
        except HubError as error:
            if not error.permanent:
                raise
            refusal = error
            continue
        return _credentials(data, datetime.now(UTC))
    if refusal is None:
        raise AuthorisationError(_("There is neither a refresh token nor a code: authorise the shop."))
    raise AuthorisationError(str(refusal)) from refusal


def obtain(access: ShopAccess, code: str) -> dict[str, Any]:
    """Return the credentials that change with the token for a code: valid ten minutes, used once. Raises HubError."""
    client = DouyinClient(access.credential("app_key"), access.credential("app_secret"))
    # Never repeated on the spot: a call that seems lost may have used the code up.
    data = client.call("token.create", {"grant_type": "authorization_code", "code": code}, tries=1)
    return _credentials(data, datetime.now(UTC))


def authorise_url(access: ShopAccess, state: str) -> str:
    """Return the page of the service market on which a shop lets an application of a third party in.

    Raises HubError for the shop's own application, which needs none.
    """
    service_id = str(access.settings.get("service_id") or "")
    if not service_id:
        raise HubError(
            _("Set service_id in the shop's settings; the shop's own application gets its token by the shop's number.")
        )
    return f"{settings.DOUYIN_AUTHORISE_URL}?{urlencode({'service_id': service_id, 'state': state})}"


def _ways(credentials: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    ways = []
    if token := credentials.get("refresh_token"):
        ways.append(("token.refresh", {"grant_type": "refresh_token", "refresh_token": str(token)}))
    if code := credentials.get("authorization_code"):
        ways.append(("token.create", {"grant_type": "authorization_code", "code": str(code)}))
    elif shop_id := credentials.get("shop_id"):
        ways.append(("token.create", {"grant_type": "authorization_self", "code": "", "shop_id": str(shop_id)}))
    return ways


def _credentials(data: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    token = data.get("access_token")
    if not isinstance(token, str) or not token:
        raise TemporaryError(_("The platform returned no token."))
    found = {
        "access_token": token,
        "expires_at": _end(data.get("expires_in"), now).isoformat(),
        "authorization_code": "",
    }
    if data.get("refresh_token"):
        found["refresh_token"] = str(data["refresh_token"])
    if data.get("shop_id"):
        found["shop_id"] = str(data["shop_id"])
    return found


def _end(value: Any, now: datetime) -> datetime:
    """Return when a token runs out; an hour from now where the platform says nothing that can be read."""
    try:
        seconds = int(value)
        return datetime.fromtimestamp(seconds, UTC) if seconds > ABSOLUTE_FROM else now + timedelta(seconds=seconds)
    except (TypeError, ValueError, OverflowError, OSError):
        return now + timedelta(hours=1)
