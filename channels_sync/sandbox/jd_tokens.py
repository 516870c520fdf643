"""JD's authorisation server (protocol reference 3.2): tokens from a code, renewed only in their last day."""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.store import Store

_FACT = "jd_tokens"
LIFETIME = 30 * 86_400
RENEW_WITHIN = 86_400
KEEP = 50


class JdTokens:
    """Tokens handed out here are kept over a restart; the ones of the credentials are always in their last day."""

    def __init__(self, store: Store, credentials: Credentials, now: Callable[[], datetime]) -> None:
        self._store = store
        self._credentials = credentials
        self._now = now

    def is_valid(self, token: str) -> bool:
        """Whether the gateway takes this access token now."""
        if token == self._credentials.jd_token:
            return True
        return any(t["access"] == token and t["ends"] > self._now().timestamp() for t in self._issued())

    def answer(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """Answer `access_token` (with a code) or `refresh_token`; refusals are `{code, msg, requestId}`."""
        given = params.get("app_key"), params.get("app_secret")
        if given != (self._credentials.jd_app_key, self._credentials.jd_app_secret):
            return _refusal(400, "invalid app_key or app_secret")
        with self._store.transaction():
            if (path, params.get("grant_type")) == ("access_token", "authorization_code"):
                is_right = params.get("code") == self._credentials.jd_code
                return self._issue() if is_right else _refusal(401, "invalid code")
            if (path, params.get("grant_type")) == ("refresh_token", "refresh_token"):
                return self._renew(params.get("refresh_token", ""))
        return _refusal(404, "unsupported grant_type")

    def _renew(self, token: str) -> dict[str, Any]:
        """Give a new pair for a refresh token, once."""
        now = self._now().timestamp()
        used = self._store.fact("jd_initial_used")
        if token == self._credentials.jd_refresh_token and not used:
            self._store.set_fact("jd_initial_used", "1")
            return self._issue()
        for held in self._issued():
            if held["refresh"] != token:
                continue
            if held["ends"] <= now or held["used"]:
                return _refusal(401, "refresh_token expired")
            if held["ends"] - now > RENEW_WITHIN:
                return _refusal(403, "refresh is allowed in the last 24 hours only")
            self._keep([{**t, "used": t["used"] or t["refresh"] == token} for t in self._issued()])
            return self._issue()
        return _refusal(401, "invalid refresh_token")

    def _issue(self) -> dict[str, Any]:
        access, refresh = (f"sandbox-jd-{secrets.token_hex(12)}" for _ in range(2))
        ends = self._now().timestamp() + LIFETIME
        self._keep([*self._issued(), {"access": access, "refresh": refresh, "ends": ends, "used": False}])
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": LIFETIME,
            "scope": "snsapi_base",
            "open_id": "",
            "xid": "o*sandbox",
        }

    def _issued(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._store.fact(_FACT, "[]"))
        return found

    def _keep(self, tokens: list[dict[str, Any]]) -> None:
        self._store.set_fact(_FACT, json.dumps(tokens[-KEEP:]))


def _refusal(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "msg": message, "requestId": secrets.token_hex(6)}
