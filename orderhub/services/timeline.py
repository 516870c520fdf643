"""The timeline is written here and nowhere else."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.backends.utils import CursorWrapper
from msgspec import Struct

from orderhub.services.bulk import Table, copy_tables, json_text, stamp

COLUMNS = ("shop_id", "order_id", "at", "kind", "source", "actor", "status_from", "status_to", "data")


class Entry(Struct, frozen=True):
    """One line of an order's timeline."""

    shop_id: int
    order_id: int
    at: datetime
    kind: str
    source: str
    actor: str
    status_from: str = ""
    status_to: str = ""
    data: dict[str, Any] | None = None


def record(cursor: CursorWrapper, entries: Iterable[Entry]) -> None:
    """Append entries, in the transaction of what they tell of."""
    copy_tables(cursor, table_of(entries))


def table_of(entries: Iterable[Entry]) -> Table:
    """Return entries as rows to be copied."""
    rows = (
        (e.shop_id, e.order_id, stamp(e.at), e.kind, str(e.source), e.actor, str(e.status_from), str(e.status_to),
         json_text(e.data))
        for e in entries
    )  # fmt: skip
    return Table("orderhub_timelineentry", COLUMNS, rows)
