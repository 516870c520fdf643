import pytest

from orderhub.core.draft import ReceiverDraft
from tests.triage.judge import batch, candidate, fact_of, starter_words
from triage.matchers import Term, Words, region_code
from triage.predicates.region import region_of


def region(province, city="", district="", **receiver):
    return {"province": province, "city": city, "district": district, **receiver}


@pytest.mark.parametrize(
    ("receiver", "kind"),
    [
        (region("浙江省", "杭州市", "西湖区"), "mainland"),
        (region("新疆维吾尔自治区", "喀什地区", "喀什市"), "remote"),
        (region("新疆"), "remote"),
        (region("内蒙", "呼和浩特市"), "remote"),
        (region("海南省", "海口市"), "mainland"),
        (region("香港特别行政区"), "hk_mo_tw"),
        (region("台湾"), "hk_mo_tw"),
        (region("", country="HK"), "hk_mo_tw"),
        (region("CA", "San Jose", country="US"), "overseas"),
        (region("California", "San Jose", detail="2150 Trade Zone Blvd", phone="+14085550142"), "overseas"),
        *((region("浙江省", "杭州市", country=name), "mainland") for name in ("中国大陆", "大陆", "PRC", "86", "156")),
        (region("", country="中国香港特别行政区"), "hk_mo_tw"),
        (region("", country="Hong Kong"), "hk_mo_tw"),
        (region("", country="158"), "hk_mo_tw"),
        (region("海外", "加拿大"), "overseas"),
        (region("国外"), "overseas"),
        (region("境外地区", "东京", country="中国"), "overseas"),
        *((region(name), "hk_mo_tw") for name in ("台灣", "臺灣省", "澳門", "香港特別行政區", "中国香港", "台湾地区")),
        *((region(name), "hk_mo_tw") for name in ("Hong Kong", "Taiwan, China", "Macau", "MACAO")),
        *((region("", country=name), "hk_mo_tw") for name in ("台灣", "澳門", "香港特別行政區", "HKG")),
        (region("MO", "St. Louis", detail="12 Main Street", country="CN"), "overseas"),
        *((region(name), "remote") for name in ("新疆自治区", "新疆省", "西藏省", "內蒙古自治區")),
        *((region(name), "mainland") for name in ("广西省", "廣東省", "中国浙江省")),
        (region("某某省"), None),
        (region("吉林市"), None),
        (region("", detail="***"), None),
    ],
)
def test_kinds(receiver, kind):
    assert fact_of("region.kind", receiver=receiver) == kind


@pytest.mark.parametrize(
    ("receiver", "conflict"),
    [
        (region("浙江省", "杭州市", "西湖区"), False),
        (region("北京市", "北京市", "朝阳区"), False),
        (region("北京市", "", "朝阳区"), False),
        (region("北京", "朝阳区", ""), False),
        (region("上海市", "浦东新区"), False),
        (region("重庆市", "渝中区"), False),
        (region("重庆市", "市辖区"), True),
        (region("上海市", "朝阳区"), True),
        (region("湖北省", "仙桃市"), False),
        (region("江西省", "南昌市", ""), False),
        (region("浙江省", "南京市", "玄武区"), True),
        (region("浙江省", "杭州市", "海曙区"), True),
        (region("浙江省", ""), True),
        (region("北京市", "北京市", ""), True),
        (region("北京市", "", "", detail="朝阳区建国路 88 号"), False),
        (region("", ""), True),
        (region("浙江省", "南京市", "玄武区", country="中国大陆"), True),
        (region("海外", "加拿大"), None),
        (region("江苏省", "苏州市", "某某新区"), None),
        (region("某某省", "某某市"), None),
        (region("浙江省", "杭州市", "***"), None),
        (region("CA", "San Jose", country="US"), None),
        (region("香港", "九龙", "观塘区"), None),
        (region("台灣", "台北市", "大安區"), None),
        (region("新疆省", "喀什地区", "喀什市"), False),
        (region("新疆省", "杭州市", "西湖区"), True),
    ],
)
def test_names_that_cannot_all_be_true(receiver, conflict):
    assert fact_of("region.conflict", receiver=receiver) is conflict


class Emptied(dict):
    """What is kept, as one thread sees it while another empties it."""

    def __setitem__(self, key, value):
        pass


def test_another_thread_may_empty_what_is_kept():
    judged = batch(candidate(), candidate(receiver=region("江苏省", "苏州市", "某某新区")))
    judged.words = Words({})
    judged.words.kept["conflicts"] = Emptied()
    assert judged.column("region.conflict") == [False, None]


@pytest.mark.parametrize(("text", "code"), [("新疆", "65"), ("5134", "5134"), ("甘孜", "5133"), ("火星", "")])
def test_terms_of_a_region_list(text, code):
    assert region_code(text) == code


def test_lists_hold_codes_or_names():
    words = Words({"remote_regions": [Term("甘孜"), Term("46")]})
    assert region_of(ReceiverDraft(province="四川省", city="甘孜藏族自治州"), words)[0] == "remote"
    assert region_of(ReceiverDraft(province="海南省", city="海口市"), words)[0] == "remote"
    assert region_of(ReceiverDraft(province="新疆", city=""), words)[0] == "mainland"


def test_a_list_may_name_a_province_as_addresses_do():
    words = Words({"sensitive_regions": [Term("新疆省")]})
    assert words.prefixes("sensitive_regions") == ("65",)


def test_no_region_is_sensitive_until_listed():
    assert fact_of("region.sensitive") is False
    assert starter_words().prefixes("sensitive_regions") == ()
