"""Whether the remarks settle who pays customs duty (reference 4.10, rule 6).

A buyer who only asks (关税谁出？) has agreed to nothing: the parcel would be refused at the border.
"""

import re

from django.utils.translation import gettext_lazy as _

from orderhub.core.draft import OrderDraft
from triage.matchers import Words
from triage.predicates.base import Batch, FactType, fact

_CLAUSE = re.compile(r"(?:[^，,。；;！!？?\n]|[，,](?=(?:对|是|好|行|可以)[吧吗嘛么不]))+[？?]*")
"""A tag such as "，对吧" belongs to the clause before it."""
_OPEN = re.compile(
    r"[?？吗嘛么谁]|怎|如何|多少|是否|要不要|会不会|能不能|可不可以|问(?!题)|[对是的税]吧|如果|要是|万一|的话|"
    r"待|等|[未没](?:定|确|谈|说|问|回)"
)
"""A question, a condition, or what is still to be agreed."""
_SETTLED = re.compile(
    r"自理|自付|自负|到付|包(?:[关清完]?税)|含关?税|完税|接受|知晓|知悉|同意|已[付缴交]|\bdd[pu]\b|"
    r"(?:我|自己|本人|[买卖]家|[买卖]方|商家|店家|你|您|收[件货]人|客[户人]|对方)[^，不没未别勿拒]{0,6}?"
    r"(?:承担|负责|负担|[付缴]|(?<!提)交|出(?![具口来现发]))",
    re.IGNORECASE | re.ASCII,
)
_DENIED = re.compile(r"(?:不|没|未|别|勿|拒)(?:用|要|想|愿意?|需|会|能|肯|由|应|该|是|打算|绝)*$")


def is_settled(text: str, words: Words, *, is_buyers: bool) -> bool:
    """Tell whether a remark says something of the duty that is no question; a buyer's must say who pays."""
    matcher = words["duty"]
    if not matcher.has(text):
        return False
    said = "，".join(clause for clause in _CLAUSE.findall(text) if not _OPEN.search(clause))
    if not matcher.has(said):
        return False
    return not is_buyers or any(not _DENIED.search(said[: hit.start()]) for hit in _SETTLED.finditer(said))


def _basis(draft: OrderDraft) -> str:
    return "\n".join(filter(None, (draft.buyer_remark, draft.seller_remark)))


@fact(
    "remark.duty_stated",
    _("Remarks say who pays customs duty"),
    FactType.FLAG,
    about=_(
        "The buyer's remark says who pays (关税我付, 包税), or the seller's remark speaks of the duty. A question "
        "settles nothing."
    ),
    example=False,
    basis=_basis,
)
def duty_stated(batch: Batch) -> list[bool | None]:
    """Tell whether the remarks of each order settle the duty."""
    words = batch.words
    return [
        (draft.buyer_remark != "" and is_settled(draft.buyer_remark, words, is_buyers=True))
        or (draft.seller_remark != "" and is_settled(draft.seller_remark, words, is_buyers=False))
        for draft in batch.drafts
    ]
