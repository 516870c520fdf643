"""The door of orders that are in the pool already and go on their path once more."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from orderhub.selectors.drafts import drafts_of
from orderhub.services.batch import Batch, DraftRow


@dataclass(slots=True)
class PoolDoor:
    """Brings orders of one shop as they are in the pool, read under their lock: what the channel or a person says of
    them in the same moment, also within the second of the version before, is not written over."""

    order_ids: Sequence[int]

    def before(self, cursor: CursorWrapper, rows: Sequence[DraftRow]) -> Sequence[DraftRow]:
        """Lock the orders in key order, as batches do, and return them; nobody else brings rows here."""
        cursor.execute(
            "SELECT FROM orderhub_order WHERE id = ANY(%s) ORDER BY external_no FOR NO KEY UPDATE",
            [list(self.order_ids)],
        )
        return self.read()

    def read(self) -> list[DraftRow]:
        """Return the rows that go on."""
        return [DraftRow(row, draft) for row, draft in enumerate(drafts_of(self.order_ids).values())]

    def after(self, cursor: CursorWrapper, batch: Batch) -> None:
        """Leave the batch as it is."""

    def close(self, cursor: CursorWrapper) -> None:
        """Nothing is left to do."""
