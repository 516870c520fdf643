"""Whether a page of a channel says anything that the pool does not know, and how one that does is stored.

A page is known by its content, so that what an overlapping window or a second worker brings once more is stored once.
But an order may return to what it was (a refund asked, withdrawn, asked again; a flag set back), and where a platform
moves no time for that (Douyin), its page is the very one of before: the content alone does not tell a repeat.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from channels_sync import readers
from channels_sync.connectors.base import RawPage
from channels_sync.readers import ReadRow
from orderhub.core.crypto import UnreadableError
from orderhub.core.words import InboxState
from orderhub.models import InboxItem, ParkedOrder, Reject, Shop
from orderhub.services import inbox
from orderhub.services.batch import content_hash
from orderhub.services.bulk import OF_SHOP, WANTED, listed


def store(shop: Shop, page: RawPage, *, source: str) -> InboxItem:
    """Store a page as a delivery and return its row: that of before for a repeat, a new one where the page that was
    taken in before has been overtaken since."""
    item = _receive(shop, page, source, page.delivery_key)
    if item.state == InboxState.DONE and has_news(shop, page):
        return _receive(shop, page, source, inbox.fresh_key(page.delivery_key))
    return item


def _receive(shop: Shop, page: RawPage, source: str, key: str) -> InboxItem:
    return inbox.receive(
        shop=shop, source=source, reader=page.reader, delivery_key=key, body=page.body, content_type=page.content_type
    )


def has_news(shop: Shop, page: RawPage) -> bool:
    """Whether a row of the page says something that neither the pool nor what waits before it holds. One query a page,
    two more for rows that are not in the pool."""
    rows = readers.read(page.reader, page.body, page.content_type)
    known = _known(shop.pk, [row.external_no for row in rows if row.draft])
    if any(_differs(row, known) for row in rows):
        return True
    strange = [row for row in rows if row.draft is None or row.external_no not in known]
    return bool(strange) and not _all_kept(shop, strange)


def _all_kept(shop: Shop, rows: Sequence[ReadRow]) -> bool:
    """Whether each of the rows waits before the gate in this version or a later one, or was refused before: as it is,
    where it could be read; whatever it said, where it could not."""
    numbers = {row.external_no for row in rows}
    parked = {one.external_no: one for one in ParkedOrder.objects.filter(shop=shop, external_no__in=numbers)}
    refused: dict[str, set[bytes]] = defaultdict(set)
    for reject in Reject.objects.filter(shop=shop, external_no__in=numbers):
        raw = reject.readable_row()
        refused[reject.external_no].update([] if raw is None else [raw])
    return all(_is_kept(row, parked.get(row.external_no), refused.get(row.external_no)) for row in rows)


def _is_kept(row: ReadRow, parked: ParkedOrder | None, refused: set[bytes] | None) -> bool:
    if row.draft is None:
        return refused is not None
    if parked and (parked.modified_at > row.draft.modified_at or _holds(parked, row.raw)):
        return True
    return refused is not None and row.raw in refused


def _holds(parked: ParkedOrder, raw: bytes) -> bool:
    """Tell whether an order waits as this very row; of one that no data key opens nobody knows."""
    try:
        return parked.raw_row == raw
    except UnreadableError:
        return False


def _known(shop_id: int, numbers: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT o.external_no, o.content_hash, o.modified_at FROM {WANTED} CROSS JOIN LATERAL (
                SELECT external_no, content_hash, modified_at FROM orderhub_order
                WHERE {OF_SHOP} AND external_no = wanted.key LIMIT 1) AS o
            """,  # noqa: S608  (a constant)
            [listed(numbers), shop_id],
        )
        return {number: (digest, modified_at) for number, digest, modified_at in cursor.fetchall()}


def _differs(row: ReadRow, known: dict[str, tuple[int, datetime]]) -> bool:
    if row.draft is None or row.external_no not in known:
        return False
    digest, modified_at = known[row.external_no]
    return content_hash(row.draft) != digest and row.draft.modified_at >= modified_at
