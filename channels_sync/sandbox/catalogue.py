"""What the made-up shop sells: about sixty articles with list price, campaign price and how often each is bought."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Any

FIRST_ITEM_ID = 620_000_000_000
STOCK_PER_WEIGHT = 6_000
"""Pieces on hand per unit of weight: enough for some 200,000 orders, so that shortage is never an accident."""


@dataclass(frozen=True, slots=True)
class Article:
    """One SKU; prices in fen, `weight` is its share among what buyers pick."""

    sku: str
    title: str
    list_fen: int
    campaign_fen: int
    weight: int
    item_id: int

    @property
    def on_hand(self) -> int:
        """Return the pieces in stock before the campaign."""
        return self.weight * STOCK_PER_WEIGHT


# sku, title, list price (yuan), campaign price (yuan), weight
_ROWS = """
SERUM-30|玻尿酸精华液 30ml|239|129|60
SERUM-50|玻尿酸精华液 50ml|339|199|22
CREAM-50|神经酰胺修护面霜 50g|268|158|40
MASK-20|补水面膜 20 片装|159|79.9|55
TONER-200|氨基酸爽肤水 200ml|129|79|24
CLEAN-120|氨基酸洁面乳 120g|98|59|30
SUN-50|清爽防晒乳 SPF50 50ml|158|89|18
LIP-01|丝绒唇釉 豆沙色|119|69|20
LIP-02|丝绒唇釉 正红色|119|69|12
SHAMPOO-500|控油洗发水 500ml|89|49.9|35
CONDI-500|顺滑护发素 500ml|89|45|16
BODY-400|烟酰胺沐浴露 400ml|79|42|22
TOOTH-4|酵素牙膏 4 支装|99|49|28
BRUSH-E1|声波电动牙刷|399|229|14
BRUSH-H4|电动牙刷头 4 支|99|59|12
MILK-2|幼儿配方奶粉 2 段 800g|328|238|26
MILK-3|幼儿配方奶粉 3 段 800g|318|228|24
DIAPER-L|婴儿纸尿裤 L 码 54 片|149|99|30
DIAPER-XL|婴儿拉拉裤 XL 码 50 片|159|105|22
WIPE-80|婴儿湿巾 80 抽 10 包|89|55|25
BOTTLE-240|PPSU 奶瓶 240ml|168|99|9
TISSUE-24|竹纤维抽纸 24 包|69.9|39.9|60
ROLL-27|无芯卷纸 27 卷|59.9|35.9|32
DETER-3|洗衣液 3kg 家庭装|79.9|45.9|38
POD-52|洗衣凝珠 52 颗|99|59.9|26
DISH-2|洗洁精 2kg|39.9|25.9|18
TOWEL-2|长绒棉毛巾 2 条|69|39|16
QUILT-200|大豆纤维冬被 200x230|499|299|10
SHEET-4|全棉四件套 1.8m|599|359|12
PILLOW-1|乳胶枕|299|169|10
SOCK-6|加绒中筒袜 6 双|59|35|24
THERM-M|德绒保暖内衣套装 M|199|119|18
THERM-L|德绒保暖内衣套装 L|199|119|20
THERM-XL|德绒保暖内衣套装 XL|199|119|14
DOWN-M|轻薄羽绒服 黑色 M|699|429|8
DOWN-L|轻薄羽绒服 黑色 L|699|429|9
SHOE-38|加绒雪地靴 38 码|329|189|6
SHOE-42|运动跑鞋 42 码|459|279|8
NUT-750|每日坚果 750g 30 包|169|99|42
COFFEE-40|冻干黑咖啡 40 条|139|85|26
TEA-250|明前龙井 250g 礼盒|398|258|6
OIL-5|压榨花生油 5L|139.9|99.9|20
RICE-10|五常大米 10kg|109|75.9|22
HONEY-500|洋槐蜜 500g|89|55|10
BEEF-10|原切牛排 10 片|299|189|10
NOODLE-12|手工面 12 包|69|42|12
KETTLE-17|恒温电热水壶 1.7L|259|149|10
FRYER-5|可视空气炸锅 5L|499|299|12
COOKER-4|IH 电饭煲 4L|799|499|6
HUMID-5|加湿器 5L|299|169|9
HAIR-2000|负离子吹风机 2000W|369|219|10
POWER-20|极速快充充电宝 20000mAh|239|139|18
CABLE-3|快充数据线 3 条装|69|39.9|20
EAR-PRO|降噪蓝牙耳机|499|299|12
LAMP-E1|应急灯 停电照明 USB 充电|129|79|7
KIT-AID|家庭急救包 120 件套|168|98|9
THERMO-1|红外额温计|159|89|8
MASKN-50|医用外科口罩 50 只|49|25.9|18
BP-01|上臂式电子血压计|399|249|7
TOY-BRICK|拼搭积木城市系列|359|219|8
BOOK-10|儿童科普绘本 10 册|198|109|10
CAT-10|全价猫粮 10kg|429|279|9
"""


@lru_cache(maxsize=1)
def articles() -> tuple[Article, ...]:
    """Return every article in the order of the catalogue."""
    rows = (line.split("|") for line in _ROWS.strip().splitlines())
    return tuple(
        Article(sku, title, _fen(full), _fen(campaign), int(weight), FIRST_ITEM_ID + number * 7919)
        for number, (sku, title, full, campaign, weight) in enumerate(rows)
    )


@lru_cache(maxsize=1)
def by_sku() -> dict[str, Article]:
    """Return the articles by SKU."""
    return {article.sku: article for article in articles()}


def pick(rng: Random, count: int, without: frozenset[str] = frozenset()) -> list[Article]:
    """Return `count` different articles, the popular ones more often, none of those in `without`."""
    chosen: dict[str, Article] = {}
    while len(chosen) < count:
        (article,) = rng.choices(articles(), cum_weights=_cumulated())
        if article.sku not in without:
            chosen[article.sku] = article
    return list(chosen.values())


def stock_rows(warehouse: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of `manage.py import_stock`, campaign price included."""
    for article in articles():
        yield {
            "sku": article.sku,
            "warehouse": warehouse,
            "on_hand": article.on_hand,
            "title": article.title,
            "list_price_fen": article.list_fen,
            "campaign_price_fen": article.campaign_fen,
        }


@lru_cache(maxsize=1)
def _cumulated() -> tuple[int, ...]:
    return tuple(accumulate(article.weight for article in articles()))


def _fen(yuan: str) -> int:
    whole, _, part = yuan.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])
