"""Pushes of the platform: an array of events that name orders (protocol reference 4.7).

`event-sign` covers the raw bytes, so nothing is parsed before it is checked. Events say too little of an order to take
it in; they name it, and it is fetched. A test of the address comes as an event with another tag and is answered alike.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from channels_sync import payloads
from channels_sync.connectors.base import ShopAccess
from channels_sync.connectors.douyin.client import event_sign
from channels_sync.connectors.exchange import PushAnswer, Pushed, PushRefusedError, PushRequest

ACCEPTED = PushAnswer(b'{"code":0,"msg":"success"}')
"""Anything else is pushed again."""
TAGS = frozenset(
    str(tag) for tag in (100, 101, 102, 103, 104, 105, 106, 108, 109, 110, 111, 113, 126, *range(200, 219))
)
"""What tells of an order: its states, address, amounts, remark, ship time and refunds."""
NUMBERS = ("p_id", "shop_order_id", "order_id")
LONGEST_KEY = 150


def accept_push(access: ShopAccess, request: PushRequest) -> tuple[Sequence[Pushed], PushAnswer]:
    """Return what one push says of orders of this shop, and the answer. Raises PushRefusedError.

    All events of one push are one delivery: their orders are fetched together, each once. Events that are repeated in
    another composition are fetched again, which changes nothing.
    """
    app_key = access.credential("app_key")
    if request.headers.get("app-id", "") != app_key:
        raise PushRefusedError("another application's push")
    expected = event_sign(app_key, access.credential("app_secret"), request.body)
    if not hmac.compare_digest(expected.encode(), request.headers.get("event-sign", "").encode()):
        raise PushRefusedError("wrong event-sign")
    try:
        events = payloads.loads(request.body)
    except payloads.BodyError as error:
        raise PushRefusedError(f"not JSON: {error}", status=400) from error
    if not isinstance(events, list):
        raise PushRefusedError("a push must be an array of events", status=400)
    shop_id = str(access.credentials.get("shop_id") or "")
    named = [(event, number) for event in events if isinstance(event, dict) and (number := _number(event, shop_id))]
    if not named:
        return [], ACCEPTED
    body = orjson.dumps([event for event, _order in named])
    numbers = tuple(dict.fromkeys(number for _event, number in named))
    return [Pushed(_key([event for event, _order in named]), body, numbers=numbers)], ACCEPTED


def _number(event: Mapping[str, Any], shop_id: str) -> str:
    """Return the number of the order that an event is about; nothing when it is about something else or about another
    shop of the same application."""
    if str(event.get("tag")) not in TAGS:
        return ""
    data = _data(event)
    if shop_id and data.get("shop_id") and str(data["shop_id"]) != shop_id:
        return ""
    return next((str(data[name]) for name in NUMBERS if data.get(name)), "")


def _data(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the object that the platform hands over as JSON text inside JSON."""
    data = event.get("data")
    if isinstance(data, str):
        try:
            data = payloads.loads(data.encode("utf-8", "replace"))
        except payloads.BodyError:
            return {}
    return data if isinstance(data, dict) else {}


def _key(events: Sequence[Mapping[str, Any]]) -> str:
    """Return the same key for the same events. One event goes by its `msg_id`, several by all of theirs."""
    ids = [str(event.get("msg_id") or "") for event in events]
    if len(ids) == 1 and 0 < len(ids[0]) <= LONGEST_KEY:
        return f"douyin:push:{ids[0]}"
    text = b"\n".join(orjson.dumps(event) if not key else key.encode() for key, event in zip(ids, events, strict=True))
    return f"douyin:push:{hashlib.sha256(text).hexdigest()}"
