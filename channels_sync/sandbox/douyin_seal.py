"""Cipher texts of receivers as Douyin gives them out: a search part that equal texts share, and one that only the
platform opens, bound to the order."""

import hashlib
import hmac
from base64 import b64encode
from typing import Any

from channels_sync.sandbox.credentials import Credentials

Row = dict[str, Any]
PARTS = {"name": 2, "phone": 3, "detail": 1}
"""What may be sealed, with the platform's `data_type`."""


def seal(part: str, text: str, number: str, credentials: Credentials) -> str:
    """Return the cipher text of one value of one order."""
    mark = "$" if part == "phone" else "#"
    index = _digest(f"{part}/{text}", credentials)[:18]
    cipher = _digest(f"{part}/{text}/{number}", credentials)
    return f"{mark}{index}{mark}{cipher}{mark}1{mark}{'' if mark == '$' else mark}"


def opened(cipher: str, order: Row, credentials: Credentials) -> tuple[str, str] | None:
    """Return (part, text) behind a cipher text of an order; None when it is not one of its present values."""
    for part in PARTS:
        text = order["receiver"][part]
        if text and hmac.compare_digest(seal(part, text, order["external_no"], credentials), cipher):
            return part, text
    return None


def _digest(text: str, credentials: Credentials) -> str:
    key = f"{credentials.douyin_secret}/{credentials.douyin_shop_id}".encode()
    return b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode().rstrip("=")
