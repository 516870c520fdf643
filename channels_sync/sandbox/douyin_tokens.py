"""Tokens of the Douyin gateway (protocol reference 4.2)."""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.douyin_errors import DouyinError
from channels_sync.sandbox.store import Store

_TOKENS = "douyin_tokens"
_REFRESH = "douyin_refresh_token"
LIFETIME = 7 * 86_400
HOUR = 3_600
Params = Mapping[str, Any]


class Tokens:
    """Tokens handed out here are kept over a restart; the one of the credentials is valid until it is revoked."""

    def __init__(self, store: Store, credentials: Credentials, now: Callable[[], datetime]) -> None:
        self._store = store
        self._credentials = credentials
        self._now = now
        self.is_revoked = False
        self.rotates = False
        """Whether a refresh that gives a new token gives a new refresh token too, and the old one is dead."""

    def check(self, token: str) -> None:
        """Raise DouyinError for a token that is not valid."""
        if self.is_revoked:
            raise DouyinError(30001, "dop.authorization-closed", "店铺授权已被关闭,请联系商家打开授权开关")
        if token == self._credentials.douyin_token:
            return
        ends = self._known().get(token)
        if ends is None:
            raise DouyinError(40003, "isv.access-token-no-existed", "access_token不存在,请使用最新的access_token访问")
        if ends < self._now().timestamp():
            raise DouyinError(40003, "isv.access-token-expired", "access_token已过期")

    def create(self, params: Params) -> dict[str, Any]:
        """Answer `token.create`: by code, or for the shop's own application by the shop's number."""
        if self.is_revoked:
            raise DouyinError(50001, "dop.token-generate-failed:no-authorization", "店铺未授权")
        kind = params.get("grant_type")
        by_code = kind == "authorization_code" and params.get("code") == self._credentials.douyin_code
        own = kind == "authorization_self" and str(params.get("shop_id")) == self._credentials.douyin_shop_id
        if not by_code and not own:
            raise DouyinError(50001, "dop.token-generate-failed:code-expired", "授权码已过期")
        return self._issue()

    def refresh(self, params: Params) -> dict[str, Any]:
        """Answer `token.refresh`. More than an hour before its end the present token comes back; in the last hour a new
        one does, and the old one lives on for an hour."""
        if self.is_revoked or params.get("refresh_token") != self._refresh_token:
            raise DouyinError(50001, "dop.token-generate-failed:token-expired", "refresh_token已过期")
        now, known = self._now().timestamp(), self._known()
        living = {token: ends for token, ends in known.items() if ends - now > HOUR}
        if living:
            token = max(living, key=living.__getitem__)
            return self._answer(token, int(living[token] - now))
        self._keep({token: min(ends, now + HOUR) for token, ends in known.items() if ends > now})
        if self.rotates:
            self._store.set_fact(_REFRESH, f"sandbox-douyin-refresh-{secrets.token_hex(12)}")
        return self._issue()

    def shorten(self, seconds: float) -> None:
        """Let every token that was handed out end in `seconds`."""
        self._keep(dict.fromkeys(self._known(), self._now().timestamp() + seconds))

    def _issue(self) -> dict[str, Any]:
        token = f"sandbox-douyin-{secrets.token_hex(12)}"
        self._keep({**self._known(), token: self._now().timestamp() + LIFETIME})
        return self._answer(token, LIFETIME)

    def _answer(self, token: str, seconds: int) -> dict[str, Any]:
        return {
            "access_token": token,
            "expires_in": seconds,
            "refresh_token": self._refresh_token,
            "scope": "SCOPE",
            "shop_id": int(self._credentials.douyin_shop_id),
            "shop_name": self._credentials.douyin_shop_name,
            "authority_id": self._credentials.douyin_shop_id,
        }

    @property
    def _refresh_token(self) -> str:
        return self._store.fact(_REFRESH, self._credentials.douyin_refresh_token)

    def _known(self) -> dict[str, float]:
        found: dict[str, float] = json.loads(self._store.fact(_TOKENS, "{}"))
        return found

    def _keep(self, tokens: dict[str, float]) -> None:
        self._store.set_fact(_TOKENS, json.dumps(dict(list(tokens.items())[-50:])))
