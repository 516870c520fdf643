"""What is in the parcels of an order, by the lines of the hub and by those of its channel."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from channels_sync.connectors.exchange import ShippedLine
from orderhub.core.told import ignored_lines, notes_of
from orderhub.core.words import Refund
from orderhub.models import Order, OrderLine, Parcel

Contents = Mapping[tuple[int, int], Mapping[str, int]]
"""Pieces by line number of every parcel, by (order, parcel)."""


def untold(order: Order) -> set[str]:
    """Return the tracking numbers that the channel is not told: each of these parcels holds parts of bundles that no
    parcel before it and not itself complete. No queries where lines and parcels are prefetched."""
    contents: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for piece in order.parcel_lines.all():
        if piece.quantity > 0:
            inside = contents[order.pk, piece.parcel_id or 0]
            inside[piece.line_no] = inside.get(piece.line_no, 0) + piece.quantity
    lines, parcels = list(order.lines.all()), sorted(order.parcels.all(), key=lambda parcel: parcel.pk)
    return {
        parcel.tracking_no
        for place, parcel in enumerate(parcels)
        if (order.pk, parcel.pk) in contents
        and not holds_all(order, contents[order.pk, parcel.pk], lines, is_alone=False)
        and not channel_lines(order, lines, parcels[: place + 1], contents)
    }


def holds_all(order: Order, inside: Mapping[str, int], lines: Sequence[OrderLine], *, is_alone: bool) -> bool:
    """Tell whether a parcel is the whole order: every piece is in it, or nobody said what is and there is no other."""
    if not inside:
        return is_alone
    aside = ignored_lines(order.extra)
    sent = (line for line in lines if line.refund != Refund.DONE and line.line_no not in aside)
    return all(inside.get(line.line_no, 0) >= line.quantity for line in sent)


def channel_lines(
    order: Order, lines: Sequence[OrderLine], parcels: Sequence[Parcel], contents: Contents
) -> list[ShippedLine]:
    """Return the last parcel's pieces by the channel's own lines. A bundle counts in the parcel that completes it.

    What was put aside is in no parcel, but the channel waits for it: it goes with the first that is told at all.
    """
    told = _inside(order, lines, parcels, contents)
    if not told or any(_inside(order, lines, parcels[:place], contents) for place in range(1, len(parcels))):
        return told
    aside = ignored_lines(order.extra)
    waited = [line for line in lines if line.line_no in aside and line.refund != Refund.DONE]
    return told + [ShippedLine(line.line_no, line.quantity) for line in waited]


def _inside(
    order: Order, lines: Sequence[OrderLine], parcels: Sequence[Parcel], contents: Contents
) -> list[ShippedLine]:
    ordered = {line.line_no: line.quantity for line in lines}
    notes = [note for note in notes_of(order.extra) if "as" in note]
    parts = {number for note in notes for number in note["as"]}
    inside = contents.get((order.pk, parcels[-1].pk), {})
    told = [ShippedLine(no, count) for no, count in inside.items() if no in ordered and no not in parts]
    for note in notes:
        before, after = (_units(note, order, ordered, some, contents) for some in (parcels[:-1], parcels))
        if after > before:
            told.append(ShippedLine(note["line_no"], after - before))
    return told


def _units(
    note: Mapping[str, Any], order: Order, ordered: Mapping[str, int], parcels: Sequence[Parcel], contents: Contents
) -> int:
    """Return how many whole bundles of one channel line are in these parcels together."""
    quantity = int(note.get("quantity", 1))
    gone = {
        number: sum(contents.get((order.pk, parcel.pk), {}).get(number, 0) for parcel in parcels)
        for number in note["as"]
        if ordered.get(number)
    }
    return min((pieces * quantity // ordered[number] for number, pieces in gone.items()), default=0)
