"""`stable_token` (protocol reference 5.1): everybody who asks gets the same token until it is about to end."""

import json
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.store import Store

LIFE = 7200
READY_BEFORE = 300
"""Seconds before its end from which the next token is handed out; the old one is taken until its end."""
FORCE_PAUSE = 30
FORCED_PER_DAY = 20
_FACT = "wechat_tokens"


class WechatError(Exception):
    """One answer with an `errcode`; its HTTP status is 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class WechatTokens:
    """Issues and checks access tokens; they survive a restart."""

    def __init__(self, store: Store, credentials: Credentials, now: Callable[[], datetime]) -> None:
        self._store, self._credentials, self._now = store, credentials, now

    def issue(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer `/cgi-bin/stable_token`. Raises WechatError."""
        if body.get("grant_type") != "client_credential":
            raise WechatError(40002, "invalid grant_type")
        if body.get("appid") != self._credentials.wechat_app_id:
            raise WechatError(40013, "invalid appid")
        if body.get("secret") != self._credentials.wechat_secret:
            raise WechatError(40125, "invalid appsecret")
        now = int(self._now().timestamp())
        with self._store.transaction():
            tokens, forced = self._load()
            if body.get("force_refresh"):
                self._check_force(forced, now)
                forced.append(now)
                tokens = []
            if not tokens or tokens[-1][1] - now <= READY_BEFORE:
                tokens.append([f"wxtok_{secrets.token_hex(24)}", now + LIFE])
            self._store.set_fact(_FACT, json.dumps({"tokens": tokens[-2:], "forced": forced[-FORCED_PER_DAY:]}))
        token, end = tokens[-1]
        return {"access_token": token, "expires_in": end - now}

    def check(self, token: str) -> None:
        """Raise WechatError unless the token is one that lives."""
        if not token:
            raise WechatError(41001, "access_token missing")
        now = int(self._now().timestamp())
        ends = dict(self._load()[0])
        if token not in ends:
            raise WechatError(40001, "invalid credential, access_token is invalid or not latest")
        if ends[token] < now:
            raise WechatError(42001, "access_token expired")

    def _load(self) -> tuple[list[Any], list[int]]:
        known = json.loads(self._store.fact(_FACT, '{"tokens": [], "forced": []}'))
        return known["tokens"], known["forced"]

    @staticmethod
    def _check_force(forced: list[int], now: int) -> None:
        today = [moment for moment in forced if now - moment < 86400]
        if len(today) >= FORCED_PER_DAY:
            raise WechatError(45009, "reach max api daily quota limit")
        if today and now - today[-1] < FORCE_PAUSE:
            raise WechatError(45011, "api minute-quota reach limit, retry next minute")
