"""The timeline is written here and nowhere else."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from orderhub.services.bulk import copy_rows, json_text

COLUMNS = ("shop_id", "order_id", "at", "kind", "source", "actor", "status_from", "status_to", "data")


@dataclass(slots=True, frozen=True)
class Entry:
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
    copy_rows(
        cursor,
        "orderhub_timelineentry",
        COLUMNS,
        (
            (e.shop_id, e.order_id, e.at, e.kind, e.source, e.actor, e.status_from, e.status_to, json_text(e.data))
            for e in entries
        ),
    )
