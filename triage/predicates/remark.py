"""What buyer and seller wrote: hurry, wishes, changes (reference 4.1).

Calm words are looked at before the single character 急; article names are taken out first, so that neither "不急" nor
an article named 急救包 is urgent.
"""

import re
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orderhub.core.draft import OrderDraft
from triage.matchers import THREAT, Hit, Matcher, Words
from triage.predicates.base import Batch, Detail, FactType, fact

_FILL = "是|用|要|求|太|很|需|须|算|[那这怎]么|特别|非常|十分|着|必|为了|有|再|又|把|给我?|擅自|私自|随便|随意|乱|自动"
_NO = "(?:不|没|無|无|别|勿|非)"
_DENIED = re.compile(rf"{_NO}(?:{_FILL})*\s*$")
_DENIED_WISH = re.compile(rf"{_NO}(?:{_FILL}|能|可以?|想|希望|接受|等|到|拖|推迟|延迟|晚)*$")
"""Wishes may also be forbidden (不能晚点发); of a change that asks whether it can be done: 不能改地址吗."""
_NO_DENIAL = re.compile(r"(.)不\1|[特分区个级类性]别|(?<![只想])要不")
"""A 不 or 别 that denies nothing: 赶不赶, 要不要, 特别, and 要不 where it proposes something."""
_DENIAL_SPAN = 32
"""Characters before a word among which it may be denied, so that a remark of nothing but denials takes no time."""
_PRESSING = re.compile(r"(?<!\s)急(?![诊救支性])")
_REFUSED = re.compile(rf"(?!{THREAT})[^，,。；;！!？?\n要到用需达收]{{0,6}}?(?:[不没未别勿莫拍买付订]|下的|下单)")
"""What follows a term such as 月底前 when it is no deadline: 月底前不要发."""
_WISHES = {
    "later": pgettext_lazy("wish", "Ship later"),
    "hold": pgettext_lazy("wish", "Do not ship yet"),
    "together": pgettext_lazy("wish", "Ship together with another order"),
    "apart": pgettext_lazy("wish", "Ship separately"),
    "delivery": pgettext_lazy("wish", "How to deliver"),
}
_LISTS = {
    "later": "ship_later",
    "hold": "ship_hold",
    "together": "ship_together",
    "apart": "ship_apart",
    "delivery": "delivery_wishes",
}


def urgent_hits(text: str, titles: tuple[str, ...], words: Words) -> list[Hit]:
    """Return the urgent words of a remark, without denied ones, calm words and article names."""
    matcher = words["urgency"]
    if not matcher.has(text):
        return []
    for title in titles:
        if title:
            text = text.replace(title, " ")
    text = words["not_urgency"].cut(text)
    if _is_calm(text, words["calm"]):
        return []
    hits = _meant(matcher.hits(text), text)
    return [hit for hit in hits if not (hit.text.endswith("前") and _REFUSED.match(text, hit.end))]


def _is_calm(text: str, calm: Matcher) -> bool:
    """Whether a remark says that it does not press: by a calm word that is meant, or by a 急 that is denied."""
    if any(not _is_joined(text, hit.start) for hit in _meant(calm.hits(text), text, _DENIED_WISH)):
        return True
    return any(_is_denied(text, found.start()) for found in _PRESSING.finditer(text))


def _is_joined(text: str, start: int) -> bool:
    """Whether the first character of a word belongs to what stands before it: 不赶 in 赶不赶, 别急 in 特别急."""
    return start > 0 and _NO_DENIAL.match(text, start - 1) is not None


def _is_denied(text: str, start: int, denied: re.Pattern[str] = _DENIED) -> bool:
    """Whether what begins at `start` is denied by what stands before it."""
    found = denied.search(text, max(0, start - _DENIAL_SPAN), start)
    return found is not None and not _is_joined(text, found.start())


def _meant(hits: Sequence[Hit], text: str, denied: re.Pattern[str] = _DENIED) -> list[Hit]:
    """Return the hits that are not denied, nor part of one that is: 勿加急 says nothing of 急 either."""
    nots = [hit for hit in hits if _is_denied(text, hit.start, denied)]
    return [hit for hit in hits if not any(no.start <= hit.start and hit.end <= no.end for no in nots)]


def change_hits(text: str, words: Words) -> list[Hit]:
    """Return what a remark asks to be changed, without what it asks not to be (别发错了)."""
    matcher = words["changes"]
    if not matcher.has(text):
        return []
    return _meant(matcher.hits(text), text)


def _urgent(batch: Batch) -> list[tuple[int, list[str]]]:
    nothing: tuple[int, list[str]] = (0, [])
    found = []
    for draft in batch.drafts:
        if not draft.buyer_remark and not draft.seller_remark:
            found.append(nothing)
            continue
        titles = tuple(line.title for line in draft.lines)
        # Each by itself: a memo that the refund is not pressing says nothing of the buyer's wish.
        hits = [
            hit
            for text in (draft.buyer_remark, draft.seller_remark)
            if text
            for hit in urgent_hits(text, titles, batch.words)
        ]
        top = max((hit.weight for hit in hits), default=0)
        found.append((top, list(dict.fromkeys(hit.text for hit in hits if hit.weight == top))) if top else nothing)
    return found


def _both(draft: OrderDraft) -> str:
    if draft.buyer_remark and draft.seller_remark:
        return f"{draft.buyer_remark}\n{draft.seller_remark}"
    return draft.buyer_remark or draft.seller_remark


@fact(
    "remark.urgency",
    _("Urgency in the remarks"),
    FactType.NUMBER,
    about=_("Highest weight of an urgent word: 3 and 2 red and to the warehouse at once, 1 hint, 0 none."),
    example=2,
    details=(Detail("remark.urgent_words", _("Urgent words"), FactType.TEXTS),),
    explain=lambda batch, i: {"remark.urgent_words": batch.once(_urgent)[i][1]},
    basis=_both,
)
def urgency(batch: Batch) -> list[int | None]:
    """Return the weight of urgency of each order's remarks."""
    return [weight for weight, _texts in batch.once(_urgent)]


@fact(
    "remark.asks_change",
    _("Buyer's remark asks for a change"),
    FactType.FLAG,
    about=_("Another address, phone, article or courier: instructions that a person must carry out."),
    example=True,
    details=(Detail("remark.change_words", _("Asked for"), FactType.TEXTS),),
    explain=lambda batch, i: {
        "remark.change_words": [hit.text for hit in change_hits(batch.drafts[i].buyer_remark, batch.words)]
    },
    basis=lambda draft: draft.buyer_remark,
)
def asks_change(batch: Batch) -> list[bool | None]:
    """Tell whether each buyer asks for a change."""
    words = batch.words
    return [bool(remark) and bool(change_hits(remark, words)) for remark in (d.buyer_remark for d in batch.drafts)]


def _wished(batch: Batch) -> list[tuple[str, ...] | None]:
    words = batch.words
    matchers = [(wish, words[key]) for wish, key in _LISTS.items()]
    any_wish = words.kept.get("wishes")
    if not isinstance(any_wish, Matcher):
        any_wish = words.kept["wishes"] = Matcher(term for _wish, matcher in matchers for term in matcher.terms)
    return [
        tuple(wish for wish, matcher in matchers if _is_wished(wish, matcher, remark))
        if remark and any_wish.has(remark)
        else ()
        for remark in (draft.buyer_remark for draft in batch.drafts)
    ]


def _is_wished(wish: str, matcher: Matcher, remark: str) -> bool:
    """Whether a remark holds the wish and not its opposite (千万别晚点发); how not to deliver is a wish as well."""
    if not matcher.has(remark):
        return False
    return wish == "delivery" or bool(_meant(matcher.hits(remark), remark, _DENIED_WISH))


@fact(
    "remark.wishes",
    _("Wishes on shipping in the buyer's remark"),
    FactType.WORDS,
    about=_("Later, not yet, together, apart, how to deliver."),
    example=["hold"],
    choices=_WISHES,
    basis=lambda draft: draft.buyer_remark,
)
def wishes(batch: Batch) -> list[tuple[str, ...] | None]:
    """Return each buyer's wishes."""
    return batch.once(_wished)


@fact(
    "remark.buyer_text",
    _("Buyer's remark"),
    FactType.TEXT,
    about=_("The whole text; empty when nothing was written."),
    example="发顺丰",
    basis=lambda draft: draft.buyer_remark,
    is_kept=False,
)
def buyer_text(batch: Batch) -> list[str | None]:
    """Return each buyer's remark."""
    return [draft.buyer_remark for draft in batch.drafts]


@fact(
    "remark.seller_text",
    _("Seller's remark"),
    FactType.TEXT,
    about=_("The whole text; empty when nothing was written."),
    example="VIP",
    basis=lambda draft: draft.seller_remark,
    is_kept=False,
)
def seller_text(batch: Batch) -> list[str | None]:
    """Return each seller's remark."""
    return [draft.seller_remark for draft in batch.drafts]
