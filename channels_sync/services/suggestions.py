"""Own SKUs that unmatched channel items may be: by code, by what the same item is elsewhere, by title."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from channels_sync import likeness
from channels_sync.bundles import Part, formula
from channels_sync.models import Listing, ListingPart, ListingState
from channels_sync.models.listing import MAX_PIECES
from channels_sync.selectors.listings import unknown_skus
from channels_sync.services.mapping import write_parts
from orderhub.models import Sku
from orderhub.services.bulk import records

log = structlog.get_logger(__name__)

_A_DAY = timedelta(days=1)
MOST = 3
"""Suggestions kept for one item."""
MOST_SKUS = 50_000
"""Titles that are compared; codes are looked up whatever their number."""
SAME_CODE, FORMULA, LIKE_CODE, SAME_TITLE, CODE_WITHIN, TITLE = (
    "same_code", "formula", "like_code", "same_title", "code_within", "title",
)  # fmt: skip
SCORES = {SAME_CODE: 98, FORMULA: 97, LIKE_CODE: 95, SAME_TITLE: 85, CODE_WITHIN: 80}
"""How sure each reason is, of 100; a likeness of titles counts as far as it goes, but never more than a code."""
BEST_TITLE = 79
LEAST_TITLE = 35

Shape = tuple[tuple[str, int], ...]


@dataclass(slots=True)
class _Known:
    """What items are compared with."""

    codes: dict[str, str]
    """Own SKUs by their code in the form of `likeness.plain`; one that two SKUs share is left out."""
    exact: set[str]
    titles: likeness.TitleIndex
    by_code: Mapping[str, Shape] = field(default_factory=dict)
    by_title: Mapping[tuple[str, str], Shape] = field(default_factory=dict)


def suggest(limit: int = 500) -> int:
    """Work out suggestions for unmatched items that have none yet or old ones, and return for how many. Set-wise."""
    stale = Q(suggested_at__isnull=True) | Q(suggested_at__lt=Now() - _A_DAY)
    items = list(Listing.objects.filter(stale, state=ListingState.UNMATCHED).order_by("-last_seen_at", "-pk")[:limit])
    if not items:
        return 0
    known = _known(items)
    rows = [{"id": item.pk, "found": _told(_candidates(item, known))} for item in items]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE channels_sync_listing l SET suggestions = r.found, suggested_at = now()
            FROM json_to_recordset(%s::json) AS r(id bigint, found jsonb)
            WHERE l.id = r.id AND l.state = 'unmatched'
            """,
            [records(rows)],
        )
        return int(cursor.rowcount)


@transaction.atomic
def accept(*, listing_ids: Sequence[int], actor: str, expected: str = "") -> dict[int, str]:
    """Match unmatched items by their best suggestion, or by the `expected` one (`text_of`), all in a few statements.

    Returns the items that could not be, each with the reason in words.
    """
    items = Listing.objects.select_for_update().filter(pk__in=listing_ids).order_by("pk").in_bulk()
    problems = {pk: _("The channel item is gone.") for pk in listing_ids if pk not in items}
    chosen: dict[int, Sequence[Part]] = {}
    for pk, item in items.items():
        found = _chosen(item, expected)
        if isinstance(found, str):
            problems[pk] = found
        else:
            chosen[pk] = found
    gone = set(unknown_skus(part.sku for parts in chosen.values() for part in parts))
    for pk in [pk for pk, parts in chosen.items() if gone & {part.sku for part in parts}]:
        problems[pk] = _("The suggested SKU is gone.")
        del chosen[pk]
    if chosen:
        write_parts(chosen)
        log.info("suggestions accepted", items=len(chosen), actor=actor)
    return problems


def text_of(suggestion: Mapping[str, Any]) -> str:
    """Return the parts of a suggestion as merchants write them: `A*2+B`."""
    return formula(suggestion["parts"])


def _chosen(item: Listing, expected: str) -> Sequence[Part] | str:
    if item.state != ListingState.UNMATCHED:
        return _("It is matched or ignored by now.")
    for suggestion in item.suggestions:
        if not expected or text_of(suggestion) == expected:
            return [Part(sku, quantity) for sku, quantity in suggestion["parts"]]
    return _("The suggestions have changed; look again.") if expected else _("There is no suggestion.")


def _candidates(item: Listing, known: _Known) -> Iterator[tuple[int, str, Shape]]:
    code = item.outer_id
    if code in known.by_code:
        yield SCORES[SAME_CODE], SAME_CODE, known.by_code[code]
    for own in (code, item.sku_id, item.item_id):
        if own and (sku := known.codes.get(likeness.plain(own))):
            yield SCORES[LIKE_CODE], LIKE_CODE, ((sku, 1),)
    parts = tuple((_sku(piece, known), min(count, MAX_PIECES)) for piece, count in likeness.formula(code))
    if parts and all(sku for sku, _count in parts) and len({sku for sku, _count in parts}) == len(parts):
        yield SCORES[FORMULA], FORMULA, parts
    if item.title and (item.title, item.spec) in known.by_title:
        yield SCORES[SAME_TITLE], SAME_TITLE, known.by_title[item.title, item.spec]
    inside = next((sku for piece in likeness.within(code) if (sku := known.codes.get(piece))), None)
    if inside:
        yield SCORES[CODE_WITHIN], CODE_WITHIN, ((inside, 1),)
    for sku, likely in known.titles.like(f"{item.title} {item.spec}", MOST):
        score = min(round(100 * likely), BEST_TITLE)
        if score >= LEAST_TITLE:
            yield score, TITLE, ((sku, 1),)


def _sku(code: str, known: _Known) -> str:
    return code if code in known.exact else known.codes.get(likeness.plain(code), "")


def _told(candidates: Iterable[tuple[int, str, Shape]]) -> list[dict[str, Any]]:
    """Return the best candidates, each set of parts once with its best reason."""
    best: dict[Shape, tuple[int, str]] = {}
    for score, reason, shape in candidates:
        if shape not in best or best[shape][0] < score:
            best[shape] = (score, reason)
    ranked = sorted(best.items(), key=lambda entry: (-entry[1][0], entry[0]))[:MOST]
    return [{"parts": [list(part) for part in shape], "score": score, "reason": why} for shape, (score, why) in ranked]


def _known(items: Sequence[Listing]) -> _Known:
    rows = list(Sku.objects.values_list("code", "title"))
    codes: dict[str, list[str]] = defaultdict(list)
    for code, _title in rows:
        codes[likeness.plain(code)].append(code)
    return _Known(
        codes={key: found[0] for key, found in codes.items() if key and len(found) == 1},
        exact={code for code, _title in rows},
        titles=likeness.TitleIndex({code: title for code, title in rows[:MOST_SKUS] if title}),
        **_elsewhere(items),
    )


def _elsewhere(items: Sequence[Listing]) -> dict[str, Any]:
    """Return the parts of matched items, of any shop, with the codes or titles of these. One query.

    What is told in two ways is no suggestion.
    """
    codes = {item.outer_id for item in items if item.outer_id}
    titles = {item.title for item in items if item.title}
    parts = ListingPart.objects.filter(
        Q(listing__outer_id__in=codes) | Q(listing__title__in=titles), listing__state=ListingState.MATCHED
    ).order_by("id")
    shapes: dict[tuple[int, str, str, str], list[tuple[str, int]]] = defaultdict(list)
    for pk, code, title, spec, sku, quantity in parts.values_list(
        "listing_id", "listing__outer_id", "listing__title", "listing__spec", "sku", "quantity"
    )[:20_000]:
        shapes[pk, code, title, spec].append((sku, quantity))
    by_code: dict[str, set[Shape]] = defaultdict(set)
    by_title: dict[tuple[str, str], set[Shape]] = defaultdict(set)
    for (_pk, code, title, spec), found in shapes.items():
        by_code[code].add(tuple(found))
        by_title[title, spec].add(tuple(found))
    return {"by_code": _only(by_code), "by_title": _only(by_title)}


def _only(found: Mapping[Any, set[Shape]]) -> dict[Any, Shape]:
    return {key: next(iter(shapes)) for key, shapes in found.items() if len(shapes) == 1}
