"""Orders whose details their platform refused to show: each left a reject that holds nothing but its number."""

from django.db.models import F
from django.utils import timezone

from channels_sync.connectors.base import abilities_of
from channels_sync.connectors.readback import is_refusal
from orderhub.core.results import IntakeResult, Outcome
from orderhub.core.words import RejectState
from orderhub.models import InboxItem, Reject
from orderhub.services import inbox


def settle(item: InboxItem, result: IntakeResult) -> None:
    """Close the earlier rejects of the orders that a delivery brought, and drop them where it left a newer one. One
    query where there are none."""
    if not abilities_of(item.shop.platform).fetches:
        return
    outcomes = {row.external_no[:64]: row.outcome for row in result.rows}
    rows = Reject.objects.filter(shop=item.shop, state=RejectState.OPEN, external_no__in=list(outcomes))
    earlier = [reject for reject in rows.exclude(inbox_id=item.pk) if _is_of_refusal(reject)]
    again = [reject.pk for reject in earlier if outcomes[reject.external_no] is Outcome.REJECTED]
    here = [reject.pk for reject in earlier if reject.pk not in again]
    if again:
        Reject.objects.filter(pk__in=again).delete()
    if here:
        Reject.objects.filter(pk__in=here, state=RejectState.OPEN).update(
            state=RejectState.TAKEN, closed_at=timezone.now(), closed_by=f"intake:{item.source}"
        )


def ask_again(reject: Reject) -> bool:
    """Have the order of a reject fetched anew; false for a row that its platform did show, which is read again."""
    can_ask = bool(reject.external_no) and abilities_of(reject.shop.platform).fetches
    if not (can_ask and is_refusal(reject.raw_row)):
        return False
    inbox.fetch_later(reject.shop, [reject.external_no])
    Reject.objects.filter(pk=reject.pk).update(attempts=F("attempts") + 1)
    return True


def _is_of_refusal(reject: Reject) -> bool:
    raw = reject.readable_row()
    return raw is not None and is_refusal(raw)
