"""Access tokens (protocol reference 5.1): `stable_token` hands the same token to everybody who asks while it lives.

So any number of workers may ask at any time and none takes another's token away. A forced renewal does that; it is the
last resort, after the platform refused a token that it still hands out.
"""

import hashlib
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.utils.translation import gettext as _

from channels_sync import payloads
from channels_sync.connectors import http
from channels_sync.connectors.base import AuthorisationError, ShopAccess, ThrottledError
from channels_sync.connectors.causes import Cause, because
from channels_sync.connectors.wechat.errors import PROBE_SECONDS, address_error, wechat_error
from orderhub.core.errors import TemporaryError

PATH = "/cgi-bin/stable_token"
MARGIN = 240.0
"""Seconds before its end that a token is renewed; the platform has the next one ready 5 minutes before."""
FORCE_PAUSE = 30.0
"""The platform takes forced renewals 30 seconds apart, 20 a day."""


@dataclass(slots=True)
class Token:
    """A token and the moment (`time.monotonic`) from which another one is wanted."""

    value: str
    renew_at: float


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: Token | None = None
    forced_at: float = float("-inf")


_slots: dict[str, _Slot] = {}
_slots_lock = threading.Lock()


class Tokens:
    """The token of one application, shared by the threads of this process."""

    def __init__(self, url: str, access: ShopAccess) -> None:
        self._url = url
        self._app_id = access.credential("app_id")
        self._secret = access.credential("app_secret")
        identity = "\n".join((url, self._app_id, self._secret)).encode()
        with _slots_lock:
            self._slot = _slots.setdefault(hashlib.sha256(identity).hexdigest(), _Slot())
            if self._slot.token is None:
                self._slot.token = _stored(access)

    def current(self) -> str:
        """Return a token that lives, asking for one when none is at hand."""
        with self._slot.lock:
            token = self._slot.token
            if token is None or time.monotonic() >= token.renew_at:
                token = self._slot.token = _token(*self.ask())
            return token.value

    def renewed(self, refused: str) -> str:
        """Return another token than the one that the platform refused. Raises AuthorisationError, TemporaryError."""
        with self._slot.lock:
            token = self._slot.token
            if token is None or token.value == refused:
                token = _token(*self.ask())
            if token.value == refused:
                token = _token(*self._forced())
            self._slot.token = token
            return token.value

    def ask(self, *, force: bool = False) -> tuple[str, float]:
        """Ask the platform and return the token with the seconds it still has: often fewer than 7200."""
        body = {
            "grant_type": "client_credential",
            "appid": self._app_id,
            "secret": self._secret,
            "force_refresh": force,
        }
        return http.retrying(lambda: self._once(orjson.dumps(body)))

    def _forced(self) -> tuple[str, float]:
        wait = self._slot.forced_at + FORCE_PAUSE - time.monotonic()
        if wait > 0:
            raise TemporaryError(_("The access token was renewed a moment ago and is refused again."), retry_after=wait)
        self._slot.forced_at = time.monotonic()
        try:
            return self.ask(force=True)
        except ThrottledError as error:
            # A limit of its own (20 a day): it forbids no other call, and the token given out may be taken again soon.
            text = _("The platform renews no token by force for now; the one that it gives out is tried again.")
            wait = min(error.retry_after or PROBE_SECONDS, PROBE_SECONDS)
            raise because(Cause.LIMIT, TemporaryError(text, retry_after=wait)) from error

    def _once(self, body: bytes) -> tuple[str, float]:
        try:
            answer = http.post(self._url + PATH, content=body, content_type="application/json", secrets=(self._secret,))
            value = payloads.loads(answer.body, answer.content_type)
        except http.StatusError as error:
            raise address_error() if error.status == 403 else error from error
        except payloads.BodyError as error:
            message = _("The answer of the platform was cut short or is not JSON: %(reason)s") % {"reason": error}
            raise because(Cause.ANSWER, TemporaryError(message)) from error
        value = value if isinstance(value, dict) else {}
        if value.get("errcode"):
            message = http.redact(str(value.get("errmsg", ""))[:300], (self._secret,))
            raise wechat_error(int(value["errcode"]), message)
        token, seconds = value.get("access_token"), value.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(seconds, int | float):
            raise TemporaryError(_("The answer of the platform has no known envelope."))
        return token, float(seconds)


def credentials_of(token: str, seconds: float) -> dict[str, Any]:
    """Return a token as credentials: `access_token` and `expires_at` (ISO, UTC)."""
    return {"access_token": token, "expires_at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}


def _token(value: str, seconds: float) -> Token:
    return Token(value, time.monotonic() + max(seconds - min(MARGIN, seconds / 5), 0.0))


def _stored(access: ShopAccess) -> Token | None:
    """Return the token that was kept with the shop's credentials, while it lives."""
    try:
        end = datetime.fromisoformat(str(access.credentials.get("expires_at", "")))
        left = (end - datetime.now(UTC)).total_seconds()
        return _token(access.credential("access_token"), left) if left > MARGIN else None
    except (ValueError, TypeError, AuthorisationError):
        return None
