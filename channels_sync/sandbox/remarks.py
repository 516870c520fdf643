"""What buyers and sellers write beside an order.

Each list stands for one meaning of the reference vocabulary, so that an order made with it has a known right answer.
"""

from random import Random


def _texts(block: str) -> tuple[str, ...]:
    return tuple(block.replace("\n", "").split("|"))


def _trap(name: str, block: str) -> tuple[tuple[str, str], ...]:
    return tuple((text, name) for text in _texts(block))


HARMLESS = _texts("""
谢谢老板|请发新日期的|麻烦包装好一点|第二次购买了，很好用|请仔细检查再寄出|工作日派送|放驿站即可|
送货上门|送货上门，谢谢|提前打电话|不要打电话，放快递柜|勿放快递柜|发票开个人|给个小样吧|
老顾客了，多送点小样|包装盒不要压坏|周一到周五白天有人|希望质量和上次一样好|双十一快乐|
麻烦检查一下保质期|家里有狗，到了按门铃|请放物业
""")

TRAPS = (
    *_trap("calm", "不急，慢慢发|不着急，注意质量就好|不赶时间，包装好就行|不用加急，谢谢"),
    *_trap("calm", "不急用，晚点发也可以|无需加急"),
    *_trap("item_name", "急救包给老家备着的|家庭急救包收到过一次，质量不错|应急灯希望是新款"),
    *_trap("hurry_hint", "尽快发货哦|麻烦快点发，谢谢"),
)
"""Texts that look urgent and are not: calm words, article names, and plain hurry, which is only a hint (weight 1)."""

URGENT = _texts("""
明天手术急需，麻烦优先安排|家人住院等着用|医院等着用，拜托了|老人术后要用|化疗期间要用，请今天发|
急诊要用的，救命|孩子周六生日礼物，请一定赶上|妈妈生日礼物，麻烦写张贺卡|女朋友过生日，拜托|宝宝满月要用|
宝宝周岁要用，谢谢|婚礼要用，周末前务必送到|结婚用的，请赶一赶|结婚纪念日礼物|求婚要用，拜托老板|
15号前要到|13号前用，谢谢|今天必须发|明天要用，麻烦了|周末前要收到|月底前要用|出差要带走|
周五赶飞机，请今天发|下周回国前要收到|孩子开学要用|周日考试要用|周六比赛要穿|奶粉断粮了，孩子等着吃|
宝宝奶粉断粮，拜托|尿不湿没了，麻烦今天发
""")
"""Urgent by a word of weight 2 or 3."""

CHANGE = _texts("""
麻烦改地址，寄到公司，请联系我|地址写错了，需要改地址|换颜色，要蓝色的|拍错了，换尺码 L|
请发顺丰，运费可以补|发顺丰，谢谢|不要赠品|换个电话联系，请客服找我|不要放价格单|匿名发货，不要放价格单|
不要圆通快递|麻烦换颜色，豆沙色换正红色
""")
"""Wishes that need a person before the parcel moves."""

DUTY = ("关税由买家承担", "税费自理，已知晓", "关税我来付", "DDP 包税，卖家承担关税", "清关税费由收件人承担")
"""Statements on who pays customs duty."""

SELLER = ("老客户，送小样", "已核对", "赠品已加", "会员单", "客服已联系，无异议", "直播间订单")


def harmless(rng: Random) -> tuple[str, str]:
    """Return a buyer remark that changes nothing, and the name of its trap if it is one; mostly empty texts."""
    roll = rng.random()
    if roll < 0.80:
        return "", ""
    if roll < 0.96:
        return rng.choice(HARMLESS), ""
    return rng.choice(TRAPS)


def joined(first: str, second: str) -> str:
    """Return two remarks as one text."""
    return f"{first}；{second}" if first and second else first or second
