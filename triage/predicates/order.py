"""Where and when an order came from, its flag, presale and refunds."""

from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orderhub.core.told import URGED
from orderhub.core.words import Flag, Presale, Refund
from triage.predicates.base import Batch, FactType, Need, fact

SHANGHAI = ZoneInfo("Asia/Shanghai")
_REFUND_RANK = {word: rank for rank, word in enumerate(("none", "refused", "done", "agreed", "asked"))}


@fact(
    "order.shop",
    _("Shop"),
    FactType.TEXT,
    about=_("The shop's code."),
    example="tmall-flagship",
    needs=[Need.SHOPS],
)
def shops(batch: Batch) -> list[str | None]:
    """Return the code of each order's shop."""
    known = batch.context.shops
    return [shop.code if (shop := known.get(c.shop_id)) else None for c in batch.candidates]


@fact(
    "order.platform",
    _("Platform"),
    FactType.TEXT,
    about=_("taobao, jd, douyin, wechat, own, file …"),
    example="taobao",
    needs=[Need.SHOPS],
)
def platforms(batch: Batch) -> list[str | None]:
    """Return the platform of each order's shop."""
    known = batch.context.shops
    return [shop.platform if (shop := known.get(c.shop_id)) else None for c in batch.candidates]


@fact(
    "order.hour",
    _("Hour of the order"),
    FactType.NUMBER,
    unit=pgettext_lazy("unit", "o'clock"),
    about=_("0 to 23, Shanghai time."),
    example=2,
)
def hours(batch: Batch) -> list[int | None]:
    """Return the hour of the day in which each order was placed."""
    return [draft.created_at.astimezone(SHANGHAI).hour for draft in batch.drafts]


@fact(
    "order.lines",
    _("Lines in the order"),
    FactType.NUMBER,
    unit=pgettext_lazy("unit", "lines"),
    about=_("Different lines, not pieces."),
    example=10,
)
def lines(batch: Batch) -> list[int | None]:
    """Return the number of lines of each order."""
    return [len(draft.lines) for draft in batch.drafts]


@fact(
    "order.flag",
    _("Seller's flag"),
    FactType.WORD,
    about=_("The coloured flag, the same names for every platform."),
    example="red",
    choices=dict(Flag.choices),
)
def flags(batch: Batch) -> list[str | None]:
    """Return the flag of each order."""
    return [draft.flag for draft in batch.drafts]


@fact(
    "order.presale",
    _("Presale"),
    FactType.WORD,
    about=_("Orders with only the deposit paid are not triaged."),
    example="balance_paid",
    choices=dict(Presale.choices),
)
def presales(batch: Batch) -> list[str | None]:
    """Return how far the presale of each order is."""
    return [draft.presale for draft in batch.drafts]


@fact(
    "order.refund",
    _("Refund"),
    FactType.WORD,
    about=_("The furthest of all lines. An open refund holds the order before any rule."),
    example="done",
    choices=dict(Refund.choices),
)
def refunds(batch: Batch) -> list[str | None]:
    """Return the refund word of each order that weighs most."""
    return [max((line.refund for line in draft.lines), key=_REFUND_RANK.__getitem__) for draft in batch.drafts]


@fact(
    "order.is_urged",
    _("Buyer asked the platform for speed"),
    FactType.FLAG,
    about=_("By the platform's button, as 催发货 at Taobao. Platforms that do not tell of it count as not asked."),
    example=True,
    basis=lambda draft: str(draft.raw.get(URGED) is True),
)
def urged(batch: Batch) -> list[bool | None]:
    """Tell whether each buyer pressed the platform's button that asks for speed."""
    return [draft.raw.get(URGED) is True for draft in batch.drafts]
