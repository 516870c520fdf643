"""Administrative divisions of China: whether province, city and district exist and belong together.

Source of the names and codes: `data/README.md`. Nothing here touches a database; the data is read once per process.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).with_name("data") / "divisions.json"

DIRECT_RULED = frozenset({"11", "12", "31", "50"})
"""Province codes of the municipalities; their "city" is the municipality itself."""
SPECIAL_REGIONS = frozenset({"71", "81", "82"})
"""Taiwan, Hong Kong and Macau: a customs border lies between."""

_NO_REAL_CITY = re.compile(r"^(市辖区|县|(省|自治区)直辖县级行政区划|(省|自治区)直辖县级?(行政单位)?)$")
_PEOPLES = (
    "维吾尔|哈萨克|柯尔克孜|蒙古|朝鲜|布依|土家|哈尼|傈僳|拉祜|东乡|纳西|景颇|达斡尔|仫佬|布朗|撒拉|毛南|仡佬|锡伯|阿昌|普米|塔吉克|"
    "乌孜别克|俄罗斯|鄂温克|德昂|保安|裕固|塔塔尔|独龙|鄂伦春|赫哲|门巴|珞巴|基诺|各族|回族|藏族|苗族|彝族|壮族|满族|侗族|瑶族|白族|傣族|黎族|"
    "佤族|畲族|水族|土族|羌族|怒族|京族"
)
_PEOPLE = re.compile(f"(?:{_PEOPLES})族?")
_SUFFIX = re.compile(
    r"(特别行政区|自治区|自治州|自治县|自治旗|联合旗|地区|林区|特区|新区|街道办事处|街道|省|市|州|盟|县|区|旗|镇|乡)$"
)

_SIMPLIFIED = str.maketrans(
    "臺灣門廣東雲陝龍遼寧蘇貴肅內慶國區別維爾壯",
    "台湾门广东云陕龙辽宁苏贵肃内庆国区别维尔壮",
)
"""The characters of provinces as Taiwan, Hong Kong and Macau write them."""
_PROVINCE_ENDS = re.compile(
    "(?:省|(?:(?<=新疆|广西|宁夏)(?:维吾尔|壮|回)族?)?自治区|特别行政区|(?<=台湾|香港|澳门)地区)$"
)
"""Not 市 and 州: 吉林市 is no province, and 海南州 lies in another one."""


@dataclass(frozen=True, slots=True)
class Division:
    """One place; the parts below its level are empty texts.

    `code` is the official code: 2 digits province, 4 city, 6 district, 9 town of a city without districts. A city that
    a province rules directly as a county (济源, 仙桃, 石河子) has six digits and its name in `city` and `district`.
    """

    code: str
    province: str
    city: str = ""
    district: str = ""

    @property
    def level(self) -> str:
        """Return `province`, `city` or `district`."""
        if self.district:
            return "district"
        return "city" if self.city else "province"

    @property
    def is_direct_ruled(self) -> bool:
        """Whether it lies in 北京, 天津, 上海 or 重庆, where two levels make an address complete."""
        return self.code[:2] in DIRECT_RULED

    @property
    def is_special_region(self) -> bool:
        """Whether goods cross a customs border on the way there."""
        return self.code[:2] in SPECIAL_REGIONS


class Divisions:
    """All divisions, looked up by full or short name or by code."""

    def __init__(self, rows: list[list[object]]) -> None:
        self._by_code: dict[str, Division] = {}
        self._children: dict[str, list[Division]] = defaultdict(list)
        self._below: dict[tuple[str, str], Division | None] = {}
        self._ranks: dict[tuple[str, str], tuple[bool, bool]] = {}
        self._districts: dict[str, list[Division]] = defaultdict(list)
        for code, name, cities in rows:
            self._add_province(str(code), str(name), cities)

    @property
    def provinces(self) -> tuple[Division, ...]:
        """Return the 34 provinces, municipalities, regions and special regions."""
        return tuple(self._children[""])

    def by_code(self, code: str) -> Division | None:
        """Return the division with exactly this code."""
        return self._by_code.get(code)

    def begins(self, digits: str) -> bool:
        """Tell whether any division's code begins with these digits."""
        return any(code.startswith(digits) for code in self._by_code)

    def children(self, code: str) -> tuple[Division, ...]:
        """Return the divisions one level below; the districts for a municipality."""
        return tuple(self._children[code])

    def find_province(self, name: str) -> Division | None:
        """Return the province by full or short name (新疆, 新疆维吾尔自治区) or a usual one (新疆省, 中国台灣)."""
        text = name.strip()
        return self._below.get(("", text)) or self._below.get(("", _usual_province(text)))

    def find_city(self, province: Division, name: str) -> Division | None:
        """Return the city of a province; for a municipality its own name and 市辖区 mean the municipality."""
        text = name.strip()
        if province.is_direct_ruled and (_NO_REAL_CITY.match(text) or self.find_province(text) is province):
            return self._by_code[province.code + "01"]
        found = self._below.get((province.code, text))
        return found if found and found.city else None

    def find_district(self, above: Division, name: str) -> Division | None:
        """Return the district of a city, or of a whole province where the name is unique there."""
        code = above.code[:2] if above.is_direct_ruled else above.code
        found = self._below.get((code, name.strip()))
        return found if found and found.district else None

    def districts_named(self, name: str) -> tuple[Division, ...]:
        """Return every district of this full name in the country; none means an unknown name, not a wrong one."""
        return tuple(self._districts.get(name.strip(), ()))

    def deepest(self, province: str, city: str = "", district: str = "") -> Division | None:
        """Return the deepest level on which the names are known and belong together; None for an unknown province."""
        found = self.find_province(province)
        if found is None:
            return None
        if city.strip() and not (_NO_REAL_CITY.match(city.strip()) and not found.is_direct_ruled):
            below = self.find_city(found, city)
            if below is None:
                return found
            found = below
        elif found.is_direct_ruled:
            found = self._by_code[found.code + "01"]
        return self._with_district(found, district.strip())

    def resolve(self, province: str, city: str = "", district: str = "") -> Division | None:
        """Return the place that all given names agree on, or None when one is unknown or belongs elsewhere.

        Empty names are not held against the address: ask `level` how far it went.
        """
        found = self.deepest(province, city, district)
        if found is None:
            return None
        named_city = city.strip() and not _NO_REAL_CITY.match(city.strip())
        if (named_city and not found.city) or (district.strip() and not found.district):
            return None
        return None if self._is_another(found, district.strip()) else found

    def _is_another(self, county: Division, district: str) -> bool:
        """Whether a county that its province rules directly was given with a district that is not itself."""
        is_county = county.city == county.district and bool(county.district)
        return is_county and bool(district) and self._below.get((county.code[:2], district)) is not county

    def _with_district(self, above: Division, district: str) -> Division:
        if above.district and (not district or self._below.get((above.code[:2], district)) is above):
            return above
        if not district:
            return above
        return self.find_district(above, district) or above

    def _add_province(self, code: str, name: str, cities: object) -> None:
        province = Division(code, name)
        self._by_code[code] = province
        self._children[""].append(province)
        self._name("", province, name)
        assert isinstance(cities, list)
        for city_code, city_name, districts in cities:
            self._add_city(province, city_code, city_name, districts)

    def _add_city(self, province: Division, code: str, name: str, districts: list[list[str]]) -> None:
        direct_counties = not province.is_direct_ruled and bool(_NO_REAL_CITY.match(name))
        city = Division(code, province.province, province.province if province.is_direct_ruled else name)
        if not direct_counties:
            self._by_code[code] = city
            if not province.is_direct_ruled:
                self._children[province.code].append(city)
                self._name(province.code, city, name)
        for district_code, district_name in districts:
            city_name = district_name if direct_counties else city.city
            district = Division(district_code, province.province, city_name, district_name)
            self._by_code[district_code] = district
            self._children[province.code if direct_counties or province.is_direct_ruled else code].append(district)
            for scope in {code, province.code}:
                self._name(scope, district, district_name)
            self._districts[district_name].append(district)

    def _name(self, scope: str, place: Division, name: str) -> None:
        for alias in _aliases(name):
            rank = (alias != name, place.level == "district")
            key = (scope, alias)
            best = self._ranks.get(key)
            if best is None or rank < best:
                self._ranks[key], self._below[key] = rank, place
            elif rank == best and self._below[key] is not place:
                # Two of one rank: the name alone does not say which (鼓楼区 in 江苏).
                self._below[key] = None


@lru_cache(maxsize=1)
def load() -> Divisions:
    """Return all divisions; read once per process (about 3,500 names)."""
    return Divisions(json.loads(DATA.read_text(encoding="utf-8")))


def resolve(province: str, city: str = "", district: str = "") -> Division | None:
    """Return the place that all given names agree on; see `Divisions.resolve`."""
    return load().resolve(province, city, district)


@lru_cache(maxsize=8192)
def _usual_province(name: str) -> str:
    """Return a province's name in simplified characters, without 中国 before it and 省 and the like behind it."""
    return _PROVINCE_ENDS.sub("", name.translate(_SIMPLIFIED).removeprefix("中国").lstrip())


@lru_cache(maxsize=8192)
def _aliases(name: str) -> tuple[str, ...]:
    """Return the spellings of a name in use: 大理白族自治州, 大理州, 大理; never one character alone."""
    found = [name]
    bare = _SUFFIX.sub("", name)
    plain = _PEOPLE.sub("", bare) if bare != name else bare
    found += [bare, plain]
    if name.endswith("自治州"):
        found.append(f"{plain}州")
    if name.endswith("自治县"):
        found.append(f"{plain}县")
    if name == "内蒙古自治区":
        found.append("内蒙")
    return tuple(dict.fromkeys(alias for alias in found if len(alias) > 1))
