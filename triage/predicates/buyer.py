"""What is known about the buyer: lists that people keep, and refused parcels."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orderhub.core.draft import OrderDraft
from triage.predicates.base import Batch, FactType, Need, fact


def _basis(draft: OrderDraft) -> str:
    return draft.buyer.id


@fact(
    "buyer.is_denied",
    _("Buyer is on the deny list"),
    FactType.FLAG,
    about=_("Unknown without a buyer id."),
    example=True,
    needs=[Need.LISTED_BUYERS],
    basis=_basis,
)
def is_denied(batch: Batch) -> list[bool | None]:
    """Tell whether each buyer is denied."""
    denied = batch.context.denied
    return [(c.shop_id, c.draft.buyer.id) in denied if c.draft.buyer.id else None for c in batch.candidates]


@fact(
    "buyer.is_trusted",
    _("Buyer is on the allow list"),
    FactType.FLAG,
    about=_("Within the dates of the entry. An order without a buyer id is not trusted."),
    example=True,
    needs=[Need.LISTED_BUYERS],
    basis=_basis,
)
def is_trusted(batch: Batch) -> list[bool | None]:
    """Tell whether each buyer is trusted; nobody without an id can be."""
    trusted = batch.context.trusted
    return [(c.shop_id, c.draft.buyer.id) in trusted for c in batch.candidates]


@fact(
    "buyer.returns_90d",
    _("Refused or returned orders in 90 days"),
    FactType.NUMBER,
    unit=pgettext_lazy("unit", "orders"),
    about=_("Of the same buyer in the same shop. Unknown without a buyer id."),
    example=3,
    needs=[Need.RETURNS],
    basis=_basis,
)
def returns_90d(batch: Batch) -> list[int | None]:
    """Return how many orders each buyer refused or sent back lately."""
    returns = batch.context.returns
    return [None if c.buyer_id is None else returns.get(c.buyer_id, 0) for c in batch.candidates]


@fact(
    "buyer.has_id",
    _("Buyer id is known"),
    FactType.FLAG,
    about=_("Guests of some own shops have none."),
    example=False,
    basis=_basis,
)
def has_id(batch: Batch) -> list[bool | None]:
    """Tell whether the channel gave each buyer's id."""
    return [bool(draft.buyer.id) for draft in batch.drafts]
