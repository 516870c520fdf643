"""The Douyin gateway: parameters as text, signing, both envelopes, paced calls (protocol reference 4.1 to 4.3).

The rules are proved by the vectors in `tests/payloads/vectors/douyin.json`.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from django.conf import settings
from django.utils.translation import gettext as _

from channels_sync import payloads
from channels_sync.connectors import http, options
from channels_sync.connectors.base import CallBudget, ShopAccess, ThrottledError
from channels_sync.connectors.causes import Cause, because
from channels_sync.connectors.douyin.errors import RefusedError, douyin_error
from channels_sync.connectors.turns import volley, wait_for
from orderhub.core.errors import HubError, TemporaryError

Params = Mapping[str, Any]
SUCCESS = frozenset({10000, 10001})
"""10001: some rows of a batch failed; each row says so itself."""
SIGN_METHOD = "hmac-sha256"
"""It must be sent: without it the server verifies MD5, which the platform is retiring."""
ROUNDS = 4
"""How often a call that ran into a limit is made again within one run."""
CALLS_PER_SECOND = 50.0
WORKERS = 4


def param_json(params: Params) -> str:
    """Return the parameters as the text that is signed and sent: keys sorted at every level, compact, UTF-8."""
    return orjson.dumps(params, option=orjson.OPT_SORT_KEYS).decode()


def sign(app_key: str, secret: str, *, method: str, text: str, timestamp: str) -> str:
    """Return the lower-case signature of a call; `text` is its parameters. The secret wraps them and is the key."""
    bare = f"{secret}app_key{app_key}method{method}param_json{text}timestamp{timestamp}v2{secret}"
    return hmac.new(secret.encode(), bare.encode(), "sha256").hexdigest()


def event_sign(app_key: str, secret: str, body: bytes) -> str:
    """Return the `event-sign` header of a push over its raw bytes."""
    return hashlib.md5(app_key.encode() + body + secret.encode(), usedforsecurity=False).hexdigest()


class DouyinClient:
    """Calls the gateway with one application key and token. Safe for many threads."""

    def __init__(self, app_key: str, secret: str, access_token: str = "") -> None:
        self._app_key = app_key
        self._secret = secret
        self._access_token = access_token

    def call(self, method: str, params: Params, *, tries: int = http.TRIES) -> dict[str, Any]:
        """Return the `data` of one call (`order.searchList`).

        What passes soon is tried again on the spot (`tries` is 1 for what works once or is metered); raises HubError
        for the rest, ThrottledError for call limits.
        """
        return http.retrying(lambda: self._once(method, params), tries=tries)

    def _once(self, method: str, params: Params) -> dict[str, Any]:
        secrets = [secret for secret in (self._secret, self._access_token) if secret]
        text = param_json(params)
        timestamp = str(int(datetime.now(UTC).timestamp()))
        query = {
            "app_key": self._app_key,
            "method": method,
            "timestamp": timestamp,
            "v": "2",
            "sign_method": SIGN_METHOD,
            "sign": sign(self._app_key, self._secret, method=method, text=text, timestamp=timestamp),
        }
        if self._access_token:
            query["access_token"] = self._access_token
        url = f"{settings.DOUYIN_GATEWAY_URL.rstrip('/')}/{method.replace('.', '/')}"
        answer = http.post(url, content=text.encode(), content_type="application/json", query=query, secrets=secrets)
        try:
            value = payloads.loads(answer.body, answer.content_type)
        except payloads.BodyError as error:
            message = _("The answer of the platform was cut short or is not JSON: %(reason)s") % {"reason": error}
            raise because(Cause.ANSWER, TemporaryError(message)) from error
        return self._content(value, secrets)

    @staticmethod
    def _content(value: Any, secrets: Sequence[str]) -> dict[str, Any]:
        envelope = value if isinstance(value, dict) else {}
        code = _number(envelope.get("code"))
        if code is None:
            old = _number(envelope.get("err_no"))
            if old is None:
                raise TemporaryError(_("The answer of the platform has no known envelope."))
            code = 10000 if old == 0 else old
        if code in SUCCESS:
            data = envelope.get("data")
            return data if isinstance(data, dict) else {}
        message = str(envelope.get("sub_msg") or envelope.get("msg") or envelope.get("message") or "")
        raise douyin_error(code, str(envelope.get("sub_code") or ""), http.redact(message, secrets)[:300])


class Gateway:
    """The client of one shop, paced by the allowance of all workers; a call that ran into a limit is repeated."""

    def __init__(self, access: ShopAccess) -> None:
        self.access = access
        app_key = access.credential("app_key")
        self._client = DouyinClient(app_key, access.credential("app_secret"), access.credential("access_token"))
        rate = options.number(access.settings, "calls_per_second", CALLS_PER_SECOND, 0.1, 1000)
        self._workers = int(options.number(access.settings, "detail_workers", WORKERS, 1, 16))
        self._budget: CallBudget = access.budget(f"douyin:{app_key}", rate)

    def call(self, method: str, params: Params, *, tries: int = http.TRIES) -> dict[str, Any]:
        """Return the data of one call, with the `tries` of the client's. Raises HubError."""
        answer = _object_answer(self.answers(method, [params], tries=tries)[0])
        if isinstance(answer, HubError):
            raise answer
        return answer

    def many(self, method: str, wanted: Sequence[Params]) -> list[dict[str, Any] | HubError]:
        """Make many calls, a few at a time, and return their answers in order; what concerns one object only comes back
        as its error. Raises HubError for everything else."""
        return [_object_answer(answer) for answer in self.answers(method, wanted)]

    def answers(
        self, method: str, wanted: Sequence[Params], *, tries: int = http.TRIES
    ) -> list[dict[str, Any] | HubError]:
        """Make many calls like `many`, but return every error in its place. Raises ThrottledError only."""
        found: dict[int, dict[str, Any] | HubError] = {}
        throttled: ThrottledError | None = None
        for _round in range(ROUNDS):
            left = [place for place in range(len(wanted)) if place not in found]
            if not left:
                break
            throttled = None
            for place, answer in zip(left, self._volley(method, [wanted[place] for place in left], tries), strict=True):
                if isinstance(answer, ThrottledError):
                    throttled = answer
                else:
                    found[place] = answer
            if throttled is not None:
                self._budget.block(throttled.retry_after or 1.0)
        if throttled is not None:
            raise throttled
        return [found[place] for place in range(len(wanted))]

    def _volley(self, method: str, wanted: Sequence[Params], tries: int) -> list[dict[str, Any] | HubError]:
        def told(params: Params) -> dict[str, Any] | HubError:
            try:
                return self._client.call(method, params, tries=tries)
            except HubError as error:
                return error

        if len(wanted) == 1:
            wait_for(self._budget)
            return [told(wanted[0])]
        return volley(told, wanted, self._budget, workers=self._workers)


def _object_answer(answer: dict[str, Any] | HubError) -> dict[str, Any] | HubError:
    if isinstance(answer, HubError) and not isinstance(answer, RefusedError):
        raise answer
    return answer


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.lstrip("-").isdecimal() and text.isascii() and not isinstance(value, bool) else None
