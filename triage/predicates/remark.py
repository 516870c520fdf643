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

_DENIED = re.compile(
    r"(?:不|没|無|无|别|勿|非)(?:是|用|要|求|太|需|须|算|那么|怎么|特别|非常|着|必|为了|有|再|给我?)*"
    r"(?<!要不要)(?<!是不是)\s*$"
)
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
    if words["calm"].has(text):
        return []
    hits = _meant(matcher.hits(text), text)
    return [hit for hit in hits if not (hit.text.endswith("前") and _REFUSED.match(text, hit.end))]


def _meant(hits: Sequence[Hit], text: str) -> list[Hit]:
    """Return the hits that are not denied, nor part of one that is: 勿加急 says nothing of 急 either."""
    denied = [hit for hit in hits if _DENIED.search(text[: hit.start])]
    return [hit for hit in hits if not any(no.start <= hit.start and hit.end <= no.end for no in denied)]


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
    about=_("Highest weight of an urgent word: 3 red and warehouse at once, 2 red, 1 hint, 0 none."),
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
        tuple(wish for wish, matcher in matchers if matcher.has(remark)) if remark and any_wish.has(remark) else ()
        for remark in (draft.buyer_remark for draft in batch.drafts)
    ]


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
