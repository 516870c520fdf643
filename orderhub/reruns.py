"""Rejected rows, tried again: each is read anew and takes the path of the pipeline like a row that just came."""

from django.utils.translation import gettext as _

from channels_sync import readers
from channels_sync.services import refusals
from orderhub.core.errors import HubError
from orderhub.core.results import Outcome
from orderhub.core.words import RejectState
from orderhub.models import Reject
from orderhub.pipeline import take_in
from orderhub.services.rejects import note_try


def rerun_reject(reject_id: int, actor: str) -> bool | None:
    """Try a rejected row again with today's code and return whether it was taken in; its reason is refreshed.

    None for an order that its platform refused to show: there is no row to read, the platform is asked again soon, and
    the reject closes when the order comes in.

    Before a gate that is not open, the row waits there like every other; it counts as taken in. Raises HubError for a
    row that was set aside or taken in already.
    """
    reject = Reject.objects.select_related("shop__warehouse").get(pk=reject_id)
    if reject.state != RejectState.OPEN:
        raise HubError(_("The row is not open any more."))
    if refusals.ask_again(reject):
        return None
    rows = readers.read(reject.reader, reject.raw_row, "application/json")
    for row in rows:
        row.row = reject.row
    result = take_in(shop=reject.shop, rows=rows, source="rerun", actor=actor, inbox_id=reject.inbox_id, keep=False)
    refused = next((row for row in result.rows if row.outcome is Outcome.REJECTED), None)
    note_try(reject_id=reject_id, actor=actor, refused=refused)
    return refused is None
