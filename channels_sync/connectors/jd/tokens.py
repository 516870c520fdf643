"""Access tokens of JD (protocol reference 3.2): got with a code, renewed within their last day.

An expired token cannot be renewed, and renewals are limited by the month: they are asked for once a day at most.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.translation import gettext as _

from channels_sync import payloads
from channels_sync.connectors import http
from channels_sync.connectors.base import AuthorisationError, ShopAccess
from channels_sync.connectors.jd.client import passes
from orderhub.core.errors import TemporaryError

RENEW_BEFORE = timedelta(hours=24)
"""JD renews a token only in the 24 hours before it runs out."""


def refresh(access: ShopAccess) -> dict[str, str]:
    """Return the changed credentials after renewing the shop's token. Raises AuthorisationError when JD refuses."""
    return _tokens(access, "refresh_token", {"refresh_token": access.credential("refresh_token")})


def obtain(access: ShopAccess, code: str) -> dict[str, str]:
    """Return the credentials for the code that JD gave after a person authorised the shop."""
    return _tokens(access, "access_token", {"code": code}, grant="authorization_code")


def authorise_url(access: ShopAccess, redirect_uri: str, state: str) -> str:
    """Return the page on which the shop's owner lets the application in; the code comes to `redirect_uri`."""
    query = {
        "app_key": access.credential("app_key"),
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "state": state,
        "scope": "snsapi_base",
    }
    return f"{settings.JD_OAUTH_URL.rstrip('/')}/to_login?{urlencode(query)}"


def _tokens(access: ShopAccess, path: str, given: dict[str, str], grant: str = "refresh_token") -> dict[str, str]:
    secret = access.credential("app_secret")
    query = {"app_key": access.credential("app_key"), "app_secret": secret, "grant_type": grant, **given}
    secrets = (secret, *given.values())
    now = datetime.now(UTC)
    # Never repeated on the spot: a call that seems lost may have used the old token up.
    answer = http.get(f"{settings.JD_OAUTH_URL.rstrip('/')}/{path}", query=query, secrets=secrets)
    try:
        value = payloads.loads(answer.body, answer.content_type)
    except payloads.BodyError as error:
        raise TemporaryError(
            _("The answer of JD was cut short or is not JSON: %(reason)s") % {"reason": error}
        ) from error
    return _credentials(value if isinstance(value, dict) else {}, now, secrets)


def _credentials(value: Mapping[str, Any], now: datetime, secrets: tuple[str, ...]) -> dict[str, str]:
    token, renewal = value.get("access_token"), value.get("refresh_token")
    lifetime = str(value.get("expires_in", ""))
    if not token or not renewal or not (lifetime.isascii() and lifetime.isdigit()):
        reason = http.redact(f"{value.get('msg') or ''} ({value.get('code')})", secrets)[:200]
        if "code" not in value or passes(str(value["code"]), reason):
            raise TemporaryError(_("JD gives no new token just now: %(reason)s") % {"reason": reason})
        raise AuthorisationError(_("JD gives no new token: %(reason)s. Authorise the shop again.") % {"reason": reason})
    expires_at = now + timedelta(seconds=min(int(lifetime), 10 * 366 * 86_400))
    return {"access_token": str(token), "refresh_token": str(renewal), "expires_at": expires_at.isoformat()}
