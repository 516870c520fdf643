"""Letting orders in that wait before the intake gate, once it is open or lets some through.

Those whose goods must leave first enter first, at the pace of the gates, in batches through the ordinary intake; a
waiting order leaves the queue in the transaction that takes it in. What cannot enter becomes a reject with its reason.
"""

from collections.abc import Iterator, Sequence

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from channels_sync import readers
from channels_sync.readers import ReadRow
from channels_sync.services.listings import map_drafts
from orderhub.core.crypto import UnreadableError
from orderhub.core.errors import HubError, words_of
from orderhub.core.results import Outcome, RowResult
from orderhub.models import Shop
from orderhub.pipeline import Intake, take_rows
from orderhub.services import parking
from orderhub.services.batch import DraftRow
from orderhub.services.parking import BackDoor, Waiting

log = structlog.get_logger(__name__)

ACTOR = "intake:gate"
SOURCE = "gate"

Refused = tuple[Waiting, str, str]
"""A waiting order that cannot enter, the field and the reason."""


def drain_backlog() -> int:
    """Let the next waiting orders in, up to one batch, and return how many left the queue; 0 when the gates allow none
    now. Safe to run twice at once: the pace holds for all workers together, and each order enters once."""
    left = 0
    for queue in parking.next_in_line(settings.HUB_BATCH_SIZE):
        shop = Shop.objects.select_related("warehouse").get(pk=queue[0].shop_id)
        try:
            left += _enter(shop, queue)
        except HubError as error:
            log.warning("waiting orders must wait on", shop=shop.code, error=str(error))
    return left


def _enter(shop: Shop, queue: Sequence[Waiting]) -> int:
    """Let the orders of one shop in and return how many left the queue."""
    rows, refused = _read(queue)
    entered = 0
    for told in _take(shop, rows, queue) if rows else ():
        if told.outcome is Outcome.REJECTED:
            refused.append((queue[told.row], told.field, told.reason))
        else:
            entered += 1
    gone = parking.refuse(shop=shop, refused=refused) if refused else 0
    log.info("waiting orders let in", shop=shop.code, rows=entered, refused=gone)
    return entered + gone


def _take(shop: Shop, rows: Sequence[ReadRow], queue: Sequence[Waiting]) -> Iterator[RowResult]:
    """Take rows in and yield what became of each; rows that the pace does not allow yet are left out.

    One whose intake fails in a way that nobody foresaw is found by halving too: it must not hold up those behind it.
    """
    try:
        mapped = map_drafts(None, shop, rows)
        drafts = [DraftRow(row.row, row.draft, row.told) for row in mapped if row.draft is not None]
        parts = list(take_rows(Intake(shop, SOURCE, ACTOR, BackDoor(shop, queue)), drafts))
    except Exception as error:
        if isinstance(error, OperationalError | InterfaceError) or _may_pass(error):
            raise
        if len(rows) == 1:
            log.exception("a waiting order cannot be taken in", shop=shop.code)
            yield RowResult(rows[0].row, rows[0].external_no, Outcome.REJECTED, "", words_of(error))
            return
        middle = len(rows) // 2
        yield from _take(shop, rows[:middle], queue)
        yield from _take(shop, rows[middle:], queue)
        return
    for part in parts:
        yield from part


def _read(queue: Sequence[Waiting]) -> tuple[list[ReadRow], list[Refused]]:
    """Read waiting orders again; each row stands at its place in the queue."""
    rows: list[ReadRow] = []
    refused: list[Refused] = []
    for place, waiting in enumerate(queue):
        try:
            found = readers.read(waiting.reader, waiting.raw, "application/json")
        except UnreadableError:
            refused.append((waiting, "", "the sealed row cannot be opened: its data key is missing"))
            continue
        except Exception as error:  # noqa: BLE001  (any reader; one order must not hold up the others)
            refused.append((waiting, "", words_of(error)))
            continue
        if len(found) != 1:
            refused.append((waiting, "", f"read as {len(found)} orders"))
            continue
        found[0].row = place
        if found[0].error is not None:
            refused.append((waiting, found[0].error.path, found[0].error.reason))
            continue
        rows.append(found[0])
    return rows, refused


def _may_pass(error: Exception) -> bool:
    return isinstance(error, HubError) and not error.permanent
