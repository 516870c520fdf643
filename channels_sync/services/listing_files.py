"""Channel items and their SKUs from and to a file. An import may be repeated: what is known already stays."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection, transaction

from channels_sync.bundles import Part
from channels_sync.models import Listing, ListingState
from channels_sync.selectors.listings import unknown_skus
from channels_sync.services import mapping
from channels_sync.tables.listings import Item, Writer, read_items
from channels_sync.tables.sniff import FileFacts
from orderhub.core.errors import FieldError
from orderhub.models import Shop
from orderhub.services.bulk import records

BATCH = 500
Key = tuple[str, str, str]


@dataclass(slots=True)
class Refused:
    """One row that was not taken: where, which field, why."""

    row: int
    item: str
    field: str
    reason: str


@dataclass(slots=True)
class Imported:
    """What became of a file: items by outcome (`new`, `changed`, `unchanged`, `skipped`, `rejected`).

    `put_aside` names the listings that it says are to be ignored from now on.
    """

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)
    put_aside: list[int] = field(default_factory=list)


def import_items(
    *, shop: Shop, facts: FileFacts, actor: str, progress: Callable[[int], None] = lambda _done: None
) -> Imported:
    """Take the items of a file over for one shop, some hundred in a transaction; a bad row stops only its own item.

    An item without SKU is left as it is, unless it says `ignored`. Raises HubError where the file cannot be read.
    """
    result = Imported()
    items = read_items(facts)
    for start in range(0, len(items), BATCH):
        _take(shop, items[start : start + BATCH], actor, result)
        progress(min(start + BATCH, len(items)))
    return result


def export_items(*, path: Path, shop: Shop | None = None) -> int:
    """Write the items of a shop, or of all shops, and return how many. Raises HubError for an unknown ending."""
    count = 0
    with Writer(path) as writer:
        for shop_code, item in _items(shop):
            writer.add(shop_code, item)
            count += 1
    return count


def _items(shop: Shop | None) -> Iterator[tuple[str, Item]]:
    rows = Listing.objects.select_related("shop").prefetch_related("parts").order_by("shop__code", "pk")
    for row in (rows if shop is None else rows.filter(shop=shop)).iterator(chunk_size=1000):
        parts = [Part(part.sku, part.quantity, part.value_fen) for part in row.parts.all()]
        yield (
            row.shop.code,
            Item(row.pk, row.item_id, row.sku_id, row.outer_id, row.title, row.spec, row.state, parts),
        )


@transaction.atomic
def _take(shop: Shop, items: Sequence[Item], actor: str, result: Imported) -> None:
    unknown = set(unknown_skus(part.sku for item in items for part in item.parts))
    good: dict[Key, Item] = {}
    for item in items:
        problem = item.error or _problem(item, unknown)
        if problem:
            row, error = problem
            result.refused.append(Refused(row, item.outer_id or item.sku_id or item.item_id, error.path, error.reason))
            result.counts["rejected"] += 1
        elif not item.parts and item.state != ListingState.IGNORED:
            result.counts["skipped"] += 1
        else:
            good[item.key] = item
    if good:
        _write(shop, good, actor, result)


def _problem(item: Item, unknown: set[str]) -> tuple[int, FieldError] | None:
    missing = next((part.sku for part in item.parts if part.sku in unknown), None)
    if missing is not None:
        return item.part_rows[missing], FieldError("sku", f"there is no SKU {missing}")
    if item.state == ListingState.IGNORED and item.parts:
        return item.row, FieldError("state", "an ignored item has no SKU")
    if len(item.parts) > mapping.MOST_PARTS:
        return item.row, FieldError("sku", f"at most {mapping.MOST_PARTS} SKUs")
    return None


def _write(shop: Shop, items: Mapping[Key, Item], actor: str, result: Imported) -> None:
    made = _add_missing(shop.pk, items)
    known = {
        (row.item_id, row.sku_id, row.outer_id): row
        for row in Listing.objects.select_for_update(of=("self",))
        .filter(pk__in=_ids(shop.pk, items))
        .order_by("pk")
        .prefetch_related("parts")
    }
    changing = {
        known[key].pk: item.parts
        for key, item in items.items()
        if item.parts and not mapping.says_the_same(known[key], item.parts)
    }
    leaving = [
        known[key].pk
        for key, item in items.items()
        if not item.parts and known[key].state != ListingState.IGNORED
    ]  # fmt: skip
    if changing:
        mapping.write_parts(changing)
    if leaving:
        mapping.leave(leaving, ListingState.IGNORED, actor)
        result.put_aside += leaving
    touched = {*changing, *leaving}
    for key in items:
        pk = known[key].pk
        result.counts["new" if pk in made else "changed" if pk in touched else "unchanged"] += 1


_SHAPE = "r(item_id text, sku_id text, outer_id text, title text, spec text)"


def _add_missing(shop_id: int, items: Mapping[Key, Item]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO channels_sync_listing
                (shop_id, item_id, sku_id, outer_id, title, spec, state, suggestions, stock_error)
            SELECT %s, item_id, sku_id, outer_id, title, spec, 'unmatched', '[]', ''
            FROM json_to_recordset(%s::json) AS {_SHAPE} ORDER BY item_id, sku_id, outer_id
            ON CONFLICT (shop_id, item_id, sku_id, outer_id) DO NOTHING RETURNING id
            """,  # noqa: S608  (a constant shape)
            [shop_id, _keys(items)],
        )
        return {row[0] for row in cursor.fetchall()}


def _ids(shop_id: int, items: Mapping[Key, Item]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT l.id FROM json_to_recordset(%s::json) AS {_SHAPE}
            JOIN channels_sync_listing l USING (item_id, sku_id, outer_id) WHERE l.shop_id = %s
            """,  # noqa: S608  (a constant shape)
            [_keys(items), shop_id],
        )
        return [row[0] for row in cursor.fetchall()]


def _keys(items: Mapping[Key, Item]) -> str:
    names = ("item_id", "sku_id", "outer_id", "title", "spec")
    return records([{name: getattr(item, name) for name in names} for item in items.values()])
