"""Tokens of the gateway: which sessions are valid, made from a code or a refresh token."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from channels_sync.sandbox.credentials import Credentials
from channels_sync.sandbox.store import Store
from channels_sync.sandbox.top_errors import TopError, required

_SESSIONS = "top_sessions"
LIFETIME = 86_400 * 30
"""Seconds; the platforms' own figures differ by the kind of app."""


class Tokens:
    """Sessions handed out here are kept over a restart; the one of the credentials is always valid."""

    def __init__(self, store: Store, credentials: Credentials) -> None:
        self._store = store
        self._credentials = credentials

    def is_valid(self, session: str) -> bool:
        """Whether the gateway knows this session."""
        return session == self._credentials.session or session in self._known()

    def create(self, params: Mapping[str, str]) -> dict[str, Any]:
        """Answer `taobao.top.auth.token.create`."""
        if required(params, "code") != self._credentials.authorization_code:
            raise TopError(15, "Remote service error", "isv.invalid-code", "授权码无效")
        return self._issue()

    def refresh(self, params: Mapping[str, str]) -> dict[str, Any]:
        """Answer `taobao.top.auth.token.refresh`."""
        if required(params, "refresh_token") != self._credentials.refresh_token:
            raise TopError(15, "Remote service error", "isv.invalid-refresh-token", "refresh_token无效")
        return self._issue()

    def _issue(self) -> dict[str, Any]:
        session = f"sandbox-session-{secrets.token_hex(8)}"
        self._store.set_fact(_SESSIONS, json.dumps([*self._known(), session][-50:]))
        result = {
            "access_token": session,
            "refresh_token": self._credentials.refresh_token,
            "expires_in": LIFETIME,
            "re_expires_in": LIFETIME,
            "token_type": "Bearer",
            "taobao_user_id": self._credentials.seller_id,
            "taobao_user_nick": self._credentials.seller_nick,
        }
        # The platform answers with JSON text inside JSON.
        return {"token_result": json.dumps(result, ensure_ascii=False)}

    def _known(self) -> list[str]:
        found: list[str] = json.loads(self._store.fact(_SESSIONS, "[]"))
        return found
