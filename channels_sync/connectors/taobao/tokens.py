"""Sessions of Taobao (protocol reference 1.5): got with a code; renewed only for applications that the platform lets.

An application of the merchant itself gets sessions of a fixed length and is authorised again by a person; one that is
sold on the service market has a refresh token. How long a session lives depends on the application: the answer says.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.translation import gettext as _

from channels_sync import payloads
from channels_sync.connectors.base import AuthorisationError, ShopAccess
from channels_sync.connectors.taobao.client import RefusedError, TopClient
from orderhub.core.errors import HubError, TemporaryError

CREATE, REFRESH = "taobao.top.auth.token.create", "taobao.top.auth.token.refresh"
USER = "taobao_user_id"
"""The seller whose session it is: messages of one application's queue are told apart by it."""
LONGEST_LIFE = 10 * 366 * 86_400


def authorise_url(access: ShopAccess, redirect_uri: str, state: str) -> str:
    """Return the page on which the seller lets the application in; the code comes to `redirect_uri`."""
    query = {
        "response_type": "code", "client_id": access.credential("app_key"), "redirect_uri": redirect_uri,
        "state": state, "view": "web",
    }  # fmt: skip
    return f"{settings.TAOBAO_AUTHORISE_URL}?{urlencode(query)}"


def obtain(access: ShopAccess, code: str) -> dict[str, Any]:
    """Return the credentials that change with the session for a code. Raises HubError."""
    return _session(_client(access).call(CREATE, {"code": code}, tries=1), datetime.now(UTC))


def refresh(access: ShopAccess) -> dict[str, Any]:
    """Return the credentials that change with a renewal. Raises AuthorisationError when the platform refuses it."""
    now = datetime.now(UTC)
    try:
        # Never repeated on the spot: a call that seems lost may have used the refresh token up.
        return _session(
            _client(access).call(REFRESH, {"refresh_token": access.credential("refresh_token")}, tries=1), now
        )
    except RefusedError as error:
        raise AuthorisationError(str(error)) from error


def _client(access: ShopAccess) -> TopClient:
    method = str(access.settings.get("sign_method", "md5"))
    key, secret = access.credential("app_key"), access.credential("app_secret")
    return TopClient(settings.TAOBAO_GATEWAY_URL, key, secret, "", sign_method=method)


def _session(content: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Read `token_result`, which is JSON in a text."""
    try:
        value = payloads.loads(str(content.get("token_result", "")).encode())
    except payloads.BodyError as error:
        raise TemporaryError(_("The platform returned no token.")) from error
    value = value if isinstance(value, dict) else {}
    session = value.get("access_token")
    if not isinstance(session, str) or not session:
        raise HubError(_("The platform returned no token."))
    found: dict[str, Any] = {"session": session, "refresh_token": str(value.get("refresh_token") or "")}
    if value.get("taobao_user_id"):
        found[USER] = str(value["taobao_user_id"])
    seconds = str(value.get("expires_in", ""))
    if seconds.isascii() and seconds.isdigit():
        found["expires_at"] = (now + timedelta(seconds=min(int(seconds), LONGEST_LIFE))).isoformat()
    return found
