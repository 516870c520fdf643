"""Where an order goes: remote, across a customs border, abroad; and whether the names belong together (4.3)."""

import re

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orderhub.core import divisions
from orderhub.core.countries import is_china
from orderhub.core.draft import OrderDraft, ReceiverDraft
from triage.matchers import Words
from triage.predicates.base import Batch, FactType, fact

MAINLAND, REMOTE, HK_MO_TW, OVERSEAS = "mainland", "remote", "hk_mo_tw", "overseas"
KINDS = {
    MAINLAND: pgettext_lazy("region", "Mainland"),
    REMOTE: pgettext_lazy("region", "Remote"),
    HK_MO_TW: _("Hong Kong, Macau, Taiwan"),
    OVERSEAS: pgettext_lazy("region", "Overseas"),
}
_SPECIAL = {
    name: code
    for code, names in {
        "81": "HK HKG 344 HONGKONG HONGKONGSAR",
        "82": "MO MAC 446 MACAO MACAU MACAOSAR MACAUSAR",
        "71": "TW TWN 158 TAIWAN",
    }.items()
    for name in names.split()
}
"""Codes and English names; the Chinese ones are found among the provinces."""
_SHORTEST_NAME = 4
"""What is shorter is a code, and as a province another place: MO is Missouri."""
_ABROAD = ("海外", "国外", "境外")
"""What stands in place of a province where the country is left as it was."""
_CJK = re.compile("[一-鿿]")
_REMEMBERED = 20_000
_ABSENT = object()

Region = tuple[str | None, str]


def region_of(receiver: ReceiverDraft, words: Words) -> Region:
    """Return the kind of region (None when the names say nothing) and the deepest division code known."""
    if not is_china(receiver.country):
        special = _special(receiver.country)
        return (HK_MO_TW, special) if special else (OVERSEAS, "")
    if receiver.province.startswith(_ABROAD):
        return OVERSEAS, ""
    place = divisions.load().deepest(receiver.province, receiver.city, receiver.district)
    if place is None:
        special = _special(receiver.province) if len(receiver.province) >= _SHORTEST_NAME else None
        return (HK_MO_TW, special) if special else (_unnamed(receiver), "")
    if place.is_special_region:
        return HK_MO_TW, place.code
    return (REMOTE if place.code.startswith(words.prefixes("remote_regions")) else MAINLAND), place.code


def _special(name: str) -> str | None:
    """Return the code of Hong Kong, Macau or Taiwan by its name; None for anything else."""
    place = divisions.load().find_province(name)
    if place is not None:
        return place.code if place.is_special_region else None
    return _SPECIAL.get(name.replace(" ", "").replace(",", "").upper().removesuffix("CHINA"))


def _unnamed(receiver: ReceiverDraft) -> str | None:
    """A receiver without a Chinese character and with a Latin address is abroad, whatever the country says."""
    text = receiver.province + receiver.city + receiver.detail
    foreign = receiver.phone.startswith(("+", "00")) and not receiver.phone.lstrip("+0").startswith("86")
    if "*" in text or _CJK.search(text) or not re.search("[A-Za-z]{3}", text):
        return None
    return OVERSEAS if foreign or receiver.postcode or receiver.province else None


def _all(batch: Batch) -> list[Region]:
    kept = batch.words.kept.setdefault("regions", {})
    assert isinstance(kept, dict)
    if len(kept) > _REMEMBERED:
        kept.clear()
    found: list[Region] = []
    for draft in batch.drafts:
        receiver = draft.receiver
        key = (receiver.country, receiver.province, receiver.city, receiver.district)
        region = kept.get(key)
        if region is None:
            region = region_of(receiver, batch.words)
            if region[0] is not None and region[1]:
                kept[key] = region
        found.append(region)
    return found


def regions(batch: Batch) -> list[Region]:
    """Return kind and division code of every order's region."""
    return batch.once(_all)


def region_basis(draft: OrderDraft) -> str:
    """Return the order's own data that says where it goes."""
    receiver = draft.receiver
    return "|".join((receiver.country, receiver.province, receiver.city, receiver.district))


@fact(
    "region.kind",
    _("Region"),
    FactType.WORD,
    about=_("Remote regions are the word list of that name; a customs border lies before Hong Kong, Macau and Taiwan."),
    example=HK_MO_TW,
    choices=KINDS,
    basis=region_basis,
)
def kinds(batch: Batch) -> list[str | None]:
    """Return the kind of region of each order."""
    return [kind for kind, _code in regions(batch)]


@fact(
    "region.sensitive",
    _("Region is on the list of sensitive regions"),
    FactType.FLAG,
    about=_("The word list is empty until somebody fills it: for places that a person must look at."),
    example=True,
    basis=region_basis,
)
def sensitive(batch: Batch) -> list[bool | None]:
    """Tell whether each order goes to a region on the sensitive list."""
    codes = batch.words.prefixes("sensitive_regions")
    return [None if kind is None else bool(codes) and code.startswith(codes) for kind, code in regions(batch)]


@fact(
    "region.province",
    _("Province"),
    FactType.TEXT,
    about=_("As the channel names it."),
    example="浙江省",
    basis=region_basis,
)
def provinces(batch: Batch) -> list[str | None]:
    """Return the name of each order's province."""
    return [draft.receiver.province or None for draft in batch.drafts]


@fact(
    "region.conflict",
    _("Province, city and district contradict each other"),
    FactType.FLAG,
    about=_("A known district of another city, or no city at all. An unknown name is not held against the order."),
    example=True,
    basis=region_basis,
)
def conflicts(batch: Batch) -> list[bool | None]:
    """Tell whether the region names of each order cannot all be true."""
    kept = batch.words.kept.setdefault("conflicts", {})
    assert isinstance(kept, dict)
    if len(kept) > _REMEMBERED:
        kept.clear()
    found: list[bool | None] = []
    for draft in batch.drafts:
        receiver = draft.receiver
        key = (receiver.country, receiver.province, receiver.city, receiver.district)
        if not receiver.district:
            found.append(_conflict(receiver))
            continue
        # Read once: another thread may empty what is kept at any moment.
        conflict = kept.get(key, _ABSENT)
        if conflict is _ABSENT:
            conflict = kept[key] = _conflict(receiver)
        found.append(conflict)
    return found


def _conflict(receiver: ReceiverDraft) -> bool | None:
    names = (receiver.province, receiver.city, receiver.district)
    if not is_china(receiver.country) or any("*" in name for name in names):
        return None
    known = divisions.load()
    place = known.deepest(*names)
    if place is None:
        return True if not any(name.strip() for name in names) else None
    if place.is_special_region:
        return None
    if known.resolve(*names) is not None:
        return _is_too_wide(known, place, receiver)
    return _misplaced(known, place, receiver)


def _is_too_wide(known: divisions.Divisions, place: divisions.Division, receiver: ReceiverDraft) -> bool:
    """Province and city, in a municipality the district, are the least; people also write them into the detail."""
    if place.level == "district" or (receiver.city.strip() and not place.is_direct_ruled):
        return False
    below = known.children(place.code[:2])
    return not any(name and name in receiver.detail for part in below for name in {part.district or part.city})


def _misplaced(known: divisions.Divisions, place: divisions.Division, receiver: ReceiverDraft) -> bool | None:
    """A name that exists elsewhere is a contradiction; one that exists nowhere may just be new."""
    if place.level == "province" and receiver.city.strip():
        cities = (known.find_city(province, receiver.city) for province in known.provinces)
        return True if any(cities) else None
    elsewhere = known.districts_named(receiver.district)
    return True if elsewhere and place.code not in {other.code for other in elsewhere} else None
