"""A channel that posts its orders signed: HMAC-SHA256 over time and raw body, orders in the hub's own JSON.

For shops whose system can be told what to send and where: `docs/channels/webhook.md`.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.utils.translation import gettext_lazy as _

from channels_sync.connectors.base import Connector, CredentialField, ShopAccess, connectors
from channels_sync.connectors.exchange import PushAnswer, Pushed, PushRefusedError, PushRequest
from orderhub.core.words import Status

TIMESTAMP, SIGNATURE = "x-hub-timestamp", "x-hub-signature"
REPLAY_SECONDS = 300
"""How far a push's time may be from the hub's, unless the setting `replay_seconds` says otherwise."""
_KNOWN = frozenset(Status.values)


class WebhookConnector(Connector):
    """Nothing to pull: the other side posts, and posts again until it is answered with 200."""

    key = "webhook"
    label = _("Signed webhook")
    pushes = True
    credential_fields = (
        CredentialField("secret", _("Signing secret"), is_secret=True),
        CredentialField(
            "previous_secret", _("Previous signing secret"), is_secret=True, is_required=False,
            help=_("Still accepted while the other side changes over."),
        ),
    )  # fmt: skip

    def accept_push(self, access: ShopAccess, request: PushRequest) -> tuple[Sequence[Pushed], PushAnswer]:
        """Verify time and signature and return the orders; the same body is stored once, however often it comes."""
        if request.method != "POST":
            raise PushRefusedError("orders come by POST", status=405)
        _verify(access, request)
        orders = _orders(request.body)
        body = _translated(orders, known_words(access.settings)) or request.body
        answer = PushAnswer(orjson.dumps({"received": len(orders)}))
        if not orders:
            return [], answer
        return [Pushed(f"webhook:{hashlib.sha256(request.body).hexdigest()}", body, reader="draft")], answer


def known_words(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the status words of the other system that a shop's settings know, with what they mean."""
    words = settings.get("statuses")
    return words if isinstance(words, Mapping) else {}


def unknown_hold(word: str) -> str:
    """Return the hold of an order whose status word nobody has mapped."""
    return f"unknown:{word}"[:64]


def _verify(access: ShopAccess, request: PushRequest) -> None:
    """Raise PushRefusedError unless the push is fresh and signed with one of the shop's secrets."""
    stamp = request.headers.get(TIMESTAMP, "")
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 11:
        raise PushRefusedError(f"{TIMESTAMP} is not a time in unix seconds")
    window = access.settings.get("replay_seconds", REPLAY_SECONDS)
    allowed = float(window) if isinstance(window, int | float) and window > 0 else REPLAY_SECONDS
    if abs(time.time() - int(stamp)) > allowed:
        raise PushRefusedError(f"{TIMESTAMP} is more than {allowed:g} s off: a replay, or a clock that is wrong")
    given = request.headers.get(SIGNATURE, "").removeprefix("sha256=").encode()
    secrets = [access.credential("secret"), str(access.credentials.get("previous_secret") or "")]
    text = stamp.encode() + b"." + request.body
    if not any(hmac.compare_digest(_sign(secret, text), given) for secret in secrets if secret):
        raise PushRefusedError("the signature is wrong")


def _sign(secret: str, text: bytes) -> bytes:
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest().encode()


def _orders(body: bytes) -> list[Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PushRefusedError("the body is not JSON", status=400) from error
    if isinstance(found, dict):
        found = found.get("orders", [found])
    if not isinstance(found, list):
        raise PushRefusedError('an order, a list of orders or {"orders": [...]} is expected', status=400)
    return found


def _translated(orders: list[Any], words: Mapping[str, Any]) -> bytes:
    """Return the orders with the hub's status words; empty where nothing has to be changed.

    The channel's own word is kept in `channel_status`. A word that nobody mapped holds its order until somebody does.
    """
    changed = [_order(order, words) for order in orders]
    return orjson.dumps(changed) if changed != orders else b""


def _order(order: Any, words: Mapping[str, Any]) -> Any:
    word = order.get("status") if isinstance(order, dict) else None
    if not isinstance(word, str) or not word:
        return order
    told = {"channel_status": word[:64], **order}
    if word in words:
        return {**told, "status": words[word]}
    if word in _KNOWN:
        return order
    # A hold of the other system's own must not end with the word.
    return {**told, "status": Status.PAID.value, "channel_hold": order.get("channel_hold") or unknown_hold(word)}


connectors.add(WebhookConnector.key, WebhookConnector())
