"""The JOS gateway `routerjson`: signing, envelopes, errors (protocol reference 3.1 and 3.4).

Sources: JD's own worked example (open.jd.com dev-guide 2643) and the SDKs that reproduce it; the rules are proved by
the vectors in `tests/payloads/vectors`. Answers end in `_responce` (sic). A failure may come with HTTP 200 in three
forms: `error_response`, a bare `{code, errorMessage}`, and a result inside the envelope whose `success` is not true.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from channels_sync import payloads
from channels_sync.connectors import http
from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.causes import Cause, because
from channels_sync.connectors.fields import SHANGHAI
from orderhub.core.errors import HubError, TemporaryError

FORM = "application/x-www-form-urlencoded;charset=utf-8"

DAILY_LIMIT = "2"
PROBE_SECONDS = 60.0
"""The limit is one of the day, but JD may raise it any time: one call is spent now and then to see."""
_TOKEN_CODES = frozenset({"18", "19"})
_CLOCK_CODES = frozenset({"7", "8"})
_SIGN_CODES = frozenset({"11", "12"})
_APP_CODES = frozenset({"21", "24", "103", "2001"})
_PASSING_CODES = frozenset({"33", "65"})
_PASSING_WORDS = re.compile(r"超时|繁忙|稍后|系统异常|time.?out|busy|try again", re.IGNORECASE)
"""JD's list of codes is not public as a whole; a text like this is a failure that passes."""


RESULTS = ("totalCount", "vender_remark")
"""Results that prove a success where no flag tells of it."""


class RefusedError(HubError):
    """The service behind the gateway refuses this one object; other calls are not concerned."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def sign(params: Mapping[str, str], secret: str) -> str:
    """Return the upper-case MD5 signature of request parameters; exactly what is sent is signed."""
    bare = "".join(name + params[name] for name in sorted(params))
    return hashlib.md5(f"{secret}{bare}{secret}".encode(), usedforsecurity=False).hexdigest().upper()


def jd_time(moment: datetime) -> str:
    """Return a moment as `yyyy-MM-dd HH:mm:ss` in GMT+8."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def is_true(value: Any) -> bool:
    """Whether a flag of an answer is true; some services write it as text."""
    return value is True or str(value).lower() == "true"


def passes(code: str, message: str) -> bool:
    """Whether a refusal is one that passes by itself."""
    return code in _PASSING_CODES or bool(_PASSING_WORDS.search(message))


def jd_error(code: str, message: str, *, is_business: bool = False) -> HubError:
    """Return the error that an answer means: whether it passes, and what a person has to do.

    `is_business`: it came from the service behind the gateway, so it concerns one object only.
    """
    detail = {"code": code or "-", "message": message}
    if code in _TOKEN_CODES:
        return AuthorisationError(
            _("JD does not accept the access token (code %(code)s): authorise the shop.") % detail
        )
    if code == DAILY_LIMIT:
        text = _("The calls that JD allows this application in a day are used up: it is tried again until midnight.")
        wait = min(PROBE_SECONDS, _seconds_to_midnight())
        return because(Cause.QUOTA, ThrottledError(text, retry_after=wait))
    if code in _CLOCK_CODES:
        text = _("JD finds the time of the request wrong (code %(code)s): set the clock of this machine.")
        return because(Cause.CLOCK, TemporaryError(text % detail))
    if code in _SIGN_CODES:
        text = _("JD refuses the signature (code %(code)s): the application secret is wrong.")
        return because(Cause.SECRET, HubError(text % detail))
    if code in _APP_CODES:
        text = _("JD does not let this application or shop make the call: %(message)s (code %(code)s)")
        return because(Cause.SECRET if code == "21" else Cause.RIGHTS, HubError(text % detail))
    text = _("JD refused the call: %(message)s (code %(code)s)") % detail
    if passes(code, message):
        return TemporaryError(text)
    return RefusedError(text, code) if is_business else HubError(text)


class JdClient:
    """Calls one gateway with one application key and token. Safe for many threads."""

    def __init__(self, url: str, app_key: str, secret: str, token: str) -> None:
        self._url = url
        self._app_key = app_key
        self._secret = secret
        self._token = token

    def call(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of the `…_responce` envelope of one call; the caller looks for the proof of success in it.

        What passes soon is tried again on the spot; raises HubError for the rest, RefusedError for one object's.
        """
        return http.retrying(lambda: self._once(method, params))

    def result(self, method: str, params: Mapping[str, Any], *path: str) -> dict[str, Any]:
        """Return the object at `path` of the content of one call, after looking for its proof of success."""
        return http.retrying(lambda: proved(self._once(method, params), *path))

    def _once(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        secrets = (self._secret, self._token)
        form = {
            "method": method,
            "app_key": self._app_key,
            "access_token": self._token,
            "timestamp": jd_time(datetime.now(UTC)),
            "v": "2.0",
            "360buy_param_json": json.dumps(params, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
        }
        form["sign"] = sign(form, self._secret)
        answer = http.post(self._url, content=urlencode(form).encode(), content_type=FORM, secrets=secrets)
        try:
            value = payloads.loads(answer.body, answer.content_type)
        except payloads.BodyError as error:
            message = _("The answer of JD was cut short or is not JSON: %(reason)s") % {"reason": error}
            raise because(Cause.ANSWER, TemporaryError(message)) from error
        return _content(value, secrets)


def proved(content: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """Return the object at `path`. Raises HubError where no success is proved: HTTP 200 alone proves nothing."""
    inner: Any = content
    for name in path:
        inner = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(inner, dict):
        raise TemporaryError(_("The answer of JD lacks its result."))
    verdict = inner.get("apiResult", inner.get("api_jos_result", inner))
    verdict = verdict if isinstance(verdict, dict) else {}
    if is_true(verdict.get("success", any(inner.get(name) is not None for name in RESULTS))):
        return inner
    names = ("chineseErrCode", "chinese_err_code", "errorMsg", "errorMessage", "msg", "message", "englishErrCode")
    message = next((str(verdict[name]) for name in names if verdict.get(name)), "")
    codes = ("numberCode", "error_code", "errorCode", "code")
    code = next((str(verdict[name]) for name in codes if verdict.get(name)), "")
    raise jd_error(code, message[:300], is_business=True)


def _content(value: Any, secrets: tuple[str, ...]) -> dict[str, Any]:
    envelope = value if isinstance(value, dict) else {}
    for name, content in envelope.items():
        if name.endswith(("_responce", "_response")) and name != "error_response" and isinstance(content, dict):
            return _sound(content, secrets)
    error = envelope.get("error_response", envelope)
    if isinstance(error, dict) and error.get("code") is not None:
        raise jd_error(str(error["code"]), _message(error, secrets))
    raise TemporaryError(_("The answer of JD has no known envelope."))


def _sound(content: dict[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    if str(content.get("code", "0")) != "0":
        # Within the method's own envelope it is the service behind the gateway that speaks.
        raise jd_error(str(content["code"]), _message(content, secrets), is_business=True)
    return content


def _message(error: Mapping[str, Any], secrets: tuple[str, ...]) -> str:
    names = ("zh_desc", "errorMessage", "en_desc", "msg")
    return http.redact(next((str(error[name]) for name in names if error.get(name)), ""), secrets)[:300]


def _seconds_to_midnight() -> float:
    now = datetime.now(SHANGHAI)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - now).total_seconds()
