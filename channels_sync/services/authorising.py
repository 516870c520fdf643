"""Authorising a shop on its platform's own page: out with a signed state, back with a code.

The state names shop and person, is signed, lives ten minutes and works once: the person's browser session holds its
other half, so that a link that somebody else made cannot connect a foreign account to a shop.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from channels_sync.connectors.base import abilities_of
from channels_sync.services import tokens
from channels_sync.services.access import shop_access
from orderhub.core.errors import HubError
from orderhub.models import Shop

SALT = "channels_sync.authorising"
LIFE_SECONDS = 600
"""As long as a platform's code lives at most."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the person, and what their session has to keep."""

    url: str
    nonce: str


def begin(*, shop: Shop, user_id: int, redirect_uri: str) -> Begun:
    """Return the platform's page for this shop. Raises HubError where it has none or something is missing for it."""
    connector = abilities_of(shop.platform)
    if not connector.authorises:
        raise HubError(_("This platform has no page for an authorisation."))
    nonce = secrets.token_urlsafe(16)
    state = signing.dumps([shop.pk, user_id, nonce], salt=SALT)
    return Begun(connector.authorise_url(shop_access(shop), redirect_uri, state), nonce)


def finish(*, state: str, code: str, user_id: int, nonce: str, actor: str) -> Shop:
    """Exchange the code that came back and return the shop that has a session now. Raises HubError, nothing changed.

    `nonce` is what the person's session kept, empty when it kept nothing.
    """
    try:
        content: Any = signing.loads(state, salt=SALT, max_age=LIFE_SECONDS)
    except signing.SignatureExpired as error:
        raise HubError(_("The authorisation took longer than ten minutes: begin again on the shop's page.")) from error
    except signing.BadSignature as error:
        raise HubError(_("This authorisation was not begun here: begin it on the shop's page.")) from error
    shop_id, of_user, of_session = content
    if of_user != user_id or not constant_time_compare(of_session, nonce):
        raise HubError(_("This authorisation was not begun here: begin it on the shop's page."))
    tokens.obtain(shop_id=shop_id, code=code, actor=actor)
    return Shop.objects.get(pk=shop_id)
