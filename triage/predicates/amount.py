"""Amounts and quantities of an order."""

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orderhub.core.draft import LineDraft, OrderDraft
from orderhub.core.told import sold_lines
from triage.predicates.base import Batch, Detail, FactType, Need, fact
from triage.predicates.price import judged_lines, running_campaign

MOST_GIFTS = 20
"""Pieces of a free line that are taken for gifts; of more of them somebody should think."""


def quantities(sold: Sequence[LineDraft]) -> dict[str, int]:
    """Return the pieces of each SKU over all lines sold; a bundle counts as one piece under its own name.

    Free lines beside paid ones are gifts and do not count, up to MOST_GIFTS pieces. Lines without SKU may be anything
    and are not added up.
    """
    found: dict[str, int] = {}
    has_gifts = len(judged_lines(sold)) < len(sold)
    for line in sold:
        if has_gifts and not line.unit_price_fen and line.quantity <= MOST_GIFTS:
            continue
        key = line.sku or line.line_no
        found[key] = found.get(key, 0) + line.quantity
    return found


def _quantity_basis(draft: OrderDraft) -> str:
    return ";".join(f"{sku}={quantity}" for sku, quantity in quantities(sold_lines(draft)).items())


def _most(batch: Batch, i: int) -> dict[str, object]:
    pieces = quantities(batch.sold[i])
    if not pieces:  # Everything was refunded or put aside; a rule may fire without the count.
        return {}
    most = max(pieces, key=lambda key: pieces[key])
    names = {line.line_no: line.title for line in batch.sold[i] if not line.sku}
    return {"amount.sku": names.get(most, most)}


@fact(
    "amount.total",
    _("Order total"),
    FactType.MONEY,
    unit=pgettext_lazy("unit", "yuan"),
    about=_("What the articles, freight and discounts come to, as the channel says."),
    example=500_000,
)
def totals(batch: Batch) -> list[int | None]:
    """Return each order's total in fen."""
    return [draft.total_fen for draft in batch.drafts]


@fact(
    "amount.paid",
    _("Amount paid"),
    FactType.MONEY,
    unit=pgettext_lazy("unit", "yuan"),
    about=_("What the buyer has paid so far."),
    example=12_900,
)
def paid(batch: Batch) -> list[int | None]:
    """Return what was paid for each order, in fen."""
    return [draft.paid_fen for draft in batch.drafts]


@fact(
    "amount.discount",
    _("Discount"),
    FactType.MONEY,
    unit=pgettext_lazy("unit", "yuan"),
    about=_("Discounts and coupons of the whole order."),
    example=3_000,
)
def discounts(batch: Batch) -> list[int | None]:
    """Return each order's discount in fen."""
    return [draft.discount_fen for draft in batch.drafts]


@fact(
    "amount.most_of_one_sku",
    _("Most pieces of one SKU"),
    FactType.NUMBER,
    unit=pgettext_lazy("unit", "pieces"),
    about=_(
        "Pieces of the same SKU on several lines are added up. Gifts beside paid lines do not count. A bundle counts "
        "as one piece."
    ),
    example=10,
    details=(Detail("amount.sku", _("SKU"), FactType.TEXT),),
    explain=_most,
    basis=_quantity_basis,
)
def most_of_one_sku(batch: Batch) -> list[int | None]:
    """Return the largest number of pieces of one SKU in each order."""
    return [
        lines[0].quantity if len(lines) == 1 else max(quantities(lines).values(), default=0) for lines in batch.sold
    ]


@fact(
    "amount.pieces",
    _("Pieces in the order"),
    FactType.NUMBER,
    unit=pgettext_lazy("unit", "pieces"),
    about=_("Sum over all lines, the parts of bundles included."),
    example=20,
)
def pieces(batch: Batch) -> list[int | None]:
    """Return the number of pieces of each order."""
    return [sum(line.quantity for line in draft.lines) for draft in batch.kept]


def _over(batch: Batch) -> list[tuple[str, int] | None]:
    """Return SKU and limit where an order takes more than a running campaign allows."""
    campaigns = batch.context.prices.campaigns
    limited = {sku for sku, rows in campaigns.items() if any(row.max_quantity for row in rows)}
    found: list[tuple[str, int] | None] = []
    for candidate, lines in zip(batch.candidates, batch.sold, strict=True):
        answer = None
        if limited:
            for sku, quantity in quantities(lines).items():
                row = running_campaign(campaigns.get(sku, ()), candidate.shop_id, candidate.draft.created_at)
                if row is not None and row.max_quantity and quantity > row.max_quantity:
                    answer = (sku, row.max_quantity)
                    break
        found.append(answer)
    return found


def _explain_limit(batch: Batch, i: int) -> dict[str, object]:
    over = batch.once(_over)[i]
    return {"amount.limited_sku": over[0], "amount.limit": over[1]} if over else {}


@fact(
    "amount.over_campaign_limit",
    _("More pieces than the campaign allows"),
    FactType.FLAG,
    about=_("Compares with the limit per order of the running campaign price."),
    example=True,
    needs=[Need.PRICES],
    details=(
        Detail("amount.limited_sku", _("SKU"), FactType.TEXT),
        Detail("amount.limit", _("Limit"), FactType.NUMBER),
    ),
    explain=_explain_limit,
    basis=_quantity_basis,
)
def over_campaign_limit(batch: Batch) -> list[bool | None]:
    """Tell whether each order takes more of a SKU than its campaign allows."""
    return [over is not None for over in batch.once(_over)]
