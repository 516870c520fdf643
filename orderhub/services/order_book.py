"""One order's pieces: ordered, reserved, gone, and in which parcel; in memory, while hand-overs are booked."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from orderhub.core.parcels import Pieces
from orderhub.core.words import Refund
from orderhub.services.stock import Moved

NO_PARCEL = None
"""In the place of a parcel's id: the pieces have left, in which parcel is not told yet."""


@dataclass(slots=True)
class BookLine:
    """One line of the order as the pool has it."""

    line_id: int
    line_no: str
    sku: str
    quantity: int
    reserved: int
    warehouse: str
    refund: str
    is_sent: bool = True
    """False where the line needs no own SKU: nothing of it is packed."""


Key = tuple[int | None, str, str]
"""Parcel, line number, SKU."""


@dataclass(slots=True)
class OrderBook:
    """One order: its lines, and the pieces that have left by parcel and line."""

    order_id: int
    shop_id: int
    external_no: str
    lines: list[BookLine] = field(default_factory=list)
    gone: dict[Key, int] = field(default_factory=dict)
    houses: dict[Key, str] = field(default_factory=dict)
    touched: set[Key] = field(default_factory=set)
    moves: list[tuple[str, Moved]] = field(default_factory=list)
    known_parcels: set[int] = field(default_factory=set)
    excess: dict[int | None, int] = field(default_factory=dict)
    """Pieces told of a parcel beyond what was ordered, as of a parcel that was told once more under another number."""
    is_by_hand: bool = False
    """A person says where pieces are taken from; else they leave from where they are reserved."""

    def put(self, parcel_id: int | None, told: Iterable[Pieces], warehouse: str) -> int:
        """Put pieces into a parcel and take off the stock what is not off it yet; returns how many pieces were told.

        Of a line no more than was ordered counts in all parcels together; the rest is noted as `excess`.
        """
        wanted: dict[tuple[str, str], int] = {}
        for pieces in told:
            for line_no, sku, count in self._spread(parcel_id, pieces, wanted):
                wanted[line_no, sku] = wanted.get((line_no, sku), 0) + count
        for (line_no, sku), count in wanted.items():
            key = (parcel_id, line_no, sku)
            more = count - self.gone.get(key, 0)
            if more > 0:
                self.gone[key] = count
                self._leave(key, more, warehouse)
        return sum(wanted.values())

    def close(self, *, keep_loose: bool) -> None:
        """Settle an order that is complete: nothing stays reserved, and what was taken off the stock but is in no
        parcel comes back, unless `keep_loose`."""
        for key in [key for key, count in self.gone.items() if key[0] is NO_PARCEL and count and not keep_loose]:
            self.moves.append(("not shipped", Moved(key[2], self.houses.get(key, ""), -self.gone[key], 0)))
            self.gone[key] = 0
            self.touched.add(key)
        for line in self.lines:
            if line.reserved:
                self.moves.append(("shipped", Moved(line.sku, line.warehouse, 0, line.reserved)))
                line.reserved = 0

    def left(self) -> list[Pieces]:
        """Return the pieces that are in no parcel yet, without lines that were refunded or are not sent."""
        rest = []
        for line in self.lines:
            if line.refund != Refund.DONE and line.is_sent:
                packed = self.packed(line.line_no)
                if packed < line.quantity:
                    rest.append(Pieces(line.line_no, line.sku, line.quantity - packed))
        return rest

    def packed(self, line_no: str) -> int:
        """Return the pieces of a line that are in parcels."""
        return sum(count for key, count in self.gone.items() if key[0] is not NO_PARCEL and key[1] == line_no)

    def _spread(
        self, parcel_id: int | None, pieces: Pieces, wanted: dict[tuple[str, str], int]
    ) -> list[tuple[str, str, int]]:
        """Return the lines that told pieces belong to: by number, else by SKU, the lines filled one after the other."""
        by_no = next((line for line in self.lines if pieces.line_no and line.line_no == pieces.line_no), None)
        same = [line for line in self.lines if pieces.sku and line.sku == pieces.sku]
        if by_no and (by_no in same or not same):
            same = [by_no]
        elif not same:
            return [(pieces.line_no, pieces.sku, pieces.quantity)]
        found, rest = [], pieces.quantity
        for line in same:
            room = self._room(parcel_id, line) - wanted.get((line.line_no, line.sku), 0)
            count = min(rest, max(room, 0))
            rest -= count
            if count:
                found.append((line.line_no, line.sku, count))
        if rest:
            self.excess[parcel_id] = self.excess.get(parcel_id, 0) + rest
        return found

    def _room(self, parcel_id: int | None, line: BookLine) -> int:
        """Return how many pieces of a line a parcel may hold: what is in no other one, but never less than it does."""
        here = self.gone.get((parcel_id, line.line_no, line.sku), 0) if parcel_id is not NO_PARCEL else 0
        return max(line.quantity - (self.packed(line.line_no) - here), here)

    def _leave(self, key: Key, count: int, warehouse: str) -> None:
        """Take pieces off the stock, first those that are off it already without a parcel."""
        self.touched.add(key)
        line = next((line for line in self.lines if line.line_no == key[1] and line.sku == key[2]), None)
        kept = line.warehouse if line else ""
        house = self.houses[key] = warehouse if self.is_by_hand else kept or warehouse
        loose = (NO_PARCEL, key[1], key[2])
        known = min(self.gone.get(loose, 0), count) if key[0] is not NO_PARCEL else 0
        if known:
            self.gone[loose] -= known
            self.touched.add(loose)
        off = count - known
        freed = min(line.reserved, off) if line else 0
        if line:
            line.reserved -= freed
        if off:
            self.moves += [("shipped", Moved(key[2], house, off, 0)), ("shipped", Moved(key[2], kept, 0, freed))]
