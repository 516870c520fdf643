"""The receiver of a Douyin order: plain for old applications, else masked texts beside cipher texts.

`open_address_id` serves as the receiver's token: equal ones may go into one parcel. Where the platform leaves it out,
the search parts of the three cipher texts together do the same, for they are equal for equal texts of one shop.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from orderhub.core.errors import FieldError

Order = Mapping[str, Any]
PARTS = ("name", "phone", "detail")
_REGION = {"province": "province", "city": "city", "district": "town", "town": "street"}
"""The platform calls a district town and a town street."""


def receiver_of(order: Order) -> dict[str, str]:
    """Return the receiver of the draft. Raises FieldError when the order has none."""
    address, masked_address = _object(order, "post_addr"), _object(order, "mask_post_addr")
    receiver = {ours: _region(address, theirs) or _region(masked_address, theirs) for ours, theirs in _REGION.items()}
    plain = _texts(order.get("post_receiver"), order.get("post_tel"), address.get("detail"))
    masked = _texts(order.get("mask_post_receiver"), order.get("mask_post_tel"), masked_address.get("detail"))
    sealed = sealed_of(order)
    if any(plain.values()):
        receiver |= plain
    elif any(masked.values()):
        receiver |= {**masked, "kind": "masked"}
    elif sealed:
        receiver |= {**plain, "kind": "cipher"}
    if not any(receiver.values()):
        raise FieldError("mask_post_receiver", "the order has no receiver")
    return {**receiver, "oaid": _token(order, sealed), "country": "CN"}


def sealed_of(order: Order) -> dict[str, str]:
    """Return the cipher texts of an order by part: name, phone, detail."""
    address = _object(order, "post_addr")
    found = _texts(order.get("encrypt_post_receiver"), order.get("encrypt_post_tel"), address.get("encrypt_detail"))
    return {part: text for part, text in found.items() if text}


def needs_mask(order: Any) -> bool:
    """Whether an order brings cipher texts only, so that the masked ones have to be asked for."""
    if not isinstance(order, dict) or not sealed_of(order):
        return False
    readable = [order.get("mask_post_tel"), order.get("post_tel"), order.get("mask_post_receiver")]
    return not any(readable)


def with_mask(order: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the order with masked texts, by part, where the platform puts them."""
    found = dict(order)
    if texts.get("name"):
        found["mask_post_receiver"] = texts["name"]
    if texts.get("phone"):
        found["mask_post_tel"] = texts["phone"]
    if texts.get("detail"):
        found["mask_post_addr"] = {**_object(order, "mask_post_addr"), "detail": texts["detail"]}
    return found


def _token(order: Order, sealed: Mapping[str, str]) -> str:
    given = str(order.get("open_address_id") or "")
    if given and len(given) <= 256:
        return given
    if given or len(sealed) == len(PARTS):
        text = given or "\n".join(_search_part(sealed[part]) for part in PARTS)
        return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    return ""


def _search_part(cipher: str) -> str:
    """Return what stands between the first marks of a cipher text (`#index#cipher#1##`, `$index$cipher$1$`)."""
    mark = cipher[:1]
    return cipher.lstrip(mark).split(mark)[0] if mark in {"#", "$", "~"} else cipher


def _region(address: Mapping[str, Any], name: str) -> str:
    part = address.get(name)
    return str(part.get("name") or "") if isinstance(part, dict) else str(part or "") if isinstance(part, str) else ""


def _object(holder: Order, name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _texts(*values: Any) -> dict[str, str]:
    return dict(zip(PARTS, (str(value or "") for value in values), strict=True))
