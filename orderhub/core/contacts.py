"""Contact values: what kind they are, their canonical form and how they look masked.

Sources: platform privacy numbers have the form `18877771111-123`; masked ones carry asterisks; tokens are long opaque
strings. None of these can be judged invalid (reference `domain.md` 4.4).
"""

import re

from orderhub.core.words import ContactKind

_MARK = r"\s*(?:[-,#_]|转|[eE][xX][tT]\.?)\s*"
_MOBILE = r"(?:(?:\+|00)?86[ -]?)?1(?:[3-9][0-9]{9}|[ -]?[3-9](?:[ -]?[0-9]){9})"
_ABROAD = r"(?:\+|00)(?!86)[1-9](?: ?[0-9]){9,14}"
_RELAY = r"950[0-9]{7,12}"
"""Numbers of carriers that put calls through to others."""
_VIRTUAL = re.compile(rf"^(?:({_MOBILE})(?:{_MARK}|\s+)|({_ABROAD}|{_RELAY}){_MARK})[0-9]{{3,6}}$")
"""What stands before the mark must be a whole number by itself: `1391234-5678` is one with a hyphen in it."""
_INNER_LINE = re.compile(rf"^(0[0-9]{{2,3}}[ -]?[2-8][0-9]{{6,7}}){_MARK}[0-9]{{1,6}}$")
_CIPHER = re.compile(r"^(?:~.+~\d*~|\$.+\$\d*\$|[A-Za-z0-9+/=_-]{40,})$")
_SEPARATORS = re.compile(r"[\s\-()（）]+")
_COUNTRY_CODE = re.compile(r"^(?:\+|00)?86(?=1\d{10}$)")
_NUMERALS = "[〇零一二两三四五六七八九十百千]"
_HOUSE = re.compile(rf"\d|{_NUMERALS}(?!{_NUMERALS}*大?[路街道环])")
"""A number that may be that of a house; 文三路 and 五一街 are names of streets."""


def contact_kind(phone: str) -> ContactKind:
    """Return what a phone value is, judged by its shape."""
    value = phone.strip()
    if value.isascii() and value.isdigit():
        return ContactKind.PLAIN
    if "*" in value:
        return ContactKind.MASKED
    if _CIPHER.match(value):
        return ContactKind.CIPHER
    if _VIRTUAL.match(value):
        return ContactKind.VIRTUAL
    return ContactKind.PLAIN


def canonical_phone(phone: str) -> str:
    """Return the digits by which a phone is looked up: no separators, no +86, no extension."""
    value = phone.strip()
    if len(value) == 11 and value.isdigit():
        return value
    extended = _VIRTUAL.match(value) or _INNER_LINE.match(value)
    if extended:
        value = next(part for part in extended.groups() if part)
    value = _SEPARATORS.sub("", value)
    return _COUNTRY_CODE.sub("", value)


def phone_tail(phone: str) -> str:
    """Return the last four digits, or an empty text when they are masked or missing."""
    digits = canonical_phone(phone)[-4:]
    return digits if len(digits) == 4 and digits.isdigit() else ""


def mask_phone(phone: str) -> str:
    """Return `139****5678`; short or already masked values keep at most their last two characters."""
    value = canonical_phone(phone)
    if "*" in value:
        return value
    if len(value) >= 7:
        return f"{value[:3]}****{value[-4:]}"
    return "*" * max(len(value) - 2, 0) + value[-2:] if value else ""


def mask_name(name: str) -> str:
    """Return the first character and one asterisk for each other, at most two."""
    if "*" in name or not name:
        return name
    return name[0] + "*" * min(max(len(name) - 1, 1), 2)


def mask_detail(detail: str) -> str:
    """Return the first characters of an address, at most six and at most half of it, and asterisks; never the number
    of a building or room, in Chinese numerals neither."""
    if "*" in detail or not detail:
        return detail
    house = _HOUSE.search(detail, 0, 12)
    end = min(len(detail) // 2, 6, house.start() if house else 6)
    return f"{detail[:end]}***"
