"""What each order of a platform's page comes to, held against the pool: equal, on its way, waiting, or differing.

The shop's cursor is read after the platform's page and before the pool: what is newer than it may or may not be in the
pool yet, and what is not newer must be.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from channels_sync import readers
from channels_sync.connectors.base import Connector, RawPage, ShopAccess
from channels_sync.connectors.readback import REFUSED_KEY
from channels_sync.models import DifferenceKind, ShopSync
from channels_sync.readers import ReadRow
from channels_sync.selectors import refused_versions, sides
from channels_sync.services.compare import (
    MEMO_FIELDS,
    TRACKING,
    FieldDifference,
    differences,
    local_text,
    shipped_elsewhere,
)
from channels_sync.services.listings import map_drafts
from channels_sync.services.ranges import connector_of
from orderhub.core.draft import OrderDraft
from orderhub.core.money import show
from orderhub.core.words import EffectKind
from orderhub.models import Order, Shop

LOT = 8
"""So many orders are fetched at once: where every call runs into its deadline a lot takes a minute."""
NOT_SHOWN = "not_shown"
"""Kind of the verdict on an order that the platform cannot show just now."""


@dataclass(slots=True)
class Verdict:
    """What came of one order: a count of `Reconciliation`, and its differences when that is `differing`."""

    outcome: str
    kind: str = ""
    fields: Sequence[FieldDifference] = ()
    order: Order | None = None
    draft: OrderDraft | None = None


class Comparison:
    """One slice of one shop."""

    def __init__(self, shop: Shop, access: ShopAccess, connector: Connector) -> None:
        self._shop, self._access, self._connector = shop, access, connector
        self.verdicts: dict[str, Verdict] = {}
        self._doubtful: set[str] = set()

    def page(self, page: RawPage) -> None:
        """Hold one page of the platform against the pool."""
        self._judge(rows_of(self._shop, page))
        self._doubtful.update(page.later)

    def settle(self, numbers: Iterable[str], before_lot: Callable[[], None] = lambda: None) -> None:
        """Fetch the orders that no page showed, of `numbers`, and those of which the pool has a newer version.

        One that the platform cannot show just now counts as on its way. Raises what connectors do, and what
        `before_lot` does.
        """
        unseen = sorted((set(numbers) - self.verdicts.keys()) | self._doubtful)
        self._doubtful.clear()
        if not self._connector.fetches:
            self._absent(unseen)
            return
        for first in range(0, len(unseen), LOT):
            before_lot()
            part = unseen[first : first + LOT]
            pages = list(self._connector.fetch(self._access, part))
            later = {number for page in pages for number in page.later}
            self.verdicts |= dict.fromkeys(later, Verdict("underway", kind=NOT_SHOWN))
            rows = [row for page in pages for row in rows_of(self._shop, page) if not _is_refused(row)]
            self._judge(rows, is_second=True)
            shown = {row.external_no for row in rows} | later
            self._absent([number for number in part if number not in shown])

    def _judge(self, rows: Sequence[ReadRow], *, is_second: bool = False) -> None:
        complete_to = ShopSync.objects.filter(shop=self._shop).values_list("cursor", flat=True).first()
        latest = _latest(rows)
        known = sides.pool_orders(self._shop.pk, list(latest))
        fields = {
            number: differences(known[number], row.draft, self._tracking(row), self._connector)
            for number, row in latest.items()
            if number in known and row.draft is not None
        }
        doubt = [number for number in latest if number not in known or fields.get(number)]
        waits = self._waiting([latest[number] for number in doubt])
        untold = sides.untold([known[number].pk for number in doubt if number in known])
        for number, row in latest.items():
            verdict = self._verdict(row, known.get(number), fields.get(number, []), waits, untold, complete_to)
            self.verdicts[number] = verdict
            is_newer = verdict.outcome == "differing" and _is_newer_here(verdict)
            if is_newer and not is_second and self._connector.fetches:
                self._doubtful.add(number)

    def _waiting(self, rows: Sequence[ReadRow]) -> sides.Waiting:
        """Return what of these orders waits. A reject explains the lack of an order only in the version that it holds:
        what the platform tells since can be taken in."""
        found = sides.waiting(self._shop.pk, [row.external_no for row in rows])
        versions = {row.external_no: row.draft.modified_at for row in rows if row.draft}
        held = refused_versions(self._shop.pk, versions)
        return replace(found, rejected=(found.rejected - versions.keys()) | held)

    def _verdict(
        self, row: ReadRow, order: Order | None, fields: list[FieldDifference], waits: sides.Waiting,
        untold: set[tuple[int, str]], complete_to: datetime | None,
    ) -> Verdict:  # fmt: skip
        draft, number = row.draft, row.external_no
        if draft is None:
            return _unreadable(row, order, waits)
        if order is None or fields:
            if number in waits.parked:
                return Verdict("held", draft=draft)
            if number in waits.rejected:
                return Verdict("rejected", draft=draft)
            if complete_to is not None and draft.modified_at > complete_to:
                return Verdict("underway", draft=draft)
        if order is None:
            return Verdict("differing", DifferenceKind.MISSING_IN_POOL, (_missing(draft),), draft=draft)
        if not fields:
            elsewhere = shipped_elsewhere(order, self._tracking(row))
            return Verdict("shipped_elsewhere" if elsewhere else "equal", draft=draft)
        if _only_untold(order.pk, fields, untold):
            return Verdict("underway", draft=draft)
        if draft.modified_at > order.modified_at:
            moments = FieldDifference("modified_at", local_text(order.modified_at), local_text(draft.modified_at))
            return Verdict("differing", DifferenceKind.STALE, (moments, *fields), order, draft)
        return Verdict("differing", DifferenceKind.FIELD, fields, order, draft)

    def _tracking(self, row: ReadRow) -> frozenset[str]:
        return self._connector.tracking_numbers(row.source) if isinstance(row.source, dict) else frozenset()

    def _absent(self, numbers: Sequence[str]) -> None:
        """Note orders that the platform does not know, though it was asked for each."""
        known = sides.pool_orders(self._shop.pk, numbers)
        for number, order in known.items():
            difference = FieldDifference("", _summary(order.status, order.total_fen), "—")
            self.verdicts[number] = Verdict(
                "differing", DifferenceKind.MISSING_ON_PLATFORM, (difference,), order
            )  # fmt: skip


def rows_of(shop: Shop, page: RawPage) -> Sequence[ReadRow]:
    """Return the rows of a page as the intake would take them in, own SKUs included."""
    return map_drafts(None, shop, readers.read(page.reader, page.body, page.content_type))


def compared(shop: Shop, access: ShopAccess, numbers: Sequence[str]) -> dict[str, Verdict]:
    """Return what single orders come to now, each fetched from the platform. Raises what connectors do."""
    comparison = Comparison(shop, access, connector_of(shop))
    comparison.settle(numbers)
    return comparison.verdicts


def _latest(rows: Sequence[ReadRow]) -> dict[str, ReadRow]:
    """Return one row of each order, the newest; a row without a number stands for itself."""
    latest: dict[str, ReadRow] = {}
    for row in rows:
        number = row.external_no or f"?{row.row}"
        rival = latest.get(number)
        if rival is None or _moment(row) >= _moment(rival):
            latest[number] = row
    return latest


def _moment(row: ReadRow) -> float:
    return row.draft.modified_at.timestamp() if row.draft else 0.0


def _unreadable(row: ReadRow, order: Order | None, waits: sides.Waiting) -> Verdict:
    if row.external_no in waits.rejected:
        return Verdict("rejected")
    reason = row.error.reason if row.error else ""
    field_name = row.error.path if row.error else ""
    kind = DifferenceKind.FIELD if order else DifferenceKind.MISSING_IN_POOL
    return Verdict("differing", kind, (FieldDifference(field_name, "—", reason[:200]),), order)


def _is_newer_here(verdict: Verdict) -> bool:
    order, draft = verdict.order, verdict.draft
    return order is not None and draft is not None and order.modified_at > draft.modified_at


def _only_untold(order_id: int, fields: Sequence[FieldDifference], untold: set[tuple[int, str]]) -> bool:
    """Whether all that differs is on its way to the channel."""
    ways: dict[str, Any] = dict.fromkeys(MEMO_FIELDS, EffectKind.MEMO.value)
    ways |= {TRACKING: EffectKind.SHIPMENT.value}
    return all((order_id, ways.get(each.field, "")) in untold for each in fields)


def _is_refused(row: ReadRow) -> bool:
    """Whether the platform does not show this order at all."""
    return isinstance(row.source, dict) and bool(row.source.get(REFUSED_KEY))


def _missing(draft: OrderDraft) -> FieldDifference:
    return FieldDifference("", "—", _summary(draft.status, draft.total_fen))


def _summary(status: str, total_fen: int) -> str:
    return f"{status} {show(total_fen)}"
