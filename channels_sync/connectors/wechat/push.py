"""Message pushes (protocol reference 5.5 and 6.1): signature over the sealed text, AES, the application at its end.

An event only names an order: it is fetched, so nothing of a push is believed but that something has changed.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from channels_sync import payloads
from channels_sync.connectors.base import ShopAccess
from channels_sync.connectors.exchange import PushAnswer, Pushed, PushRefusedError, PushRequest

SUCCESS = PushAnswer(b"success", "text/plain")
RANDOM, LENGTH, BLOCK = 16, 4, 32
"""Bytes before the message: random ones, its length; the padding fills blocks of 32."""


def accept(access: ShopAccess, request: PushRequest) -> tuple[Sequence[Pushed], PushAnswer]:
    """Return the events of a push and the answer; the check of the address gets its echo. Raises PushRefusedError."""
    if request.method == "GET":
        _check(request, "signature", access.credential("push_token"))
        return [], PushAnswer(request.query.get("echostr", "").encode(), "text/plain")
    outer = _document(request.body)
    body = _opened(access, request, outer)
    event = _document(body) if body is not request.body else outer
    number = _order_number(event)
    if not number:
        return [], SUCCESS
    digest = hashlib.sha256(body).hexdigest()[:32]
    return [Pushed(f"wechat:event:{number}:{digest}", body, numbers=(number,))], SUCCESS


def signature(*parts: str) -> str:
    """Return the SHA-1 of the sorted texts, one after the other."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def opened(encoding_key: str, app_id: str, sealed: str) -> bytes:
    """Return the message of a sealed text. Raises PushRefusedError when key, padding or application are others."""
    try:
        key = base64.b64decode(encoding_key + "=", validate=True)
        data = base64.b64decode(sealed, validate=True)
        machine = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        clear = machine.update(data) + machine.finalize()
    except (binascii.Error, ValueError) as error:
        raise PushRefusedError("the sealed text cannot be opened") from error
    padding = clear[-1] if clear else 0
    if not 1 <= padding <= BLOCK or clear[-padding:] != bytes([padding]) * padding:
        raise PushRefusedError("the sealed text is padded wrongly")
    clear = clear[RANDOM:-padding]
    length = int.from_bytes(clear[:LENGTH])
    message, owner = clear[LENGTH : LENGTH + length], clear[LENGTH + length :]
    if len(message) != length or not hmac.compare_digest(owner, app_id.encode()):
        raise PushRefusedError("the sealed text is meant for another application")
    return message


def _opened(access: ShopAccess, request: PushRequest, outer: Mapping[str, Any]) -> bytes:
    """Return the verified message; with an AES key only a sealed one, as a plain signature does not cover the body."""
    token, key = access.credential("push_token"), str(access.credentials.get("push_key") or "")
    sealed = outer.get("Encrypt")
    if not isinstance(sealed, str) or not sealed:
        if key:
            raise PushRefusedError("the push is not encrypted")
        _check(request, "signature", token)
        return request.body
    _check(request, "msg_signature", token, sealed)
    return opened(key, access.credential("app_id"), sealed)


def _check(request: PushRequest, name: str, token: str, *more: str) -> None:
    query = request.query
    wanted = signature(token, query.get("timestamp", ""), query.get("nonce", ""), *more)
    if not hmac.compare_digest(wanted.encode(), query.get(name, "").encode()):
        raise PushRefusedError("wrong signature")


def _document(body: bytes) -> dict[str, Any]:
    """Return a JSON or XML message as a dictionary. Raises PushRefusedError."""
    try:
        if body.lstrip().startswith(b"<"):
            return _children(fromstring(body.decode("utf-8")))
        value = payloads.loads(body)
    except (payloads.BodyError, ParseError, DefusedXmlException, UnicodeDecodeError, ValueError) as error:
        raise PushRefusedError("the body is neither JSON nor XML", 400) from error
    if not isinstance(value, dict):
        raise PushRefusedError("the body is no message", 400)
    return value


def _children(element: Any) -> dict[str, Any]:
    return {child.tag: _children(child) if len(child) else (child.text or "") for child in element}


def _order_number(event: Mapping[str, Any]) -> str:
    """Return the order that an event names: a number beyond 2^53 or a text; empty when it is about something else."""
    for name in ("order_info", "finder_shop_aftersale_status_update"):
        part = event.get(name)
        value = part.get("order_id") if isinstance(part, dict) else None
        if isinstance(value, int | str) and str(value).strip().isdigit():
            return str(value).strip()
    return ""
