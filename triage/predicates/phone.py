"""Phone numbers: whether a courier can call them.

Rules of the reference 4.4: masked numbers and platform tokens are unknown, numbers with an extension are valid, Hong
Kong, Macau and Taiwan numbers need a matching region. Prefix sets move, so they are word lists.
"""

import re

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orderhub.core.contacts import contact_kind
from orderhub.core.draft import OrderDraft
from orderhub.core.words import ContactKind
from triage.matchers import Words
from triage.predicates.base import Batch, FactType, fact
from triage.predicates.region import HK_MO_TW, OVERSEAS, regions

OK = "ok"
STATES = {
    OK: pgettext_lazy("phone", "Valid"),
    "missing": pgettext_lazy("phone", "Missing"),
    "letters": _("Contains letters"),
    "short": _("Too few digits"),
    "long": _("Too many digits"),
    "no_prefix": _("No such number range"),
    "no_area": _("Landline without area code"),
    "fake": _("Obviously made up"),
    "service": _("Service number (400/800)"),
    "machine": _("Machine card, nobody answers"),
    "region": _("Does not fit the region"),
}

_ORDINARY = re.compile(r"1[3-9][0-9]{9}")
_CLEANED = re.compile(r"[\s\-‐-―()（）.·]+")
_COUNTRY = re.compile(r"^(?:\+|00)?86(?=(?:1\d{10}|0?[1-9]\d{9,10})$)", re.ASCII)
_LANDLINE = re.compile(r"0(?:10|2\d|[3-9]\d{2})[2-8]\d{6,7}(?:(?:转|[-,#*]|ext)?\d{1,5})?", re.IGNORECASE | re.ASCII)
_SERVICE = re.compile(r"[48]00\d{7}", re.ASCII)
_MACHINE = re.compile(r"1064[0-9]\d{8}|14[018]\d{10}", re.ASCII)
_SPECIAL = re.compile(r"(?:(?:\+|00)?852)?[5679]\d{7}|(?:(?:\+|00)?853)?6\d{7}|(?:(?:\+|00)?886)?0?9\d{8}", re.ASCII)
_BY_PLACE = {
    "81": re.compile(r"(?:(?:\+|00)?852)?[25-9]\d{7}", re.ASCII),
    "82": re.compile(r"(?:(?:\+|00)?853)?(?:6|28)\d{6,7}", re.ASCII),
    "71": re.compile(r"(?:(?:\+|00)?886)?0?(?:9\d{8}|[2-8]\d{7,8})", re.ASCII),
}
_RUNS = tuple(run for digits in ("01234567890", "09876543210") for run in (digits[:9], digits[1:10], digits[2:11]))
_SAME_DIGITS = 8
"""One digit this often in a mobile number is taken as made up (reference 4.4)."""


def phone_state(phone: str, words: Words, place: str = "") -> str:
    """Return the state of a number that is neither masked nor a platform token.

    `place` is the division code of Hong Kong, Macau or Taiwan, `OVERSEAS`, or empty for the mainland.
    """
    if _ORDINARY.fullmatch(phone):
        return _mobile_state(phone, words)
    kind = contact_kind(phone)
    if kind == ContactKind.VIRTUAL:
        return OK
    bare = _COUNTRY.sub("", _CLEANED.sub("", phone))
    if not bare:
        return "missing"
    if _ORDINARY.fullmatch(bare):
        return _mobile_state(bare, words)
    return _other_state(bare, words, place)


def _mobile_state(phone: str, words: Words) -> str:
    if phone[:3] not in _prefixes(words, "mobile_prefixes"):
        return "machine" if phone[:3] in _prefixes(words, "machine_prefixes") else "no_prefix"
    if _is_made_up(phone) or phone in words.texts("fake_phones"):
        return "fake"
    return OK


def _other_state(bare: str, words: Words, place: str) -> str:
    if place and _fits_place(bare, place):
        return OK
    for pattern, state in ((_LANDLINE, OK), (_SERVICE, "service"), (_MACHINE, "machine"), (_SPECIAL, "region")):
        if pattern.fullmatch(bare):
            return state
    digits = bare.lstrip("+")
    if not digits.isdigit() or not digits.isascii():
        return "letters"
    if len(set(digits)) == 1 or digits in words.texts("fake_phones") or any(run in digits for run in _RUNS):
        return "fake"
    if len(digits) in {7, 8} and digits[0] in "2345678":
        return "no_area"
    if len(digits) == 11:
        return "no_prefix"
    return "short" if len(digits) < 11 else "long"


def _fits_place(bare: str, place: str) -> bool:
    if place == OVERSEAS:
        return bare.lstrip("+").isdigit() and 6 <= len(bare.lstrip("+")) <= 15
    pattern = _BY_PLACE.get(place)
    return pattern is not None and pattern.fullmatch(bare) is not None


def _is_made_up(phone: str) -> bool:
    if len(set(phone)) <= 4 and max(map(phone.count, set(phone))) >= _SAME_DIGITS:
        return True
    return ("4567" in phone or "7654" in phone) and any(run in phone for run in _RUNS)


def _prefixes(words: Words, key: str) -> frozenset[str]:
    """Return a list of prefixes as their three-digit forms: `13` stands for 130 to 139."""
    found = words.kept.get(("prefixes", key))
    if found is None:
        found = words.kept["prefixes", key] = frozenset(
            text + rest
            for text in words.texts(key)
            for rest in ([""] if len(text) >= 3 else (f"{n:0{3 - len(text)}d}" for n in range(10 ** (3 - len(text)))))
        )
    assert isinstance(found, frozenset)
    return found


def _readable(draft: OrderDraft) -> bool:
    receiver = draft.receiver
    kind = receiver.kind
    if kind in {"masked", "cipher"} or "*" in receiver.phone:
        return False
    if not receiver.phone:
        return not receiver.oaid
    return kind != "" or contact_kind(receiver.phone) != ContactKind.CIPHER


@fact(
    "phone.state",
    _("Phone number"),
    FactType.WORD,
    about=_("Unknown where the platform masks the number. Numbers with an extension are valid."),
    example="short",
    choices=STATES,
    basis=lambda draft: draft.receiver.phone,
)
def states(batch: Batch) -> list[str | None]:
    """Return the state of each order's phone number."""
    words = batch.words
    allowed = _prefixes(words, "mobile_prefixes")
    fakes = words.texts("fake_phones")
    ordinary = _ORDINARY.fullmatch
    found: list[str | None] = []
    for i, draft in enumerate(batch.drafts):
        phone = draft.receiver.phone
        if (
            ordinary(phone)
            and phone[:3] in allowed
            and len(set(phone)) > 4
            and "4567" not in phone
            and "7654" not in phone
            and phone not in fakes
        ):
            found.append(OK)
        elif not _readable(draft):
            found.append(None)
        else:
            kind, code = regions(batch)[i]
            place = code[:2] if kind == HK_MO_TW else (OVERSEAS if kind == OVERSEAS else "")
            found.append(phone_state(phone.strip(), words, place))
    return found
