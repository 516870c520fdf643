"""The starter word lists, with match kind and weight (reference 4.1 to 4.4)."""

from collections.abc import Iterator
from typing import NamedTuple

from triage.matchers import CONTAINS, ENDS, EXACT, PATTERN, STARTS, Term


class WordList(NamedTuple):
    """One starter list: how it is named and what it holds."""

    key: str
    name: str
    help: str
    terms: tuple[tuple[Term, str, bool], ...]
    """Term, note and whether it is active."""
    holds_regions: bool = False


def _terms(
    block: str, match: str = CONTAINS, weight: int = 1, note: str = "", active: bool = True
) -> list[tuple[Term, str, bool]]:
    words = [word.strip() for word in block.split(",")]
    return [(Term(word, match, weight), note, active) for word in words if word]


_URGENCY = (
    *_terms("手术, 急需用药, 住院, 急诊, 化疗, 透析, 病人急用, 术后, 救命, 医院等着用", weight=3, note="医疗"),
    *_terms(
        "生日, 生日礼物, 过生日, 周岁, 满月, 婚礼, 结婚用, 订婚, 求婚, 纪念日, 葬礼, 追悼", weight=2, note="生日与仪式"
    ),
    *_terms("月底前, 周末前, 今天必须发, 今天发, 今日发, 明天要用, 当天发, 截止", weight=2, note="有期限"),
    *_terms("before_date", PATTERN, 2, "X 号前"),
    *_terms("出差, 出国, 赶飞机, 回国, 开学, 考试, 高考, 面试, 比赛, 演出", weight=2, note="出行与考试"),
    *_terms("宝宝断奶, 奶粉断粮, 断粮, 孩子等着吃, 尿不湿没了", weight=2, note="母婴"),
    *_terms(
        "加急, 急用, 急需, 急, 很急, 十万火急, 尽快发, 快点发, 快点寄, 快一点, 催发货, 优先发, 越快越好",
        weight=1,
        note="只作提示",
    ),
)
_NOT_URGENCY = _terms(
    "急救包, 急救箱, 急救, 应急灯, 应急包, 应急, 急速, 急躁, "
    "急性子, 急支糖浆, 截止阀, 生日帽, 生日蜡烛, 开学季, 演出服, 比赛服, 出差旅行装",
    note="商品名与含“急”的常用词",
) + _terms("不赶紧, 不赶快", note="含“不赶”，但是在催")
_CALM = _terms(
    "不急, 不着急, 不用急, 不要急, 不是很急, 不太急, 别急, 慢慢发, "
    "慢慢来, 不赶时间, 晚点发, 不用加急, 无需加急, 不需要加急, 不用赶, 不赶, 别着急, 不用太急, 勿加急, 无须加急"
)
_CHANGES = (
    *_terms(
        "改地址, 改一下地址, 地址改, 换地址, 地址写错, 地址错了, 换颜色, 换尺码, 换码, 换个颜色, 发错, 拍错, 不要赠品"
    ),
    *_terms("发顺丰, 换个电话, 改电话, 换电话, 电话改, 不要放价格单, 不放价格单, 匿名"),
    *_terms("change_of", PATTERN, note="改下地址、换个颜色、改成黑色、换成 L 码"),
    *_terms("wrong_field", PATTERN, note="地址填错了、地址有误、收件人改成某某"),
    *_terms("no_courier", PATTERN, note="不要某某快递"),
    *_terms("as_gift", PATTERN, note="送人，不含“送人民医院”"),
)
_VAGUE = (
    *_terms(
        "小区门口, 村口, 路口, 门口, 大门口, 楼下, 附近, 旁边, 对面, "
        "隔壁, 后面, 前面, 斜对面, 一带, 中间, 旁, 边上, 正对面",
        ENDS,
    ),
    *_terms("到了打电话, 到付电话联系, 电话联系, 到了联系, 老地方, 同上, 随便, 见备注, 自己来拿"),
)
_ESTATES = (
    *_terms("小区, 花园, 花苑, 家园, 公寓, 名苑, 新苑, 雅苑, 苑"),
    *_terms("府, 城", ENDS, note="只在名称末尾算"),
)
_LISTS: tuple[WordList, ...] = (
    WordList("urgency", "加急词", "备注中的加急词；权重 3（特急）、2（加急）标红并立即推仓，1 只作提示。", _URGENCY),
    WordList("not_urgency", "加急例外词", "商品名等不算加急的词，先于加急词去掉。", tuple(_NOT_URGENCY)),
    WordList("calm", "不急词", "出现即不算加急。", tuple(_CALM)),
    WordList("changes", "改单词", "买家要求改地址、换货品、指定快递等，须人工处理。", _CHANGES),
    WordList(
        "ship_later", "晚发", "希望晚一点发货。", tuple(_terms("晚点发, 晚几天发, 迟点发, 晚些发, 晚一点发, 迟几天发"))
    ),
    WordList(
        "ship_hold",
        "先不发货",
        "买家要求等通知或过某日再发。",
        (
            *_terms("等通知发货, 等通知再发, 暂不发货, 先别发, 先不要发, 先不发"),
            *_terms("after_date", PATTERN, note="X 号再发、下周一以后发、双 11 后发、晚两天发、X 号前别发"),
            *_terms("not_yet", PATTERN, note="不要发货、暂时别发、先不要寄、推迟发货"),
            *_terms("on_notice", PATTERN, note="等我通知、等我确认再发"),
        ),
    ),
    WordList(
        "ship_together",
        "一起发",
        "希望与另一单合并。",
        (*_terms("一起发, 合并发货, 一起寄"), *_terms("together", PATTERN, note="和…一起发")),
    ),
    WordList("ship_apart", "分开发", "不要合并。", tuple(_terms("分开发, 分开寄, 分两个包裹"))),
    WordList(
        "delivery_wishes",
        "派送要求",
        "派送方式的要求，随包裹转给承运商。",
        tuple(_terms("勿放快递柜, 不要放快递柜, 送货上门, 提前打电话, 不要打电话, 放驿站, 放快递柜, 工作日派送")),
    ),
    WordList(
        "duty",
        "关税说明",
        "备注里说到关税的词；买家备注还要写明由谁承担，提问不算。",
        tuple(_terms("关税, 税费, 清关税, 包税, 完税, 进口税, DDP, DDU")),
    ),
    WordList(
        "forwarding",
        "转运词",
        "地址是转运或集运仓。",
        tuple(_terms("转运, 集运, 转运仓, 集货仓")),
    ),
    WordList(
        "placeholders",
        "占位地址",
        "不是地址的地址。",
        tuple(
            _terms(
                "测试, 测试地址, test, xxx, xx, 123, 1234, 123456, 无, "
                "没有, 待定, 暂无, 不知道, 地址, 详细地址, 请填写, null, none, 空",
                EXACT,
            )
        ),
    ),
    WordList("vague_endings", "模糊结尾", "地址停在门口或地标，找不到门。", _VAGUE),
    WordList(
        "directions",
        "方位描述",
        "用方位和距离代替门牌。",
        (
            *_terms("direction, nth_house", PATTERN),
            *_terms("桥头, 红绿灯", ENDS),
        ),
    ),
    WordList(
        "pick_up_points",
        "代收点",
        "驿站、快递柜、前台等代收点，写到这里就算完整地址。",
        tuple(
            _terms(
                "驿站, 菜鸟驿站, 丰巢, 快递柜, 自提柜, 自提点, 代收点, 代收处, "
                "前台, 门卫, 门卫室, 收发室, 传达室, 保安室, 物业"
            )
        ),
    ),
    WordList(
        "landmarks",
        "地标",
        "地址只写到地标，没有楼栋或科室。",
        tuple(
            _terms(
                "学校, 小学, 中学, 大学, 学院, 幼儿园, 医院, 卫生院, 车站, 火车站, 汽车站, 地铁站, "
                "商场, 超市, 市场, 广场, 公园, 工地, 厂, 工厂, 景区, 加油站",
                ENDS,
            )
        ),
    ),
    WordList(
        "landmark_parts",
        "地标内位置",
        "写了这些词，快递员进了地标也找得到人。",
        tuple(
            _terms(
                "宿舍, 栋, 幢, 号楼, 楼, 座, 店, 铺, 档, 室, 科, 病房, 病区, 月台, 码头, 库, 门岗, 办公, 系, 部, 处, 班"
            )
        ),
    ),
    WordList("estates", "小区词", "小区名称；后面没有楼栋或房号就算缺楼栋。", _ESTATES),
    WordList(
        "not_estates",
        "小区例外词",
        "路名、政府、商城等含小区词但不是小区的词。",
        tuple(_terms("苑路, 苑街, 苑巷, 政府, 商城, 学城, 县城, 古城, 老城, 新城")),
    ),
    WordList(
        "remote_regions",
        "偏远地区",
        "行政区划代码前缀或名称；只作标记。",
        (
            *_terms("新疆, 西藏, 内蒙古, 青海, 甘肃, 宁夏", STARTS, note="多数承运商"),
            *_terms("海南", STARTS, note="部分承运商", active=False),
            *_terms("5132, 5133, 5134", STARTS, note="四川阿坝、甘孜、凉山", active=False),
        ),
        holds_regions=True,
    ),
    WordList(
        "sensitive_regions",
        "敏感地区",
        "列入后该地区订单转待确认；默认为空。",
        (),
        holds_regions=True,
    ),
    WordList(
        "mobile_prefixes",
        "手机号段",
        "已放号的号段，两位或三位。",
        tuple(
            _terms(
                "13, 145, 147, 149, 150, 151, 152, 153, 155, 156, 157, 158, 159, 162, 165, 166, 167, 17, 18, "
                "190, 191, 192, 193, 195, 196, 197, 198, 199",
                STARTS,
            )
        ),
    ),
    WordList(
        "machine_prefixes",
        "物联网号段",
        "物联网卡，无人接听。",
        tuple(_terms("140, 141, 144, 146, 148", STARTS)),
    ),
    WordList(
        "fake_phones",
        "假号码",
        "常见的示例号码。",
        tuple(
            _terms("13800138000, 12345678901, 13000000000, 13900000000, 18888888888, 13888888888, 13333333333", EXACT)
        ),
    ),
)


def word_lists() -> Iterator[WordList]:
    """Yield all starter lists."""
    yield from _LISTS
