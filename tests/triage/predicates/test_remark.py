import pytest

from tests.triage.judge import batch, candidate, fact_of, line
from triage.predicates.base import facts


@pytest.mark.parametrize(
    ("remark", "weight"),
    [
        ("", 0),
        ("谢谢老板", 0),
        ("生日礼物", 2),
        ("明天手术急需，麻烦优先安排", 3),
        ("医院等着用", 3),
        ("婚礼要用", 2),
        ("15号前要到", 2),
        ("十五号之前用", 2),
        ("麻烦 15 号前一定送到", 2),
        ("务必周五前！", 2),
        ("15号前不发货就退款", 2),
        ("月底前要用，别发错", 2),
        ("15号前不要发货，不在家", 0),
        ("20号前别发", 0),
        ("月底前不要发", 0),
        ("周末前别发货", 0),
        ("月底前下的单", 0),
        ("15号前用不上", 0),
        ("15号前拍的那单", 0),
        ("3天前拍的，怎么还没发", 0),
        ("两天前下的单", 0),
        ("上午10点前不要打电话", 0),
        ("今天必须发", 2),
        ("宝宝断奶了", 2),
        ("加急", 1),
        ("急！", 1),
        ("麻烦快点发", 1),
        ("很急需用药", 3),
        ("急需用药", 3),
        ("不急", 0),
        ("不着急，慢慢发", 0),
        ("不用加急，谢谢", 0),
        ("生日礼物，不急，20 号到就行", 0),
        ("不是生日礼物，正常发", 0),
        ("别忘了加急", 1),
        ("请勿加急", 0),
        ("无须加急", 0),
        ("别着急", 0),
        ("不用太急", 0),
        ("不是特别急", 0),
        ("请勿加急发货，生日用", 0),
        ("不要求加急，但生日要用", 2),
        ("急救包给老家备着的", 0),
        ("应急灯希望是新款", 0),
        ("家里急救箱用，生日礼物", 2),
        ("特别急", 1),
        ("特别加急", 1),
        ("特别急需", 1),
        ("明天手术，特别急", 3),
        ("宝宝断粮了，特别着急", 2),
        ("生日礼物，特别急", 2),
        ("生日礼物，不是特别急", 0),
        ("生日礼物，特别不着急", 0),
        ("明天手术，不知道赶不赶得上", 3),
        ("明天手术，你说急不急", 3),
        ("再不赶紧发，生日就过了", 2),
        ("生日礼物千万别晚点发", 2),
        ("生日礼物，不能晚点发", 2),
        ("生日礼物，能不能晚点发", 0),
        ("别慢慢发，急用", 1),
        ("生日礼物，不是很着急", 0),
        ("生日礼物，没那么急", 0),
        ("生日礼物，不算急", 0),
        ("生日礼物，没要求 不急", 0),
        ("生日礼物，不急不急", 0),
        ("生日礼物，不用这么着急", 0),
        ("生日礼物，没有很急", 0),
        ("要不是急用就不催了", 1),
        ("不是急诊，明天手术", 3),
        ("奶粉断粮，宝宝急性子", 2),
    ],
)
def test_urgency(remark, weight):
    assert fact_of("remark.urgency", buyer_remark=remark) == weight


def test_a_remark_of_nothing_but_denials_takes_no_time():
    assert fact_of("remark.urgency", buyer_remark="不" + "需要" * 200 + "我加急") == 1


def test_the_name_of_an_article_is_not_urgent():
    named = (line(title="加急出行演出服"),)
    assert fact_of("remark.urgency", buyer_remark="加急出行演出服，白色", lines=named) == 0
    assert fact_of("remark.urgency", buyer_remark="加急出行演出服，加急", lines=named) == 1


def test_the_sellers_remark_counts_too():
    assert fact_of("remark.urgency", seller_remark="客户手术用") == 3
    assert fact_of("remark.asks_change", seller_remark="已改地址") is False


def test_a_calm_word_in_one_remark_says_nothing_of_the_other():
    memo = {"seller_remark": "已电话，客户说不急着退款"}
    assert fact_of("remark.urgency", buyer_remark="手术急用", **memo) == 3
    assert fact_of("remark.urgency", buyer_remark="谢谢", **memo) == 0
    both = batch(candidate(buyer_remark="生日礼物，加急", seller_remark="婚礼，生日礼物"))
    assert facts.get("remark.urgency").explain(both, 0) == {"remark.urgent_words": ["生日礼物", "婚礼"]}


def test_the_strongest_words_are_shown():
    judged = batch(candidate(buyer_remark="快点发，明天手术，过生日"))
    assert facts.get("remark.urgency").explain(judged, 0) == {"remark.urgent_words": ["手术"]}


@pytest.mark.parametrize(
    ("remark", "asks"),
    [
        ("麻烦改地址，寄到公司", True),
        ("换尺码 L", True),
        ("请发顺丰", True),
        ("不要圆通快递", True),
        ("匿名发货", True),
        ("不要发顺丰", True),
        ("不要圆通", True),
        ("能不能换颜色", True),
        ("要不要换尺码，请联系我", True),
        ("别忘了改地址", True),
        ("这是送人的", True),
        ("送人，不要放价格单", True),
        ("送人", True),
        ("特别要求发顺丰", True),
        ("特别要求改地址", True),
        ("特别需要换尺码", True),
        ("要不换个颜色吧", True),
        ("需不需要改地址", True),
        ("只要不发错就行", False),
        ("不要随便换颜色", False),
        ("别把地址写错", False),
        ("别发错了", False),
        ("千万别再给我发错了", False),
        ("不用换颜色", False),
        ("不要改地址", False),
        ("无需匿名", False),
        ("请送人民医院门卫", False),
        ("送人工湖", False),
        ("不要放快递柜", False),
        ("送货上门", False),
        ("", False),
    ],
)
def test_changes_need_a_person(remark, asks):
    assert fact_of("remark.asks_change", buyer_remark=remark) is asks


@pytest.mark.parametrize(
    "remark",
    [
        "改下地址",
        "改个地址",
        "换个地址",
        "修改收货地址",
        "更换收货地址",
        "变更收货地址",
        "帮我改一下收货电话",
        "改颜色",
        "改尺码",
        "换一个颜色",
        "改成黑色",
        "改为白色",
        "换成L码",
        "换成XL",
        "换成黑的",
        "改成顺丰",
        "地址填错了",
        "地址有误",
        "地址不对，应该是3栋",
        "手机号写错了",
        "尺码选错了，要L",
        "收件人改成张三",
        "电话换成公司的",
        "颜色改成白色",
        "数量改成两件",
    ],
)
def test_everyday_wordings_of_a_change(remark):
    assert fact_of("remark.asks_change", buyer_remark=remark) is True


@pytest.mark.parametrize(
    "remark",
    [
        "不要发错货",
        "颜色不要发错",
        "别发错颜色",
        "不要发货单",
        "不改了",
        "不换了，就这个颜色",
        "换货地址",
        "地址没错",
        "地址没填错",
        "地址错不了",
        "地址不用改",
        "地址别写错了",
        "如果地址有误请联系我",
        "地址如有误请联系我",
        "颜色不要搞错",
        "别把尺码弄错",
        "颜色错了要退的",
        "不要擅自换成别的颜色",
        "颜色随机",
        "颜色好看就行",
        "尺码不合适可以退吗",
        "上次换成了白色很好看",
        "换季穿的",
        "改天再买",
        "给换个大点的箱子",
        "改良款吗",
        "收件人是我妈妈",
        "地址是改过的新地址",
        "电话打不通请放驿站",
    ],
)
def test_words_of_a_change_that_ask_for_none(remark):
    assert fact_of("remark.asks_change", buyer_remark=remark) is False


def test_what_must_not_be_changed_is_not_shown():
    judged = batch(candidate(buyer_remark="不用改地址，换颜色"))
    assert facts.get("remark.asks_change").explain(judged, 0) == {"remark.change_words": ["换颜色"]}


@pytest.mark.parametrize(
    ("remark", "wishes"),
    [
        ("晚点发", ("later",)),
        ("等通知发货", ("hold",)),
        ("20号以后再发", ("hold",)),
        ("15号前不要发货，不在家", ("hold",)),
        ("15号前不在家，别发", ("hold",)),
        ("20号前勿发", ("hold",)),
        ("月底前不要发", ("hold",)),
        ("周末前别发货", ("hold",)),
        ("15号前要到，别发错了", ()),
        ("15号前不发货就退款", ()),
        ("周五前发，不要发圆通", ()),
        ("千万别晚点发", ()),
        ("不能晚点发", ()),
        ("能不能晚点发", ("later",)),
        ("要不晚点发吧", ("later",)),
        ("不着急，晚点发", ("later",)),
        ("不用等通知发货，直接发", ()),
        ("不要分开发", ()),
        ("不要和昨天那单一起发", ()),
        ("不用送货上门", ("delivery",)),
        ("和昨天那单一起发", ("together",)),
        ("分开发", ("apart",)),
        ("勿放快递柜，送货上门", ("delivery",)),
        ("谢谢", ()),
        ("", ()),
    ],
)
def test_wishes(remark, wishes):
    assert fact_of("remark.wishes", buyer_remark=remark) == wishes


@pytest.mark.parametrize(
    "remark",
    [
        "不要发货",
        "请勿发货",
        "不想要了，不要发货",
        "这几天不在家，别发货",
        "今天不要发货",
        "不用发货了",
        "暂时不要发货",
        "暂时别发",
        "暂时别发等我回来",
        "先不要寄",
        "先别寄过来",
        "先不用发",
        "延迟发货",
        "推迟发货",
        "推迟到下周发货",
        "晚两天发货",
        "晚3天发",
        "过几天再发",
        "等我通知",
        "听我通知再寄",
        "等我确认颜色再发",
        "20号再发",
        "20号再发顺丰",
        "到15号再发",
        "能不能20号再发",
        "人在外地，周一再寄",
        "下周一以后发",
        "麻烦下周再发",
        "双11后发",
        "双十一之后再发货",
        "国庆后发货",
        "年后再发",
        "要不晚两天发吧",
    ],
)
def test_everyday_wordings_of_not_yet(remark):
    assert fact_of("remark.wishes", buyer_remark=remark) == ("hold",)


@pytest.mark.parametrize(
    "remark",
    [
        "不要发错货",
        "不要发货单",
        "不要发票",
        "请在双11前发",
        "15号前发货",
        "检查好再发",
        "核对好颜色再发货",
        "不要发货太慢",
        "有瑕疵的不要发货",
        "临期的不要发",
        "不要发黑色",
        "不要发快过期的",
        "不要发货到驿站",
        "别忘了发货",
        "最近不发货吗",
        "请勿延迟发货",
        "不接受延迟发货",
        "已经延迟发货了",
        "延迟发货要赔吗",
        "不用等我通知",
        "到了等我通知再派送",
        "等我电话再送",
        "等着发货呢",
        "不要等到20号再发",
        "别拖到下周再发",
        "晚两天发也行",
        "3天后发现少了",
        "双11后发现降价了",
        "上次15号发的很快",
        "十天后出国",
        "下次再送一个赠品",
        "周末收货",
        "暂时不要发票",
        "我过两天再买",
    ],
)
def test_words_of_not_yet_that_hold_nothing_up(remark):
    assert fact_of("remark.wishes", buyer_remark=remark) == ()
