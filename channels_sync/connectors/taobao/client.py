"""The TOP gateway: signing, envelopes, errors (protocol reference 1.1 to 1.4).

Sources: developer.alibaba.com article 101617; the official Java SDK `com.taobao.api`. The rules are proved by the
vectors in `tests/payloads/vectors`.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from channels_sync import payloads
from channels_sync.connectors import http
from channels_sync.connectors.base import AuthorisationError, CallBudget, ThrottledError
from channels_sync.connectors.causes import Cause, because
from channels_sync.connectors.fields import SHANGHAI
from channels_sync.connectors.turns import turn
from orderhub.core.errors import HubError, TemporaryError

FORM = "application/x-www-form-urlencoded;charset=utf-8"

_SECONDS = re.compile(r"(\d+)\s*(?:more\s+)?(?:second|秒)")
_SESSION_CODES = frozenset({26, 27, 53})
_LIMIT_CODES = frozenset({4, 5, 6, 7, 8})
_METHOD_LIMITS = frozenset(
    {"accesscontrol.limited-by-api-access-count", "accesscontrol.limited-by-app-api-access-count"}
)
"""Limits on one method. A used-up day of one must not stop the orders (protocol reference 1.4)."""
_CLOCK_CODES = frozenset({30, 31})
_REMOTE_CODES = frozenset({15, 50})
_CAUSES = {11: Cause.RIGHTS, 12: Cause.RIGHTS, 13: Cause.RIGHTS, 28: Cause.SECRET, 29: Cause.SECRET, 42: Cause.RIGHTS}
DEFAULT_BAN_SECONDS = 2.0
"""The wait after a call-limit answer that names no seconds."""


class RefusedError(HubError):
    """The service behind the gateway refuses this one object (`isv.…`); other calls are not concerned."""


def sign(params: Mapping[str, str], secret: str, *, method: str = "md5", body: bytes = b"") -> str:
    """Return the upper-case signature of request parameters; `body` are the raw bytes of APIs that post one.

    `method` is md5, hmac (HMAC-MD5) or hmac-sha256. Empty keys and values take no part.
    """
    bare = "".join(key + params[key] for key in sorted(params) if key and params[key]).encode() + body
    key = secret.encode()
    if method == "md5":
        return hashlib.md5(key + bare + key, usedforsecurity=False).hexdigest().upper()
    digest = {"hmac": "md5", "hmac-sha256": "sha256"}[method]
    return hmac.new(key, bare, digest).hexdigest().upper()


def top_time(moment: datetime) -> str:
    """Return a moment as `yyyy-MM-dd HH:mm:ss` in GMT+8."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def top_error(code: int, sub_code: str, message: str) -> HubError:
    """Return the error that a gateway answer means: whether it passes, and what a person has to do."""
    detail = {"code": code, "sub_code": sub_code or "-", "message": message}
    if code in _SESSION_CODES:
        return AuthorisationError(
            _("The platform does not accept the session any more (code %(code)s): authorise the shop again.") % detail
        )
    if code in _LIMIT_CODES:
        return _limit(detail, is_narrow=sub_code in _METHOD_LIMITS)
    if code in _CLOCK_CODES:
        wrong = _("The platform finds the time of the request wrong (code %(code)s): set the clock of this machine.")
        return because(Cause.CLOCK, TemporaryError(wrong % detail))
    if code == 25:
        text = _("The platform refuses the signature (code 25): the application secret is wrong.")
        return because(Cause.SECRET, HubError(text))
    text = _("The platform refused the call: %(message)s (code %(code)s, %(sub_code)s)") % detail
    if code == 10 or (code in _REMOTE_CODES and sub_code.startswith("isp.")):
        return TemporaryError(text)
    return RefusedError(text) if code in _REMOTE_CODES else because(_CAUSES.get(code, Cause.REFUSED), HubError(text))


def _limit(detail: Mapping[str, Any], *, is_narrow: bool) -> ThrottledError:
    seconds = _ban_seconds(detail["message"])
    text = _("The platform limits the calls (code %(code)s): it asks to wait %(seconds)s seconds.")
    error = ThrottledError(text % {**detail, "seconds": f"{seconds:g}"}, retry_after=seconds)
    error.is_narrow = is_narrow
    return error


def _ban_seconds(message: str) -> float:
    found = _SECONDS.search(message)
    return max(float(found.group(1)), 1.0) if found else DEFAULT_BAN_SECONDS


class TopClient:
    """Calls one gateway with one application key and session, each call in a turn of `budget`; without one, who calls
    keeps to the limit. Safe for many threads."""

    def __init__(
        self,
        url: str,
        app_key: str,
        secret: str,
        session: str,
        *,
        sign_method: str = "md5",
        budget: CallBudget | None = None,
    ) -> None:
        self._url = url
        self._app_key = app_key
        self._secret = secret
        self._session = session
        self._sign_method = sign_method
        self._budget = budget

    def call(self, method: str, params: Mapping[str, str], *, tries: int = http.TRIES) -> dict[str, Any]:
        """Return the content of the `…_response` envelope of one call.

        What passes soon is tried again on the spot (`tries` is 1 for what must not be sent twice unseen); raises
        HubError for the rest, ThrottledError for call limits.
        """
        with turn(self._budget) if self._budget else nullcontext():
            return http.retrying(lambda: self._once(method, params), tries=tries)

    def _once(self, method: str, params: Mapping[str, str]) -> dict[str, Any]:
        secrets = (self._secret, self._session)
        form = {
            **params,
            "method": method,
            "app_key": self._app_key,
            "session": self._session,
            "timestamp": top_time(datetime.now(UTC)),
            "format": "json",
            "v": "2.0",
            "sign_method": self._sign_method,
        }
        form = {key: value for key, value in form.items() if value}
        form["sign"] = sign(form, self._secret, method=self._sign_method)
        answer = http.post(self._url, content=urlencode(form).encode(), content_type=FORM, secrets=secrets)
        try:
            value = payloads.loads(answer.body, answer.content_type)
        except payloads.BodyError as error:
            message = _("The answer of the platform was cut short or is not JSON: %(reason)s") % {"reason": error}
            raise because(Cause.ANSWER, TemporaryError(message)) from error
        return self._content(value, secrets)

    @staticmethod
    def _content(value: Any, secrets: tuple[str, ...]) -> dict[str, Any]:
        envelope = value if isinstance(value, dict) else {}
        error = envelope.get("error_response")
        if isinstance(error, dict):
            message = str(error.get("sub_msg") or error.get("msg") or "")
            raise top_error(_code(error), str(error.get("sub_code") or ""), http.redact(message, secrets)[:300])
        for key, content in envelope.items():
            if key.endswith("_response") and isinstance(content, dict):
                return content
        raise TemporaryError(_("The answer of the platform has no known envelope."))


def _code(error: Mapping[str, Any]) -> int:
    code = str(error.get("code", ""))
    return int(code) if code.isascii() and code.isdigit() else -1
