import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderhub.core.draft import ReceiverDraft
from tests.triage.judge import fact_of, starter_words
from triage.defaults.words import word_lists
from triage.matchers import ENDS, Term, Words
from triage.predicates.address import PROBLEMS, address_problems


def problems(detail, **receiver):
    return fact_of("address.problems", receiver={"detail": detail, **receiver})


@pytest.mark.parametrize(
    "detail",
    [
        "文三路 90 号 3 幢 501 室",
        "阳光花园 12 栋 2 单元 303 室",
        "西溪北苑21-3-402",
        "人民路 18 号",
        "建国路 88 号 SOHO 现代城 B 座 1208",
        "浙江省杭州市西湖区文三路 90 号 3 幢 501 室",
        "文三路 90 号小区门口 3 幢 501 室",
        "文三路 90 号 3 幢 501 室 到了打电话",
        "科技园南区菜鸟驿站",
        "阳光花园丰巢快递柜",
        "中心小学传达室",
        "市一医院门卫室",
        "大王镇李家村三组",
        "李家村5组王小明家",
        "第一中学 3 号宿舍楼 210",
        "人民医院住院部 8 楼 12 床",
        "阳光花园A座",
        "花园路 5 号",
        "政府路 12 号",
        "大学城北路 28 号",
        "桥头路 12 号",
        "桥头镇工业路 3 号",
        "人民路 88 号红绿灯旁粮油店",
    ],
)
def test_complete_addresses(detail):
    assert problems(detail) == ()


@pytest.mark.parametrize(
    ("detail", "problem"),
    [
        ("", "missing"),
        ("西湖区", "missing"),
        ("浙江省杭州市西湖区", "missing"),
        ("测试", "placeholder"),
        ("TEST", "placeholder"),
        ("xxx", "placeholder"),
        ("123", "placeholder"),
        ("无", "placeholder"),
        ("待定", "placeholder"),
        ("8888888", "digits_only"),
        ("啊啊啊啊啊", "repeated"),
        ("文三路", "too_short"),
        ("阳光小区门口", "vague_end"),
        ("李家村村口", "vague_end"),
        ("人民路和解放路路口", "vague_end"),
        ("文三路 90 号对面", "vague_end"),
        ("中心公园附近。", "vague_end"),
        ("到了打电话联系我", "vague_end"),
        ("还是老地方那里", "vague_end"),
        ("往东 200 米", "direction"),
        ("桥头东边第三家", "direction"),
        ("过了红绿灯就到", "direction"),
        ("建设路红绿灯右转 100 米", "direction"),
        ("石桥村桥头", "direction"),
        ("解放路红绿灯。", "direction"),
        ("市第一人民医院", "landmark_only"),
        ("万达广场", "too_short"),
        ("城南万达广场", "landmark_only"),
        ("杭州火车站", "landmark_only"),
        ("文三路阳光大厦", "no_number"),
        ("文三路 90 号阳光花园", "no_building"),
        ("滨江路 7 号金桥小区", "no_building"),
        ("文三路 90 号 3 幢 501 室 13912345678", "phone_inside"),
        ("文三路 90 号 0571-88886666", "phone_inside"),
        ("文三路 90 号 3 幢 501 室 江苏省南京市玄武区中山路 1 号", "second_address"),
        ("文三路 90 号 3 幢 501 室🏠", "odd_characters"),
    ],
)
def test_each_problem_is_named(detail, problem):
    assert problem in problems(detail)


@pytest.mark.parametrize(
    ("detail", "found"),
    [
        ("文三路 90 号金桥小区 3 幢", ()),
        ("文三路 90 号金桥小区东门", ("no_building",)),
        ("文三路 90 号西溪北苑", ("no_building",)),
        ("文三路 90 号北苑路", ()),
        ("文三路 90 号花苑路", ("no_building",)),
        ("文三路 90 号御江府", ("no_building",)),
        ("文三路 90 号御江府，东门", ("no_building",)),
        ("文三路 90 号御江府东门", ()),
        ("文三路 90 号市政府", ()),
        ("文三路 90 号阳光城 (东门)", ("no_building",)),
        ("文三路 90 号五金商城", ()),
        ("文三路 90 号五金商城 金桥小区", ("no_building",)),
        ("科技园物业", ()),
        ("科技园自提点", ()),
        ("市第一人民医院住院处", ("no_number",)),
        ("城南批发市场东区", ("no_number",)),
    ],
)
def test_words_that_make_an_address_complete_or_not(detail, found):
    assert problems(detail) == found


@pytest.mark.parametrize(
    ("key", "term", "detail", "before", "after"),
    [
        ("pick_up_points", Term("蜂巢站"), "阳光新村蜂巢站", ("no_number",), ()),
        ("landmarks", Term("体育馆", ENDS), "城南区体育馆", ("no_number",), ("landmark_only",)),
        ("landmark_parts", Term("护士站"), "市中心护士站附属医院", ("landmark_only",), ("no_number",)),
        ("estates", Term("庭", ENDS), "文三路 90 号云栖庭", (), ("no_building",)),
        ("not_estates", Term("苑东"), "文三路 90 号北苑东", ("no_building",), ()),
    ],
)
def test_words_that_people_add(key, term, detail, before, after):
    lists = {words.key: [term for term, _note, _active in words.terms] for words in word_lists()}
    receiver = ReceiverDraft(detail=detail)
    assert address_problems(receiver, starter_words()) == before
    assert address_problems(receiver, Words({**lists, key: [*lists[key], term]})) == after


def test_the_region_repeated_in_front_is_no_second_address():
    region = {"province": "广西", "city": "南宁市", "district": "宾阳县"}
    assert problems("广西壮族自治区南宁市宾阳县永安路 6 号 2 栋 301 室", **region) == ()


def test_a_town_alone_is_not_complete():
    assert problems("", town="黎塘镇") == ("missing",)


def test_a_village_in_a_town_needs_no_number():
    assert problems("李家村委会旁边的王家庄", town="大王镇") == ()
    assert problems("东庄大队第三小队", town="大王镇") == ()


@pytest.mark.parametrize(
    ("town", "detail"),
    [
        ("长安镇", "万科金域湾花园"),
        ("长安镇", "上沙村阳光花园"),
        ("三墩镇", "金色港湾小区"),
        ("三墩镇", "城西营业厅"),
        ("三墩镇", "城西社区服务中心"),
        ("虎门镇", "连升路富民商务中心"),
        ("虎门镇", "沙湾中路富民大厦"),
        ("虎门镇", "大连路工业区"),
        ("虎门镇", "富民连锁便利店"),
        ("古荡街道", "翠苑新村小区"),
        ("", "古荡街道桃园新村"),
        ("", "古荡街道桃园新村家属院"),
    ],
)
def test_an_estate_in_a_town_is_no_village(town, detail):
    assert problems(detail, town=town) == ("no_number",)


@pytest.mark.parametrize(
    ("town", "detail"),
    [
        ("长安镇", "上沙村"),
        ("长安镇", "上沙村人民路"),
        ("", "长安镇上沙村"),
        ("", "石桥镇李家庄三组"),
        ("石桥镇", "李庄村东大街"),
        ("石桥镇", "桃园新村"),
        ("", "白河乡王家沟"),
        ("白河乡", "王家沟大路边"),
        ("苑家庄镇", "苑家庄"),
        ("港口镇", "港湾村"),
        ("大连湾街道", "前关村村委会"),
        ("", "梅林街道新屯"),
        ("", "前进农场三连"),
        ("一四三团", "三连"),
        ("", "农八师一四三团三连"),
        ("草原苏木", "巴音嘎查"),
    ],
)
def test_villages_need_no_number(town, detail):
    assert problems(detail, town=town) == ()


@pytest.mark.parametrize(
    "detail",
    [
        "3栋2单元501室",
        "5单元501室",
        "三单元502室",
        "一号楼二单元501室",
        "东区12栋501室",
        "小区3栋501室",
        "21-3-402",
        "3号宿舍楼 210",
        "西湖区3栋2单元501室",
        "浙江省杭州市西湖区3栋2单元501室",
    ],
)
def test_a_room_alone_is_no_address(detail):
    assert problems(detail) == problems(detail, town="古荡街道") == ("no_number",)


@pytest.mark.parametrize(
    "detail",
    [
        "三里屯5号楼501室",
        "八一路3号楼501室",
        "12号路3栋501室",
        "三村5栋501室",
        "3连5栋501室",
        "1号院3号楼501室",
        "红楼5栋501室",
        "南楼村5单元501室",
        "鼓楼东大街5栋501室",
        "九号公馆3栋501室",
        "翠苑一区5栋501室",
        "SOHO 3号楼501室",
        "西湖区西溪北苑21-3-402",
        "4号楼501室丰巢快递柜",
    ],
)
def test_a_room_with_a_name_is_complete(detail):
    assert problems(detail) == ()


def test_a_farm_or_a_village_in_the_place_of_the_town_is_a_name():
    assert problems("5栋501室", town="前进农场") == ()


@pytest.mark.parametrize(
    ("detail", "found"),
    [
        ("北京路5号3栋501室", ()),
        ("北京市朝阳区市场路5号3栋501室", ()),
        ("北京市朝阳区3栋2单元501室", ("no_number",)),
    ],
)
def test_a_region_is_no_name_and_a_road_of_its_name_is(detail, found):
    assert problems(detail, province="北京", city="北京市", district="朝阳区") == found


def test_a_district_that_begins_like_a_region_stays_whole():
    region = {"province": "山东省", "city": "济南市", "district": "市中区"}
    assert problems("济南市市中区3栋2单元501室", **region) == ("no_number",)


@pytest.mark.parametrize(
    "detail",
    [
        "收货地址：浙江省杭州市西湖区文三路90号3幢501室",
        "地址:浙江省杭州市西湖区文三路90号3幢501室",
        "收件地址 浙江省 杭州市 西湖区 文三路90号3幢501室",
        "中国浙江省杭州市西湖区文三路90号3幢501室",
        "收货地址：中国，浙江省杭州市西湖区文三路90号3幢501室",
        "详细地址：文三路90号3幢501室",
    ],
)
def test_a_label_in_front_makes_no_second_address(detail):
    assert problems(detail) == ()


@pytest.mark.parametrize(
    "detail",
    [
        "收货地址：江苏省南京市玄武区中山路1号",
        "收货地址：浙江省宁波市海曙区中山路1号",
        "中国浙江省宁波市海曙区中山路1号",
        "新地址：浙江省杭州市滨江区江南大道1号",
        "地址：文三路90号3幢501室，寄江苏省南京市玄武区中山路1号",
        "收货地址：浙江省杭州市西湖区文三路90号3幢501室 或 浙江省杭州市滨江区江南大道1号",
    ],
)
def test_another_address_behind_a_label_is_a_second_one(detail):
    assert problems(detail) == ("second_address",)


def test_a_county_level_city_behind_a_label_is_the_receivers():
    region = {"city": "金华市", "district": "义乌市"}
    assert problems("收货地址：浙江省义乌市稠江街道文三路3号", **region) == ()


def test_a_label_alone_is_no_address():
    assert problems("地址：") == ("placeholder",)
    assert problems("收货地址：浙江省杭州市西湖区") == ("missing",)


@pytest.mark.parametrize("detail", ["文三路***", "***", "~AESciphertextcipher==~1~"])
def test_masked_details_are_unknown(detail):
    assert problems(detail) is None


def test_an_empty_detail_of_a_masked_receiver_is_unknown():
    assert problems("", kind="masked", phone="139****5678") is None
    assert problems("", oaid="1abc") is None
    assert problems("文三路", kind="cipher") is None


def test_a_latin_address_is_not_measured_by_chinese_words():
    assert problems("2150 Trade Zone Blvd Apt 12", country="US") == ()


@given(st.text(max_size=60))
def test_any_detail_is_judged(text):
    found = problems(text)
    assert found is None or set(found) <= PROBLEMS.keys()


@pytest.mark.parametrize(
    ("receiver", "forwards"),
    [({"detail": "某某转运仓 3 号"}, True), ({"name": "集运-A1234"}, True), ({}, False), ({"detail": "***"}, None)],
)
def test_forwarding_warehouses(receiver, forwards):
    assert fact_of("address.forwarding", receiver=receiver) is forwards


@pytest.mark.parametrize(
    ("receiver", "found"),
    [
        ({"detail": "", "phone": "17724949984-9616", "kind": "virtual", "oaid": "token"}, ("missing",)),
        ({"detail": "", "phone": "138****2807", "kind": "masked", "oaid": "token"}, None),
        ({"detail": "", "phone": "", "oaid": "token"}, None),
    ],
)
def test_a_missing_detail_is_a_problem_unless_the_platform_hides_it(receiver, found):
    assert fact_of("address.problems", receiver=receiver) == found
