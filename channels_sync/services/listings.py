"""Own SKUs for what channels tell: the step of the pipeline between reading and taking in.

One look-up a delivery finds the items by the channel's ids, or by their codes where there are none; what nobody knows
is noted as a listing, so that people can say what it is. Its line keeps the channel's code, for which no stock is
reserved, and a mark by which triage holds the order: no warehouse knows that code.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from msgspec.structs import replace

from channels_sync.bundles import Part, components, merchant_code, noted
from channels_sync.readers import ReadRow
from channels_sync.selectors.listings import NEWER, OPEN_ORDER
from orderhub.core.draft import LineDraft, OrderDraft
from orderhub.core.told import IGNORED, TOLD, UNMATCHED, notes_of
from orderhub.models import Shop
from orderhub.services.bulk import listed, records

Key = tuple[str, str, str]
"""Item id, SKU id and code of a line."""
Parts = tuple[Part, ...]
Sight = tuple[LineDraft, datetime]
"""A line with an item, and when its order was placed."""
PUT_ASIDE: Parts = (Part("", 0),)
"""In the place of the parts of an item that needs no own SKU: there is nothing to send of it."""
NOTED_EVERY = timedelta(hours=1)


@dataclass(slots=True)
class Plan:
    """What is known of one item: its parts where it is matched, and since when they differ from its code.

    `is_noted` tells that it is among the listings, `is_ignored` that it needs no own SKU, `is_unmatched` that nobody
    knows its own SKU. While the hub knows no SKU at all nothing is unmatched: there is nothing to match with, and an
    order must not wait for that.
    `superseded_at` is when the same channel item was last seen under a newer merchant code.
    """

    parts: Parts
    mapped_at: datetime | None
    last_seen_at: datetime | None
    is_noted: bool
    is_ignored: bool
    is_unmatched: bool
    superseded_at: datetime | None

    def is_news(self, seen_at: datetime) -> bool:
        """Tell whether that an order of then has the item is worth noting: once an hour, but at once where the code
        has changed. News of an older order says nothing of the code that the item has now."""
        if self.last_seen_at is None:
            return False
        if self.superseded_at is not None:
            return seen_at > self.superseded_at
        return seen_at - self.last_seen_at > NOTED_EVERY


def map_drafts(cursor: CursorWrapper | None, shop: Shop, rows: Sequence[ReadRow]) -> Sequence[ReadRow]:
    """Put own SKUs into the drafts of a delivery and return the rows; `told` keeps what the channel said.

    Bundles become lines of their parts. One query, one more where something was never seen before. An order that has
    gone to the warehouse keeps the parts that it left with. Safe to repeat: rows are mapped from what was told.
    """
    lines, is_plain = _lines_by_key(rows)
    if not lines and is_plain:
        return rows
    if cursor is not None:
        _map(cursor, shop, rows, lines, is_plain=is_plain)
        return rows
    with connection.cursor() as own:
        _map(own, shop, rows, lines, is_plain=is_plain)
    return rows


def _map(
    cursor: CursorWrapper, shop: Shop, rows: Sequence[ReadRow], lines: Mapping[Key, Sight], *, is_plain: bool
) -> None:
    plans = plans_of(cursor, shop.pk, lines)
    unseen = {key: line for key, line in lines.items() if _is_unseen(key, plans.get(key))}
    if unseen:
        note(cursor, shop.pk, unseen)
        plans |= plans_of(cursor, shop.pk, unseen)
    news = {key: lines[key] for key, plan in plans.items() if plan.is_news(lines[key][1])}
    if news:
        _touch(cursor, shop.pk, news)
    changing = {
        key: PUT_ASIDE if plan.is_ignored else plan.parts
        for key, plan in plans.items()
        if plan.is_unmatched or plan.is_ignored or (plan.parts and not is_itself(key, plan.parts))
    }
    if is_plain and not changing:
        return
    settled = _settled(cursor, shop.pk, rows, plans)
    for row in rows:
        told = row.told or row.draft
        if told is not None:
            row.told, row.draft = told, mapped(told, changing, settled.get(told.external_no, {}))


def _is_unseen(key: Key, plan: Plan | None) -> bool:
    """Most codes without ids are own SKUs, of which no plan is made."""
    return not plan.is_noted if plan is not None else bool(key[0] or key[1])


def mapped(told: OrderDraft, changing: Mapping[Key, Parts], settled: Mapping[str, Parts]) -> OrderDraft:
    """Return a draft with the lines that `changing` makes of it: no parts where an item is unmatched, `PUT_ASIDE` where
    it is ignored; `settled` goes before, by line number."""
    if not settled and not (
        changing and any((line.item_id, line.sku_id, line.sku) in changing for line in told.lines)
    ):  # fmt: skip
        # Nearly all orders of a channel.
        plain = [
            {"line_no": line.line_no, "item_id": line.item_id, "sku_id": line.sku_id}
            for line in told.lines
            if line.item_id or line.sku_id
        ]
        return _with_notes(told, plain)
    lines: list[LineDraft] = []
    notes: list[dict[str, Any]] = []
    taken = {line.line_no for line in told.lines}
    for line in told.lines:
        key = (line.item_id, line.sku_id, line.sku)
        parts = settled.get(line.line_no) or changing.get(key)
        mark = UNMATCHED if parts == () else IGNORED if parts == PUT_ASIDE else ""
        found = components(line, parts, taken) if parts and not mark and not is_itself(key, parts) else [line]
        if found[0] is not line or mark or line.item_id or line.sku_id:
            notes.append(noted(line, found, mark=mark))
        if len(found) > 1:
            taken.update(each.line_no for each in found)
        lines += found
    return _with_notes(replace(told, lines=tuple(lines)), notes)


def _with_notes(draft: OrderDraft, notes: list[dict[str, Any]]) -> OrderDraft:
    """What a source itself wrote in the place of the notes is not believed."""
    if notes:
        return replace(draft, raw={**draft.raw, TOLD: notes})
    if TOLD not in draft.raw:
        return draft
    return replace(draft, raw={name: value for name, value in draft.raw.items() if name != TOLD})


def plans_of(cursor: CursorWrapper, shop_id: int, keys: Iterable[Key]) -> dict[Key, Plan]:
    """Return what is known of the items under `keys`. One query, two where codes without ids are among them."""
    wanted: dict[Key, list[Key]] = {}
    for item, sku, code in keys:
        wanted.setdefault((item, sku, merchant_code(item, sku, code)), []).append((item, sku, code))
    codes = [outer for item, sku, outer in wanted if not item and not sku]
    named = [key for key in wanted if key[0] or key[1]]
    found: list[tuple[Any, ...]] = []
    if named:
        cursor.execute(_BY_ID, [records([dict(zip(_NAMES, key, strict=True)) for key in named]), shop_id])
        found += cursor.fetchall()
    if codes:
        cursor.execute(_BY_CODE, [listed(codes), shop_id])
        found += cursor.fetchall()
    plans: dict[Key, Plan] = {}
    for item, sku, outer, *known, part, quantity, value, title in found:
        plan = plans.setdefault((item, sku, outer), Plan((), *known))
        if part is not None:
            plan.parts = (*plan.parts, Part(part, quantity, value, title or ""))
    return {key: plan for known, plan in plans.items() for key in wanted[known]}


_NAMES = ("item_id", "sku_id", "outer_id")
# An item whose code is an own SKU is matched within a minute, unless somebody said that it is not that one.
_COLUMNS = """
    SELECT k.item_id, k.sku_id, k.outer_id, l.mapped_at, l.last_seen_at, l.id IS NOT NULL,
           coalesce(l.state, '') = 'ignored',
           coalesce(l.state, 'unmatched') = 'unmatched' AND EXISTS (SELECT FROM orderhub_sku)
               AND (l.mapped_at IS NOT NULL OR NOT EXISTS (SELECT FROM orderhub_sku own
                   WHERE own.code = coalesce(nullif(k.outer_id, ''), nullif(k.sku_id, ''), k.item_id)))
"""
_PART = "p.sku, p.quantity, p.value_fen, s.title"
_PARTS = """
    LEFT JOIN channels_sync_listingpart p ON p.listing_id = l.id AND l.state = 'matched'
    LEFT JOIN orderhub_sku s ON s.code = p.sku
"""
_BY_ID = f"""{_COLUMNS}, (SELECT max(n.last_seen_at) FROM {NEWER}), {_PART}
    FROM json_to_recordset(%s::json) AS k(item_id text, sku_id text, outer_id text)
    JOIN channels_sync_listing l
      ON l.shop_id = %s AND l.item_id = k.item_id AND l.sku_id = k.sku_id AND l.outer_id = k.outer_id
    {_PARTS} ORDER BY p.id"""  # noqa: S608  (constant texts)
# Most shops have no listing by code alone: asking for all of those first costs less than looking every code up. A code
# that is an own SKU needs none; one that nobody knows is told as what it would be.
_BY_CODE = f"""{_COLUMNS}, NULL, {_PART}
    FROM (SELECT '' AS item_id, '' AS sku_id, code AS outer_id FROM json_array_elements_text(%s::json) AS code) k
    LEFT JOIN (
        SELECT * FROM channels_sync_listing WHERE shop_id = %s AND item_id = '' AND sku_id = '' OFFSET 0) l
      ON l.outer_id = k.outer_id
    {_PARTS}
    WHERE l.id IS NOT NULL OR (EXISTS (SELECT FROM orderhub_sku)
        AND NOT EXISTS (SELECT FROM orderhub_sku own WHERE own.code = k.outer_id))
    ORDER BY p.id"""  # noqa: S608  (constant texts)


def note(cursor: CursorWrapper, shop_id: int, lines: Mapping[Key, Sight]) -> None:
    """Keep items that were never seen, in one statement; another worker's rows stay as they are.

    One whose code is an own SKU, or stands for parts in this shop, is matched from the start.
    """
    rows = [
        {"item_id": item, "sku_id": sku, "outer_id": merchant_code(item, sku, code), "code": code,
         "title": line.title, "spec": line.spec, "seen_at": seen_at}
        for (item, sku, code), (line, seen_at) in sorted(lines.items(), key=lambda entry: entry[0])
    ]  # fmt: skip
    cursor.execute(
        """
        WITH given AS MATERIALIZED (
            SELECT * FROM json_to_recordset(%(rows)s::json) AS r(
                item_id text, sku_id text, outer_id text, code text, title text, spec text, seen_at timestamptz)),
        parts AS MATERIALIZED (
            SELECT g.item_id, g.sku_id, g.outer_id, p.sku, p.quantity, p.value_fen, p.id
            FROM given g
            JOIN channels_sync_listing l ON l.shop_id = %(shop)s AND l.item_id = '' AND l.sku_id = ''
                AND l.outer_id = g.code AND l.state = 'matched'
            JOIN channels_sync_listingpart p ON p.listing_id = l.id
            UNION ALL
            SELECT g.item_id, g.sku_id, g.outer_id, s.code, 1, NULL, 0
            FROM given g JOIN orderhub_sku s ON s.code = g.code
            WHERE NOT EXISTS (
                SELECT FROM channels_sync_listing l WHERE l.shop_id = %(shop)s AND l.item_id = '' AND l.sku_id = ''
                    AND l.outer_id = g.code AND l.state = 'matched')),
        made AS (
            INSERT INTO channels_sync_listing (shop_id, item_id, sku_id, outer_id, title, spec, last_seen_at, state,
                suggestions, stock_error)
            SELECT %(shop)s, item_id, sku_id, outer_id, title, spec, seen_at,
                CASE WHEN EXISTS (SELECT FROM parts p WHERE (p.item_id, p.sku_id, p.outer_id)
                    = (g.item_id, g.sku_id, g.outer_id)) THEN 'matched' ELSE 'unmatched' END, '[]', ''
            FROM given g ORDER BY item_id, sku_id, outer_id
            ON CONFLICT (shop_id, item_id, sku_id, outer_id) DO NOTHING
            RETURNING id, item_id, sku_id, outer_id)
        INSERT INTO channels_sync_listingpart (listing_id, sku, quantity, value_fen)
        SELECT made.id, p.sku, p.quantity, p.value_fen FROM made JOIN parts p USING (item_id, sku_id, outer_id)
        ORDER BY p.id
        """,
        {"rows": records(rows), "shop": shop_id},
    )


def _touch(cursor: CursorWrapper, shop_id: int, lines: Mapping[Key, Sight]) -> None:
    """Note that items were seen again, with the names that they have now.

    Where the channel had another merchant code meanwhile, it was told the stock of that one: forget what it shows.
    """
    rows = {
        (item, sku, merchant_code(item, sku, code)): {"title": line.title, "spec": line.spec, "seen_at": seen_at}
        for (item, sku, code), (line, seen_at) in sorted(lines.items(), key=lambda entry: entry[1][1])
    }
    cursor.execute(
        f"""
        WITH seen AS (
            SELECT l.id, r.title, r.spec, r.seen_at,
                (l.item_id <> '' OR l.sku_id <> '') AND EXISTS (SELECT FROM {NEWER}) AS was_superseded
            FROM json_to_recordset(%s::json) AS r(
                item_id text, sku_id text, outer_id text, title text, spec text, seen_at timestamptz)
            JOIN channels_sync_listing l USING (item_id, sku_id, outer_id)
            WHERE l.shop_id = %s FOR NO KEY UPDATE OF l SKIP LOCKED)
        UPDATE channels_sync_listing l SET last_seen_at = greatest(l.last_seen_at, seen.seen_at),
            title = coalesce(nullif(seen.title, ''), l.title), spec = coalesce(nullif(seen.spec, ''), l.spec),
            shown = CASE WHEN NOT was_superseded THEN l.shown END
        FROM seen WHERE l.id = seen.id
        """,  # noqa: S608  (a constant text)
        [records([dict(zip(_NAMES, key, strict=True)) | row for key, row in rows.items()]), shop_id],
    )


def _settled(
    cursor: CursorWrapper, shop_id: int, rows: Sequence[ReadRow], plans: Mapping[Key, Plan]
) -> dict[str, dict[str, Parts]]:
    """Return the parts, by order and line number, of orders that went to the warehouse before their items changed."""
    changed_at = {key: plan.mapped_at for key, plan in plans.items() if plan.mapped_at}
    numbers = [
        told.external_no for row in rows if (told := row.told or row.draft) and _is_older(told, changed_at)
    ] if changed_at else []  # fmt: skip
    if not numbers:
        return {}
    cursor.execute(
        f"""
        SELECT o.external_no, (o.extra -> '{TOLD}')::json, json_agg(json_build_array(
            l.line_no, l.sku, l.quantity, l.unit_price_fen, l.title) ORDER BY l.id)
        FROM orderhub_order o JOIN orderhub_orderline l ON l.order_id = o.id AND l.shop_id = o.shop_id
        WHERE o.shop_id = %s AND o.external_no = ANY(%s) AND NOT {OPEN_ORDER} GROUP BY o.id
        """,  # noqa: S608  (constant texts)
        [shop_id, numbers],
    )
    return {number: _parts_in_pool(notes, lines) for number, notes, lines in cursor.fetchall()}


def _parts_in_pool(notes: Any, lines: Sequence[Sequence[Any]]) -> dict[str, Parts]:
    by_number = {line[0]: line for line in lines}
    found: dict[str, Parts] = {number: (Part(line[1]),) for number, line in by_number.items()}
    for entry in notes_of({TOLD: notes}):
        if entry.get(IGNORED):
            found[entry["line_no"]] = PUT_ASIDE
        own = [by_number[number] for number in entry.get("as", ()) if number in by_number]
        if own and entry["as"] != [entry["line_no"]]:
            whole = max(int(entry.get("quantity", 1)), 1)
            found[entry["line_no"]] = tuple(
                Part(sku, max(quantity // whole, 1), price, title) for _no, sku, quantity, price, title in own
            )
    return found


def _is_older(draft: OrderDraft, changed_at: Mapping[Key, datetime]) -> bool:
    return any(
        moment > draft.created_at
        for line in draft.lines
        if (moment := changed_at.get((line.item_id, line.sku_id, line.sku)))
    )


def _lines_by_key(rows: Sequence[ReadRow]) -> tuple[dict[Key, Sight], bool]:
    """Return the line of the newest order with each item, and whether all of them are told by their codes alone."""
    lines: dict[Key, Sight] = {}
    is_plain, now = True, datetime.now(UTC)
    for row in rows:
        draft = row.told or row.draft
        if draft is None:
            continue
        if TOLD in draft.raw:
            is_plain = False
        placed_at = min(draft.created_at, now)
        for line in draft.lines:
            key = (line.item_id, line.sku_id, line.sku)
            known = lines.get(key)
            if known is None or known[1] < placed_at:
                lines[key] = (line, placed_at)
    lines.pop(("", "", ""), None)
    return lines, is_plain and not any(item or sku for item, sku, _code in lines)


def is_itself(key: Key, parts: Parts) -> bool:
    """Tell whether an item is just the SKU that its code says."""
    return len(parts) == 1 and parts[0].quantity == 1 and parts[0].sku == key[2]
