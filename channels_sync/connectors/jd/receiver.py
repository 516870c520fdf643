"""The receiver of a JD order: masked, encrypted (`encrypt_…`, JD's key service opens it) or under a virtual number."""

from typing import Any

from channels_sync.connectors.fields import Fields, text
from orderhub.core.contacts import contact_kind
from orderhub.core.errors import FieldError
from orderhub.core.words import ContactKind

ABROAD = "海外"
"""JD's province for every address outside China; the country stands in the city then."""


def read_receiver(order: Fields) -> dict[str, str]:
    """Return the receiver of a draft. Raises FieldError when the order has none."""
    found = order.get("consigneeInfo")
    given: Fields = found if isinstance(found, dict) else {}
    name, phone = text(given, "fullname"), text(given, "mobile") or text(given, "telephone")
    region = [text(given, part) for part in ("province", "city", "county", "town")]
    detail = _detail(text(given, "fullAddress"), region)
    sealed = next((text(given, key) for key in ("encrypt_mobile", "encrypt_telephone") if given.get(key)), "")
    if not any((name, phone, detail, sealed, *region)):
        raise FieldError("consigneeInfo", "the order has no receiver")
    receiver = dict(zip(("province", "city", "district", "town"), region, strict=True))
    if region[0] == ABROAD:
        receiver |= {"country": region[1] or ABROAD, "city": region[2], "district": region[3], "town": ""}
    return {
        **receiver,
        "name": name[:200],
        "phone": (phone or sealed)[:200],
        "detail": detail[:1000],
        "kind": _kind(name, phone, detail, is_sealed=any(given.get(f"encrypt_{part}") for part in _SEALED)),
        "oaid": text(given, "oaid"),
    }


_SEALED = ("fullname", "mobile", "telephone", "fullAddress")


def _kind(name: str, phone: str, detail: str, *, is_sealed: bool) -> str:
    """Return what the contact is; empty lets the values speak for themselves."""
    kind = contact_kind(phone) if phone else None
    if kind in {ContactKind.VIRTUAL, ContactKind.CIPHER}:
        return str(kind)
    if "*" in f"{name}{phone}{detail}":
        return str(ContactKind.MASKED)
    return str(ContactKind.CIPHER) if is_sealed and not phone else ""


def _detail(address: str, region: list[str]) -> str:
    """Return the address without the region in front of it, which JD repeats there."""
    rest: Any = address.strip()
    for part in region:
        rest = rest.removeprefix(part).lstrip() if part else rest
    return rest or address
