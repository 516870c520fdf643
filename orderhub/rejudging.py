"""Known orders on the path once more: rules changed, stock came, a person accepted, later orders showed a pattern."""

from collections.abc import Sequence

from django.db import transaction

from orderhub.models import Shop
from orderhub.pipeline import Intake, take_batch
from orderhub.selectors.drafts import drafts_of
from orderhub.services.batch import DraftRow
from orderhub.services.parking import NoDoor
from triage.selectors.outdated import outdated_price_findings
from triage.selectors.siblings import unmarked_siblings
from triage.services import accept_findings


def retriage(order_ids: Sequence[int], actor: str) -> int:
    """Judge known orders again (rules changed, stock came, a person accepted) and return how many were judged."""
    drafts = drafts_of(order_ids)
    judged = 0
    for shop in Shop.objects.filter(orders__in=list(drafts)).distinct().select_related("warehouse"):
        rows = [DraftRow(0, drafts[pk]) for pk in shop.orders.filter(pk__in=list(drafts)).values_list("pk", flat=True)]
        judged += len(take_batch(Intake(shop, "hub", actor, NoDoor(), is_again=True), rows))
    return judged


def recheck_siblings() -> int:
    """Judge orders again that look different by what came after them, and return how many.

    The first orders of a cluster once the later ones have shown it; prices held against the list price before the
    shop's own mean was known.
    """
    return retriage(list(dict.fromkeys([*unmarked_siblings(), *outdated_price_findings()])), "hub")


@transaction.atomic
def release_order(order_id: int, actor: str, reason: str) -> None:
    """Let a held order go: a person accepts its findings, and it is judged again without them."""
    accept_findings(order_id=order_id, actor=actor, reason=reason)
    retriage([order_id], actor)
