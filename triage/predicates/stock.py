"""Whether what was ordered is there."""

from django.utils.translation import gettext_lazy as _

from orderhub.core.draft import OrderDraft
from orderhub.core.told import unmatched_codes
from triage.predicates.base import Batch, Detail, FactType, fact


@fact(
    "stock.is_short",
    _("Short of stock"),
    FactType.FLAG,
    about=_("At least one line could not be reserved in full."),
    example=True,
    details=(Detail("stock.short_skus", _("SKUs"), FactType.TEXTS),),
    explain=lambda batch, i: {"stock.short_skus": list(batch.candidates[i].short_skus)},
    basis=lambda draft: ";".join(f"{line.sku}={line.quantity}" for line in draft.lines),
)
def is_short(batch: Batch) -> list[bool | None]:
    """Tell whether each order is short of stock."""
    return [bool(candidate.short_skus) for candidate in batch.candidates]


def _unmatched(batch: Batch) -> list[tuple[str, ...]]:
    return [_names(draft) for draft in batch.kept]


def _names(draft: OrderDraft) -> tuple[str, ...]:
    """Return the codes, else the titles, of lines whose article is none of ours."""
    names = unmatched_codes(draft)
    for line in draft.lines:
        if not line.sku:
            names = (*names, line.title)
    return names


@fact(
    "stock.has_unmatched",
    _("A line without own SKU"),
    FactType.FLAG,
    about=_(
        "The channel's article is not matched with one of ours, nor ignored. While the hub knows no SKU at all, codes "
        "are taken as they are."
    ),
    example=True,
    details=(Detail("stock.unmatched", _("Articles"), FactType.TEXTS),),
    explain=lambda batch, i: {"stock.unmatched": list(dict.fromkeys(batch.once(_unmatched)[i]))},
    basis=lambda draft: ";".join(_names(draft)),
)
def has_unmatched(batch: Batch) -> list[bool | None]:
    """Tell whether each order has a line whose article is not matched."""
    return [bool(names) for names in batch.once(_unmatched)]


@fact(
    "stock.skus",
    _("SKUs in the order"),
    FactType.TEXTS,
    about=_("For rules on single articles."),
    example=["SERUM-30"],
)
def skus(batch: Batch) -> list[tuple[str, ...] | None]:
    """Return the SKUs of each order."""
    return [tuple(line.sku for line in draft.lines) for draft in batch.kept]
