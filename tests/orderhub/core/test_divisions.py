import pytest

from orderhub.core import divisions


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("新疆",), "65"),
        (("新疆维吾尔自治区", "乌鲁木齐", "天山区"), "650102"),
        (("内蒙", "呼和浩特"), "1501"),
        (("北京", "北京市", "朝阳"), "110105"),
        (("北京市", "市辖区", "朝阳区"), "110105"),
        (("北京市", "", "海淀区"), "110108"),
        (("重庆市", "县", "忠县"), "500233"),
        (("浙江省", "杭州市", "西湖区"), "330106"),
        (("河南省", "", "济源市"), "419001"),
        (("河南省", "济源市", ""), "419001"),
        (("河南省", "省直辖县级行政区划", "济源市"), "419001"),
        (("广东", "东莞", "南城街道"), "441900004"),
        (("云南", "大理州", "大理市"), "532901"),
        (("吉林", "吉林", ""), "2202"),
        (("湖南", "长沙", "长沙县"), "430121"),
        (("香港", "九龙", "观塘区"), "810205"),
    ],
)
def test_full_and_short_names_resolve(names, code):
    place = divisions.resolve(*names)
    assert place is not None
    assert place.code == code


@pytest.mark.parametrize(
    ("names", "deepest"),
    [
        (("浙江省", "杭州市", "海曙区"), "3301"),
        (("浙江省", "南京市", "玄武区"), "33"),
        (("江苏省", "苏州市", "其它区"), "3205"),
        (("江苏省", "", "鼓楼区"), "32"),
        (("河南省", "济源市", "海曙区"), "419001"),
    ],
)
def test_names_that_do_not_belong_together_do_not_resolve(names, deepest):
    assert divisions.resolve(*names) is None
    place = divisions.load().deepest(*names)
    assert place is not None
    assert place.code == deepest


def test_unknown_province_has_no_depth():
    assert divisions.load().deepest("California", "Los Angeles") is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *((name, "71") for name in ("台灣", "臺灣", "台灣省", "中国台湾", "中國台灣", "台湾地区", " 台湾省 ")),
        *((name, "81") for name in ("香港特別行政區", "中国香港", "中国 香港", "香港地区", "中国香港特别行政区")),
        *((name, "82") for name in ("澳門", "澳門特別行政區", "中国澳门")),
        *((name, "65") for name in ("新疆省", "新疆自治区", "新疆维吾尔族自治区", "新疆維吾爾自治區")),
        ("西藏省", "54"), ("广西省", "45"), ("广西自治区", "45"), ("宁夏自治区", "64"), ("内蒙自治区", "15"),
        ("內蒙古自治區", "15"), ("廣東省", "44"), ("重慶市", "50"), ("中国浙江省", "33"),
    ],
)  # fmt: skip
def test_usual_spellings_of_a_province(name, code):
    place = divisions.load().find_province(name)
    assert place is not None
    assert place.code == code


@pytest.mark.parametrize(
    "name", ["", "中国", "省", "自治区", "吉林市", "吉林地区", "海南州", "喀什地区", "某某省", "Guangdong", "台湾路"]
)
def test_what_is_no_province(name):
    assert divisions.load().find_province(name) is None


def test_unknown_name_differs_from_a_district_of_another_city():
    known = divisions.load()
    assert known.districts_named("其它区") == ()
    assert [place.city for place in known.districts_named("海曙区")] == ["宁波市"]


def test_every_division_resolves_by_its_own_names_to_itself():
    known = divisions.load()
    cities = [city for province in known.provinces for city in known.children(province.code)]
    districts = [place for city in cities for place in known.children(city.code)]
    assert len(known.provinces) == 34
    assert len(districts) > 2900
    wrong = [p for p in (*cities, *districts) if known.resolve(p.province, p.city, p.district) is not p]
    assert wrong == []


def test_regions_are_told_by_their_code():
    macau = divisions.resolve("澳门")
    assert macau is not None
    assert macau.is_special_region
    xinjiang = divisions.resolve("新疆", "喀什")
    assert xinjiang is not None
    assert xinjiang.level == "city"
