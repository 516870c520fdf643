"""Reserving stock for a batch: what each line gets, old reservations kept or given back."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db.backends.utils import CursorWrapper

from orderhub.core.draft import LineDraft
from orderhub.core.status_graph import HAS_LEFT, HOLDS_STOCK, IN_WAREHOUSE
from orderhub.core.told import ignored_lines
from orderhub.core.words import Status
from orderhub.services.batch import Batch, Incoming
from orderhub.services.stock import NOTHING, TAKES_NONE, Allocation, Shelf, read_shelf

ON_ITS_WAY = HAS_LEFT | {Status.RETURNING}


def allocate(cursor: CursorWrapper, batch: Batch) -> Shelf:
    """Give every line of the batch its pieces and return the shelf, which `stock.book` makes real at the end.

    Orders are served by ship deadline where they compete, then by time of payment: the one that would be late first.
    What a warehouse has already is sent from there: its lines take no pieces of another one.
    """
    skus = {line.sku for inc in batch.all for line in inc.draft.lines}
    skus |= {line["sku"] for inc in batch.changed if inc.known for line in inc.known.lines}
    shelf = read_shelf(cursor, skus)
    preferred = batch.shop.warehouse.code if batch.shop.warehouse else ""
    serve = partial(shelf.serve, preferred=preferred, houses=batch.shop.stock_warehouses)
    for incoming in sorted(batch.all, key=_who_first):
        old = {line["line_no"]: line for line in incoming.known.lines} if incoming.known else {}
        if _has_left(incoming):
            lines = [_left(shelf, line, old.pop(line.line_no, None)) for line in incoming.draft.lines]
        else:
            holds, aside = _holds(incoming), ignored_lines(incoming.draft.raw)
            stays = incoming.known is not None and incoming.known.place in IN_WAREHOUSE
            lines = [
                _line(
                    shelf, serve, line, old.pop(line.line_no, None), holds=holds and line.line_no not in aside,
                    stays=stays,
                )
                for line in incoming.draft.lines
            ]  # fmt: skip
        incoming.allocations = tuple(lines)
        for line in old.values():
            shelf.give_back(line["sku"], line["warehouse"], line["reserved"])
    return shelf


def pieces_wanted(incoming: Incoming) -> dict[str, int]:
    """Return how many pieces an order would reserve beyond those that it has, by SKU; its status is settled."""
    if _has_left(incoming) or not _holds(incoming):
        return {}
    wanted, aside = Counter[str](), ignored_lines(incoming.draft.raw)
    for line in incoming.draft.lines:
        if line.refund not in TAKES_NONE and line.line_no not in aside:
            wanted[line.sku] += line.quantity
    for known in incoming.known.lines if incoming.known else ():
        wanted[known["sku"]] -= known["reserved"]
    return {sku: pieces for sku, pieces in wanted.items() if sku and pieces > 0}


def _holds(incoming: Incoming) -> bool:
    return incoming.triaged or incoming.place in HOLDS_STOCK


def _who_first(incoming: Incoming) -> tuple[Any, ...]:
    draft = incoming.draft
    return (incoming.ship_by or draft.paid_at or draft.created_at, draft.paid_at or draft.created_at, draft.external_no)


def _has_left(incoming: Incoming) -> bool:
    """Tell whether pieces of the order are with the carrier: a refund asked on the road must not reserve them again. Of
    a part that left, the warehouse's later steps with the rest say nothing. The pieces of a completed deal are with the
    buyer, whoever sent them (`used_up`)."""
    known = incoming.known
    if known is None:
        return False
    said = {known.place, known.warehouse_claim, known.carrier_claim}
    return incoming.status == Status.COMPLETED or known.left_at is not None or not ON_ITS_WAY.isdisjoint(said)


def used_up(batch: Batch) -> list[int]:
    """Return the orders that held stock until their channel said that the deal is completed: nobody told of a
    hand-over, but the pieces are gone."""
    return [
        inc.order_id
        for inc in batch.changed
        if inc.known and inc.known.place in HOLDS_STOCK and inc.status == Status.COMPLETED
    ]


def _left(shelf: Shelf, line: LineDraft, old: dict[str, Any] | None) -> Allocation:
    """Keep what a line still has in the warehouse, as long as it is to be sent; take nothing more for it."""
    if old is None:
        return NOTHING
    if old["sku"] == line.sku and old["quantity"] == line.quantity and line.refund not in TAKES_NONE:
        return Allocation(old["warehouse"], old["reserved"], 0)
    if old["reserved"]:
        shelf.give_back(old["sku"], old["warehouse"], old["reserved"])
    return Allocation(old["warehouse"], 0, 0)


def _is_same(line: LineDraft, old: dict[str, Any]) -> bool:
    return bool(old["sku"] == line.sku and old["quantity"] == line.quantity and old["refund"] == line.refund)


def _line(
    shelf: Shelf, serve: Callable[[LineDraft], Allocation], line: LineDraft, old: dict[str, Any] | None, *,
    holds: bool, stays: bool,
) -> Allocation:  # fmt: skip
    """Return what a line that `holds` pieces gets; where the order `stays` in its warehouse, from there only."""
    if old is not None:
        if holds and _is_same(line, old) and old["reserved"] and not old["short"]:
            return Allocation(old["warehouse"], old["reserved"], 0)
        if old["reserved"]:
            shelf.give_back(old["sku"], old["warehouse"], old["reserved"])
        if not holds:
            return Allocation(old["warehouse"], 0, 0)
        if stays and old["warehouse"]:
            return shelf.serve_from(old["warehouse"], line)
    return serve(line) if holds else NOTHING
