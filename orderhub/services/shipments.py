"""What the warehouse handed over: parcels with their pieces, and the stock that left with them, each piece once.

Reports come twice, late and out of order. What counts is the sum by order line: a parcel that is told again changes
nothing, an order that was known to have left before its parcels were told is not taken off the stock again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from orderhub.core.parcels import Pieces, ToldParcel
from orderhub.core.told import TOLD, ignored_lines
from orderhub.core.words import Source
from orderhub.services import stock
from orderhub.services.bulk import records
from orderhub.services.order_book import NO_PARCEL, BookLine, OrderBook
from orderhub.services.timeline import Entry, record


@dataclass(slots=True, frozen=True)
class HandOver:
    """One hand-over of one order; more is to come unless `is_final`. `lines` are the pieces of all its parcels.

    What a warehouse tells leaves the stock where it is reserved. A person (`source`) says where it was taken from, with
    an empty `warehouse` for pieces that never were in a stock of ours.
    """

    order_id: int
    at: datetime
    is_final: bool
    warehouse: str
    parcels: Sequence[ToldParcel] = ()
    lines: Sequence[Pieces] = ()
    source: Source = Source.WAREHOUSE


@dataclass(slots=True)
class Handed:
    """What one hand-over came to: its parcels' ids in the order told, those that were new, and if all is covered."""

    told: HandOver
    order_id: int
    shop_id: int
    external_no: str
    parcel_ids: list[int] = field(default_factory=list)
    new_ids: list[int] = field(default_factory=list)
    last_parcel_id: int | None = None
    is_complete: bool = False
    """Every piece that was ordered is in a parcel."""


@transaction.atomic
def hand_over(*, hand_overs: Sequence[HandOver], actor: str) -> list[Handed]:
    """Write parcels, their lines, timeline entries and the stock that left; one result for each known order.

    Locks orders in key order, then stock levels. The status is not touched: claims are the caller's next step.
    """
    with connection.cursor() as cursor:
        books = _open_books(cursor, {item.order_id for item in hand_overs})
        known = [item for item in hand_overs if item.order_id in books]
        parcels = _write_parcels(cursor, [(books[item.order_id], item) for item in known])
        entries: list[Entry] = []
        results = [_book_one(books[item.order_id], item, parcels, actor, entries) for item in known]
        _write_books(cursor, books.values(), actor)
        record(cursor, entries)
    return results


def _open_books(cursor: CursorWrapper, order_ids: set[int]) -> dict[int, OrderBook]:
    cursor.execute(
        f"""
        SELECT id, shop_id, external_no, (extra -> '{TOLD}')::json FROM orderhub_order WHERE id = ANY(%s)
        ORDER BY shop_id, external_no FOR NO KEY UPDATE
        """,  # noqa: S608  (a constant)
        [sorted(order_ids)],
    )
    books, aside = {}, {}
    for order_id, shop_id, external_no, notes in cursor.fetchall():
        books[order_id], aside[order_id] = OrderBook(order_id, shop_id, external_no), ignored_lines({TOLD: notes})
    cursor.execute(
        """
        SELECT order_id, id, line_no, sku, quantity, reserved, warehouse, refund FROM orderhub_orderline
        WHERE order_id = ANY(%s) ORDER BY id
        """,
        [list(books)],
    )
    for order_id, *rest in cursor.fetchall():
        line = BookLine(*rest)
        line.is_sent = line.line_no not in aside[order_id]
        books[order_id].lines.append(line)
    cursor.execute(
        """
        SELECT order_id, parcel_id, line_no, sku, quantity, warehouse FROM orderhub_parcelline WHERE order_id = ANY(%s)
        """,
        [list(books)],
    )
    for order_id, parcel_id, line_no, sku, quantity, warehouse in cursor.fetchall():
        books[order_id].gone[parcel_id, line_no, sku] = quantity
        books[order_id].houses[parcel_id, line_no, sku] = warehouse
    cursor.execute("SELECT order_id, parcel_id FROM orderhub_parcel_orders WHERE order_id = ANY(%s)", [list(books)])
    for order_id, parcel_id in cursor.fetchall():
        books[order_id].known_parcels.add(parcel_id)
    return books


def _write_parcels(
    cursor: CursorWrapper, items: Sequence[tuple[OrderBook, HandOver]]
) -> dict[tuple[int, str, str], int]:  # fmt: skip
    """Insert the parcels that are new, in key order, and return all their ids."""
    rows = {
        (book.shop_id, parcel.carrier, parcel.tracking_no): {
            "shop_id": book.shop_id, "carrier": parcel.carrier, "tracking_no": parcel.tracking_no,
            "warehouse": item.warehouse, "weight": parcel.weight_grams, "at": item.at,
        }
        for book, item in sorted(items, key=lambda pair: pair[1].at, reverse=True)
        for parcel in item.parcels
    }  # fmt: skip
    if not rows:
        return {}
    cursor.execute(
        """
        INSERT INTO orderhub_parcel AS p
            (shop_id, carrier, tracking_no, warehouse_code, weight_grams, created_at, handed_over_at)
        SELECT shop_id, carrier, tracking_no, warehouse, weight, now(), at FROM json_to_recordset(%s::json)
            AS r(shop_id bigint, carrier text, tracking_no text, warehouse text, weight int, at timestamptz)
        ON CONFLICT (shop_id, carrier, tracking_no) DO UPDATE SET
            handed_over_at = least(p.handed_over_at, excluded.handed_over_at),
            weight_grams = coalesce(p.weight_grams, excluded.weight_grams)
        RETURNING shop_id, carrier, tracking_no, id
        """,
        [records([rows[key] for key in sorted(rows)])],
    )
    ids = {(shop_id, carrier, number): parcel_id for shop_id, carrier, number, parcel_id in cursor.fetchall()}
    links = {
        (ids[book.shop_id, parcel.carrier, parcel.tracking_no], book.order_id)
        for book, item in items
        for parcel in item.parcels
    }
    cursor.execute(
        """
        INSERT INTO orderhub_parcel_orders (parcel_id, order_id)
        SELECT parcel_id, order_id FROM json_to_recordset(%s::json) AS r(parcel_id bigint, order_id bigint)
        ON CONFLICT DO NOTHING
        """,
        [records([{"parcel_id": parcel_id, "order_id": order_id} for parcel_id, order_id in sorted(links)])],
    )
    return ids


def _book_one(
    book: OrderBook, item: HandOver, ids: dict[tuple[int, str, str], int], actor: str, entries: list[Entry]
) -> Handed:
    handed = Handed(item, book.order_id, book.shop_id, book.external_no)
    book.is_by_hand = item.source == Source.PERSON
    unsaid: list[int] = []
    for parcel in item.parcels:
        parcel_id = ids[book.shop_id, parcel.carrier, parcel.tracking_no]
        handed.parcel_ids.append(parcel_id)
        pieces = book.put(parcel_id, parcel.lines, item.warehouse)
        if not parcel.lines:
            unsaid.append(parcel_id)
        if parcel_id not in book.known_parcels:
            book.known_parcels.add(parcel_id)
            handed.new_ids.append(parcel_id)
            entries.append(_entry(book, item, parcel, pieces, actor))
    is_told = any(key[0] is not NO_PARCEL and count for key, count in book.gone.items())
    if unsaid or (not item.parcels and (item.lines or not is_told)):
        _put_the_rest(book, item, unsaid[0] if unsaid else NO_PARCEL)
    if item.is_final:
        book.close(keep_loose=not item.parcels and bool(item.lines or not is_told))
    entries += [
        _problem(book, item, ids, excess, actor) for excess in book.excess.items() if excess[0] is not NO_PARCEL
    ]
    book.excess.clear()
    handed.last_parcel_id = max(book.known_parcels, default=None)
    handed.is_complete = not book.left()
    return handed


def _put_the_rest(book: OrderBook, item: HandOver, parcel_id: int | None) -> None:
    """Put what the warehouse did not assign to a parcel into the first one it said nothing about: what it says left in
    all, or everything that is left."""
    said: dict[str, int] = {}
    for parcel in item.parcels:
        for pieces in parcel.lines:
            said[pieces.line_no or pieces.sku] = said.get(pieces.line_no or pieces.sku, 0) + pieces.quantity
    if item.lines:
        rest = [
            Pieces(p.line_no, p.sku, max(p.quantity - said.get(p.line_no or p.sku, 0), 0)) for p in item.lines
        ]  # fmt: skip
    else:
        rest = book.left() if item.is_final or parcel_id is not NO_PARCEL else []
        if parcel_id is NO_PARCEL:
            loose = {key[1]: count for key, count in book.gone.items() if key[0] is NO_PARCEL}
            rest = [Pieces(p.line_no, p.sku, max(p.quantity, loose.get(p.line_no, 0))) for p in rest]
    book.put(parcel_id, [pieces for pieces in rest if pieces.quantity], item.warehouse)


def _entry(book: OrderBook, item: HandOver, parcel: ToldParcel, pieces: int, actor: str) -> Entry:
    data: dict[str, Any] = {"carrier": parcel.carrier, "tracking_no": parcel.tracking_no}
    if pieces:
        data["pieces"] = pieces
    return Entry(book.shop_id, book.order_id, item.at, "parcel", item.source, actor, data=data)


def _problem(
    book: OrderBook, item: HandOver, ids: dict[tuple[int, str, str], int], excess: tuple[int | None, int], actor: str
) -> Entry:
    """Tell of pieces beyond what was ordered: a waybill that was corrected, or more that was packed."""
    parcel_id, pieces = excess
    told = next(one for one in item.parcels if ids[book.shop_id, one.carrier, one.tracking_no] == parcel_id)
    data = {"carrier": told.carrier, "tracking_no": told.tracking_no, "too_many": pieces}
    return Entry(book.shop_id, book.order_id, item.at, "warehouse_problem", item.source, actor, data=data)


def _write_books(cursor: CursorWrapper, books: Iterable[OrderBook], actor: str) -> None:
    kept, moves, lines = [], [], []
    for book in books:
        for key in book.touched:
            parcel_id, line_no, sku = key
            kept.append(
                {"shop_id": book.shop_id, "order_id": book.order_id, "parcel_id": parcel_id, "line_no": line_no,
                 "sku": sku, "warehouse": book.houses.get(key, ""), "quantity": book.gone[key]}
            )  # fmt: skip
        moves += book.moves
        if book.moves:
            lines += [{"id": line.line_id, "reserved": line.reserved} for line in book.lines]
    _write_lines(cursor, kept, lines)
    for cause in ("shipped", "not shipped"):
        stock.move(cursor, [moved for why, moved in moves if why == cause], cause=cause, actor=actor)


def _write_lines(cursor: CursorWrapper, kept: list[dict[str, Any]], lines: list[dict[str, Any]]) -> None:
    if kept:
        cursor.execute(
            """
            INSERT INTO orderhub_parcelline (shop_id, order_id, parcel_id, line_no, sku, warehouse, quantity)
            SELECT shop_id, order_id, parcel_id, line_no, sku, warehouse, quantity FROM json_to_recordset(%s::json)
                AS r(shop_id bigint, order_id bigint, parcel_id bigint, line_no text, sku text, warehouse text,
                     quantity int)
            ON CONFLICT (order_id, parcel_id, line_no, sku, shop_id) DO UPDATE SET quantity = excluded.quantity
            """,
            [records(kept)],
        )
    if lines:
        cursor.execute(
            """
            UPDATE orderhub_orderline l SET reserved = r.reserved
            FROM json_to_recordset(%s::json) AS r(id bigint, reserved int)
            WHERE l.id = r.id AND l.reserved <> r.reserved
            """,
            [records(lines)],
        )
