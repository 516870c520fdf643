"""A whole address in one cell, told apart into province, city, district, town and the rest."""

from collections.abc import Callable

from orderhub.core.divisions import Division, load

_LONGEST_NAME = 15
_TOWN_ENDS = ("街道", "镇", "乡")


def split_address(text: str) -> dict[str, str]:
    """Return `province`, `city`, `district`, `town` and `detail` as far as their names stand at the front.

    An address that does not begin with a province is returned as `detail` alone.
    """
    places = load()
    province, rest = _front(text, places.find_province)
    if province is None:
        return {"detail": text.strip()}
    found = {"province": province.province}
    city, rest = _front(rest, lambda name: places.find_city(province, name))
    if city is None and province.is_direct_ruled:
        city = places.find_city(province, province.province)
    if city is not None:
        found["city"] = city.city
    # A municipality's districts stand right below it, and may have been found as if they were cities.
    district = city if city is not None and city.district else None
    if district is None:
        district, rest = _front(rest, lambda name: places.find_district(city or province, name))
    if district is not None:
        found |= {"city": district.city, "district": district.district}
    return found | _town(rest.strip())


def _front(text: str, find: Callable[[str], Division | None]) -> tuple[Division | None, str]:
    """Return the place whose name stands in front and what follows it: the first word, else the longest name."""
    text = text.lstrip(" ,，、-　\t")
    word, _space, rest = text.partition(" ")
    place = find(word) if len(word) <= _LONGEST_NAME else None
    if place is not None:
        return place, rest
    for length in range(min(len(text), _LONGEST_NAME), 1, -1):
        place = find(text[:length])
        if place is not None:
            return place, text[length:]
    return None, text


def _town(text: str) -> dict[str, str]:
    """A town is told apart only where a space follows it: many streets end in the same characters."""
    first, space, rest = text.partition(" ")
    if space and first.endswith(_TOWN_ENDS) and rest.strip():
        return {"town": first, "detail": rest.strip()}
    return {"detail": text}
