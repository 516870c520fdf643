"""Calls of the WeChat shop API: JSON both ways, HTTP status 200 for errors too (protocol reference 5.1 to 5.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.utils.translation import gettext as _

from channels_sync import payloads
from channels_sync.connectors import http, options
from channels_sync.connectors.base import ShopAccess, ThrottledError
from channels_sync.connectors.causes import Cause, because
from channels_sync.connectors.turns import volley
from channels_sync.connectors.wechat.errors import TokenRefusedError, address_error, wechat_error
from channels_sync.connectors.wechat.token import Tokens
from orderhub.core.errors import HubError, TemporaryError

Body = Mapping[str, Any]
Content = dict[str, Any]

ROUNDS = 4
"""How often a call that ran into a limit is made again within one run."""


@dataclass(slots=True, frozen=True)
class Options:
    """What a shop's settings may change: `calls_per_second` of its application (the platform takes 10,000 a minute and
    500,000 a day), `detail_workers` (calls at once), `page_size` (100 the most)."""

    calls_per_second: float = 50.0
    detail_workers: int = 8
    page_size: int = 100

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Options":
        """Return the options of a shop; values that make no sense are brought into range."""
        return cls(
            calls_per_second=options.number(values, "calls_per_second", 50, 0.1, 1000),
            detail_workers=int(options.number(values, "detail_workers", 8, 1, 32)),
            page_size=int(options.number(values, "page_size", 100, 1, 100)),
        )


class WechatClient:
    """Calls the API for one shop, within the call budget of its application.

    `queue` names a budget beside the common one: what the platform limits by itself must not stop everything else.
    """

    def __init__(self, access: ShopAccess, queue: str = "") -> None:
        self.options = Options.of(access.settings)
        self._url = settings.WECHAT_GATEWAY_URL.rstrip("/")
        self._tokens = Tokens(self._url, access)
        key = ":".join(filter(None, ("wechat", access.credential("app_id"), queue)))
        self._budget = access.budget(key, self.options.calls_per_second)

    def call(self, path: str, body: Body, *, tries: int = http.TRIES) -> Content:
        """Return the answer of one call. Raises HubError; `tries` is 1 for what must not be sent twice unseen."""
        (answer,) = self.many(path, [body], tries=tries)
        if isinstance(answer, HubError):
            raise answer
        return answer

    def many(self, path: str, bodies: Sequence[Body], *, tries: int = http.TRIES) -> list[Content | HubError]:
        """Return the answer or the error of each call, in the given order; a few run at once.

        Calls that ran into a limit are made again when it is over, unless that is far away.
        """
        answers: dict[int, Content | HubError] = {}
        left = list(range(len(bodies)))

        def told(place: int) -> Content | HubError:
            try:
                return self._with_token(path, orjson.dumps(bodies[place]), tries)
            except HubError as error:
                return error

        for _round in range(ROUNDS):
            if not left:
                break
            answers |= zip(left, volley(told, left, self._budget, workers=self.options.detail_workers), strict=True)
            left = [place for place in left if isinstance(answers[place], ThrottledError)]
            bans = [_seconds(answers[place]) for place in left]
            if bans:
                self._budget.block(max(bans))
        return [answers[place] for place in range(len(bodies))]

    def _with_token(self, path: str, body: bytes, tries: int) -> Content:
        token = self._tokens.current()
        try:
            return http.retrying(lambda: self._once(path, body, token), tries=tries)
        except TokenRefusedError:
            token = self._tokens.renewed(token)
            return http.retrying(lambda: self._once(path, body, token), tries=tries)

    def _once(self, path: str, body: bytes, token: str) -> Content:
        try:
            answer = http.post(
                self._url + path,
                content=body,
                content_type="application/json",
                query={"access_token": token},
                secrets=(token,),
            )
            value = payloads.loads(answer.body, answer.content_type)
        except http.StatusError as error:
            raise address_error() if error.status == 403 else error from error
        except payloads.BodyError as error:
            message = _("The answer of the platform was cut short or is not JSON: %(reason)s") % {"reason": error}
            raise because(Cause.ANSWER, TemporaryError(message)) from error
        if not isinstance(value, dict) or not isinstance(value.get("errcode"), int):
            raise TemporaryError(_("The answer of the platform has no known envelope."))
        if value["errcode"]:
            raise wechat_error(value["errcode"], http.redact(str(value.get("errmsg", ""))[:300], (token,)))
        return value


def usable(answer: Content | HubError, harmless: type[HubError]) -> Content | HubError:
    """Return an answer, or an error that concerns one object only; raise any other."""
    if isinstance(answer, HubError) and not isinstance(answer, harmless):
        raise answer
    return answer


def _seconds(answer: Content | HubError) -> float:
    return (answer.retry_after or 1.0) if isinstance(answer, HubError) else 0.0
