"""Whether what was ordered is there."""

from django.utils.translation import gettext_lazy as _

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


@fact(
    "stock.has_unmatched",
    _("A line without SKU"),
    FactType.FLAG,
    about=_("The channel's article is not matched with one of ours."),
    example=True,
    basis=lambda draft: ";".join(line.title for line in draft.lines if not line.sku),
)
def has_unmatched(batch: Batch) -> list[bool | None]:
    """Tell whether each order has a line whose article is not matched."""
    return [
        not draft.lines[0].sku if len(draft.lines) == 1 else not all(line.sku for line in draft.lines)
        for draft in batch.drafts
    ]


@fact(
    "stock.skus",
    _("SKUs in the order"),
    FactType.TEXTS,
    about=_("For rules on single articles."),
    example=["SERUM-30"],
)
def skus(batch: Batch) -> list[tuple[str, ...] | None]:
    """Return the SKUs of each order."""
    return [tuple(line.sku for line in draft.lines) for draft in batch.drafts]
