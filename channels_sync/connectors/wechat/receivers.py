"""Receivers in clear and new virtual numbers, asked for by order number (protocol reference 5.3).

`sensitiveinfo/decode` opens name, phone and address at once, against a quota of the shop; an order counts once, however
often it is asked. Its phone is a virtual number with an end, unless the buyer uses none. When that has ended, an order
gets one more by `virtualnumber/applyagain`; its end stands in the order's detail. `virtualtelnumber/get` is the older
call for the same (three times an order, three days each): one SDK marks it as switched off in May 2025, so it is asked
only where a shop's settings say so. No source tells the unit of `expiration`; what is not in seconds is no end.

Sources: the pages `api_decodesensitiveinfo`, `api_applyvirtualnumberagain` and `api_getvirtualtelnumber` below
developers.weixin.qq.com `doc/store/shop/API/channels-shop-order`; fields also in WxJava (`DecodeSensitiveInfoResponse`,
`VirtualNumberInfo`, `VirtualTelNumberResponse`); switched off: DotNetCore.SKIT.FlurlHttpClient.Wechat.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from channels_sync.connectors import http
from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.exchange import NotOpenedError, Opened, Sealed
from channels_sync.connectors.wechat.client import Content, WechatClient
from channels_sync.connectors.wechat.errors import contact_error
from channels_sync.connectors.wechat.mapping import MASKED_KEY, UNTIL_KEY
from channels_sync.connectors.wechat.pull import ORDER
from channels_sync.connectors.wechat.values import Node, loose_time, node, text
from orderhub.core.contacts import contact_kind
from orderhub.core.errors import HubError
from orderhub.core.opening import PARTS

DECODE = "/channels/ec/order/sensitiveinfo/decode"
AGAIN = "/channels/ec/order/virtualnumber/applyagain"
EXCHANGE = "/channels/ec/order/virtualtelnumber/get"
OLDER_CALL = "virtualtelnumber/get"
RECEIVER, NUMBER = "receiver", "number"
"""What a sealed value has to be asked for: the receiver, or another virtual number."""
_FIELDS = {
    "name": ("user_name",),
    "phone": ("tel_number", "virtual_order_tel_number"),
    "detail": ("detail_info", "house_number"),
}


_COUNTED_NOTHING = (NotOpenedError, ThrottledError, AuthorisationError)


@dataclass(slots=True, frozen=True)
class Number:
    """A virtual number with its extension; `until` is None where the platform tells no end."""

    text: str = field(repr=False)
    until: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether nobody can be reached by it any more."""
        return self.until is not None and self.until <= datetime.now(UTC)


Answers = Mapping[str, Content | HubError]
Numbers = Mapping[str, Number | HubError]


def sealed_of(external_no: str, extra: Mapping[str, Any], now: datetime) -> list[Sealed]:
    """Return what the platform opens of an order, by what its draft kept as `raw`: masked parts, an ended number."""
    masked = extra.get(MASKED_KEY) or ()
    asked = {part: RECEIVER for part in PARTS if part in masked}
    if _ended_at(extra.get(UNTIL_KEY), now):
        asked.setdefault("phone", NUMBER)
    return [Sealed(external_no, part, asked[part]) for part in PARTS if part in asked]


def reveal(client: WechatClient, settings: Mapping[str, Any], values: Sequence[Sealed]) -> list[Opened]:
    """Return the texts of sealed values, one for each; what is not opened has its reason beside it.

    Raises that reason when nothing was opened at all: HubError, NotOpenedError where the platform counted nothing.
    """
    receivers = _each(client, DECODE, [value.external_no for value in values if value.cipher == RECEIVER])
    wanted = [value.external_no for value in values if value.part == "phone" and _wants_number(value, receivers)]
    path = EXCHANGE if settings.get("virtual_number_call") == OLDER_CALL else AGAIN
    numbers = _numbers(client, path, wanted)
    found = [_opened(value, receivers, numbers) for value in values]
    errors = [opened.error for opened in found if opened.error]
    if errors and len(errors) == len(found):
        # What proves least that nothing was counted: a call that got no answer may have opened a number.
        raise next((error for error in errors if not isinstance(error, _COUNTED_NOTHING)), errors[0])
    return found


def _wants_number(value: Sealed, receivers: Answers) -> bool:
    if value.cipher == NUMBER:
        return True
    answer = receivers[value.external_no]
    number = None if isinstance(answer, HubError) else _number(node(answer, "virtual_number_info"))
    return number is not None and number.has_ended


def _numbers(client: WechatClient, path: str, orders: Sequence[str]) -> Numbers:
    """Return a number that works for each order: the one that it shows, else another one.

    An order gets so few of them that none is asked for while the order cannot be read.
    """
    shown = _shown(client, orders)
    found: dict[str, Number | HubError] = {order: number for order, number in shown.items() if number is not None}
    given = _each(client, path, [order for order in shown if order not in found], tries=1)
    for order, answer in given.items():
        number = answer if isinstance(answer, HubError) else _number(answer)
        found[order] = number or HubError(_("The platform returned no text."))
    # Where the end is not told, the order's detail tells it.
    endless = [order for order, number in found.items() if isinstance(number, Number) and number.until is None]
    return found | {key: number for key, number in _shown(client, endless).items() if isinstance(number, Number)}


def _shown(client: WechatClient, orders: Sequence[str]) -> dict[str, Number | HubError | None]:
    """Return the number that works of each order as its detail shows it, None where it shows none; counts no quota."""
    found: dict[str, Number | HubError | None] = {}
    for order, answer in _each(client, ORDER, orders).items():
        if isinstance(answer, HubError):
            found[order] = answer
            continue
        delivery = node(node(node(answer, "order"), "order_detail"), "delivery_info")
        number = _number(node(node(delivery, "address_info"), "tel_number_ext_info"))
        found[order] = number if number and number.until and not number.has_ended else None
    return found


def _each(client: WechatClient, path: str, orders: Iterable[str], *, tries: int = http.TRIES) -> Answers:
    """Return the answer of a call for each order, or its error in the words of `contact_error`."""
    wanted = list(dict.fromkeys(orders))
    try:
        answers = client.many(path, [{"order_id": order} for order in wanted], tries=tries)
    except ThrottledError as error:
        answers = [error] * len(wanted)
    told = [contact_error(answer) if isinstance(answer, HubError) else answer for answer in answers]
    return dict(zip(wanted, told, strict=True))


def _opened(value: Sealed, receivers: Answers, numbers: Numbers) -> Opened:
    asked = numbers.get(value.external_no) if value.part == "phone" else None
    if isinstance(asked, Number):
        return Opened(value, asked.text, "virtual", asked.until)
    answer = asked or receivers.get(value.external_no, {})
    if isinstance(answer, HubError):
        return Opened(value, error=answer)
    number = _number(node(answer, "virtual_number_info"))
    if value.part == "phone" and number:
        return Opened(value, number.text, "virtual", number.until)
    return _clear(value, node(answer, "address_info"))


def _clear(value: Sealed, address: Node) -> Opened:
    parts = [text(address, name) for name in _FIELDS.get(value.part, ())]
    found = "".join(parts) if value.part == "detail" else next(filter(None, parts), "")
    if not found or "*" in found:
        return Opened(value, error=HubError(_("The platform returned no text.")))
    return Opened(value, found, contact_kind(found).value if value.part == "phone" else "plain")


def _number(holder: Node) -> Number | None:
    """Return the virtual number of an answer; the calls name its parts in two ways."""
    host, extension = text(holder, "virtual_number") or text(holder, "virtual_tel_number"), text(holder, "extension")
    until = loose_time(holder, "expiration") or loose_time(holder, "virtual_tel_expire_time")
    return Number(f"{host}-{extension}" if extension else host, until) if host else None


def _ended_at(written: Any, now: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(written or "")) <= now
    except (ValueError, TypeError):
        return False
