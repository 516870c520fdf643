"""Believable receivers' addresses, good ones and the kinds of bad ones that a person has to complete.

Every good one follows the reference (`domain.md` 4.2): a number and a building or room, a named reception point, or, in
the country, town + village + group.
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from random import Random

from orderhub.core import divisions

DATA = Path(__file__).with_name("data")


@lru_cache(maxsize=1)
def _lists() -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads((DATA / "words.json").read_text(encoding="utf-8"))
    return found


def words(name: str) -> tuple[str, ...]:
    """Return one list of made-up words: roads, estates, villages, nicknames."""
    return tuple(_lists()[name])


# Province code -> share of online orders, roughly as parcels are spread over the country.
_SHARES = {
    "44": 20, "33": 12, "32": 11, "37": 8, "31": 7, "11": 6, "35": 5, "41": 6, "51": 6, "42": 5, "43": 4, "34": 5,
    "13": 5, "61": 3, "50": 3, "36": 3, "21": 3, "45": 3, "53": 2, "12": 2, "23": 2, "22": 2, "14": 2, "52": 2,
    "15": 1, "65": 1, "46": 1, "62": 1, "64": 0.5, "63": 0.3, "54": 0.2,
}  # fmt: skip

_ROADS = words("roads")
_ESTATES = words("estates")
_TOWERS = words("towers")
_COMPANIES = words("companies")
_SCHOOLS = words("schools")
_VILLAGES = words("villages")
_PICKUPS = words("pickups")
_HK_STREETS = words("hong_kong_streets")
_OVERSEAS = (
    ("US", "CA", "San Jose", "2150 Trade Zone Blvd Apt 12", "95131", "+14085550142"),
    ("JP", "東京都", "新宿区", "西新宿 2-8-1 メゾン 305", "160-0023", "+81355550163"),
    ("SG", "Singapore", "Singapore", "Blk 221 Boon Lay Place #10-131", "640221", "+6562345678"),
    ("AU", "NSW", "Sydney", "18 Harris Street Unit 5", "2009", "+61295550171"),
    ("GB", "London", "London", "Flat 4, 27 Camden Road", "NW1 9LN", "+442079460133"),
)
VAGUE = words("vague")
"""Details that no courier finds (reference `domain.md` 4.2)."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a parcel goes, in the words of the draft's receiver; `phone` only where the place demands its own form."""

    province: str
    city: str
    district: str
    town: str
    detail: str
    country: str = "CN"
    postcode: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class _Spot:
    place: divisions.Division
    town: str


@lru_cache(maxsize=1)
def _spots() -> tuple[tuple[_Spot, ...], tuple[float, ...]]:
    """Return every known town and its cumulated share, spread evenly within a province."""
    known = divisions.load()
    towns: dict[str, list[str]] = json.loads((DATA / "towns.json").read_text(encoding="utf-8"))
    spots: list[_Spot] = []
    for code, names in towns.items():
        place = known.by_code(code)
        assert place is not None
        spots += [_Spot(place, name) for name in names]
    sizes: dict[str, int] = {}
    for spot in spots:
        sizes[spot.place.code[:2]] = sizes.get(spot.place.code[:2], 0) + 1
    total = 0.0
    cumulated = []
    for spot in spots:
        province = spot.place.code[:2]
        total += _SHARES[province] / sizes[province]
        cumulated.append(total)
    return tuple(spots), tuple(cumulated)


def good(rng: Random) -> Address:
    """Return a complete address: mostly urban, some in the country, some a pick-up point."""
    spots, cumulated = _spots()
    (spot,) = rng.choices(spots, cum_weights=cumulated)
    rural = spot.town.endswith(("镇", "乡"))
    town = spot.town if rural or rng.random() < 0.6 else ""
    detail = _rural(rng) if rural and rng.random() < 0.6 else _urban(rng)
    place = spot.place
    return Address(place.province, place.city, place.district, town, detail)


def vague(rng: Random) -> Address:
    """Return a real district with a detail that no courier finds."""
    pattern = rng.choice(VAGUE)
    detail = pattern.format(
        estate=rng.choice(_ESTATES), village=rng.choice(_VILLAGES), road=rng.choice(_ROADS), school=rng.choice(_SCHOOLS)
    )
    return replace(good(rng), town="", detail=detail)


def incomplete(rng: Random) -> Address:
    """Return an address of which a part is missing or contradicts another."""
    base = good(rng)
    match rng.randrange(6):
        case 0:
            return replace(base, city="", district="", town="")
        case 1:
            return replace(base, detail="")
        case 2:
            return replace(base, town="", detail=f"{rng.choice(_ROADS)}{rng.choice(_ESTATES)}")
        case 3:
            return replace(base, town="", detail=base.district)
        case 4:
            return replace(base, province="", city="", district="", town="")
        case _:
            return replace(base, district=_elsewhere(rng, base), town="")


def hong_kong(rng: Random) -> Address:
    """Return a Hong Kong or Macau address with a phone of its own form."""
    known = divisions.load()
    if rng.random() < 0.75:
        city = rng.choice(known.children("81"))
        district = rng.choice(known.children(city.code))
        detail = f"{rng.choice(_HK_STREETS)}{rng.randint(2, 600)}號{rng.randint(3, 30)}樓{rng.choice('ABCDEF')}室"
        return Address(city.province, city.city, district.district, "", detail, "HK", "", _digits(rng, "569", 8))
    city = rng.choice(known.children("82"))
    district = rng.choice(known.children(city.code))
    detail = f"新馬路{rng.randint(2, 400)}號{rng.randint(2, 20)}樓{rng.choice('ABCD')}座"
    return Address(city.province, city.city, district.district, "", detail, "MO", "", _digits(rng, "6", 8))


def overseas(rng: Random) -> Address:
    """Return an address abroad."""
    country, state, city, detail, postcode, phone = rng.choice(_OVERSEAS)
    return Address(state, city, "", "", detail, country, postcode, phone)


def _urban(rng: Random) -> str:
    road = f"{rng.choice(_ROADS)}{rng.randint(1, 998)}号"
    estate = rng.choice(_ESTATES)
    room = f"{rng.randint(1, 32)}{rng.randint(1, 6):02d}室"
    roll = rng.random()
    if roll < 0.42:
        return f"{road}{estate}{rng.randint(1, 30)}幢{rng.randint(1, 4)}单元{room}"
    if roll < 0.62:
        return f"{estate}{rng.randint(1, 30)}号楼{rng.randint(1, 4)}单元{room}"
    if roll < 0.76:
        return f"{road}{rng.choice(_TOWERS)}{rng.choice('ABCD')}座{room}"
    if roll < 0.84:
        return f"{road}{rng.choice(_TOWERS)}{rng.randint(2, 28)}楼{rng.choice(_COMPANIES)}前台"
    if roll < 0.91:
        return f"{road}{estate}{rng.choice(_PICKUPS)}"
    if roll < 0.96:
        return f"{rng.choice(_SCHOOLS)}{rng.randint(1, 20)}号宿舍楼{rng.randint(1, 6)}{rng.randint(1, 30):02d}室"
    return f"{road}沿街{rng.randint(1, 60)}号商铺"


def _rural(rng: Random) -> str:
    village = f"{rng.choice(_VILLAGES)}村"
    roll = rng.random()
    if roll < 0.5:
        return f"{village}{rng.randint(1, 16)}组{rng.randint(1, 120)}号"
    if roll < 0.8:
        return f"{village}{rng.randint(1, 16)}组"
    if roll < 0.9:
        return f"{village}{rng.randint(1, 9)}队{rng.randint(1, 60)}号"
    return f"{village}村委会菜鸟驿站"


def _elsewhere(rng: Random, base: Address) -> str:
    """Return a district name that exists in the country but not in the city of `base`."""
    spots, _ = _spots()
    known = divisions.load()
    while True:
        name = rng.choice(spots).place.district
        if known.resolve(base.province, base.city, name) is None:
            return name


def _digits(rng: Random, first: str, length: int) -> str:
    return rng.choice(first) + "".join(rng.choices("0123456789", k=length - 1))
