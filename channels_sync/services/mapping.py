"""What people say of channel items: of which own SKUs they are made, or that they need none.

Every change lets the open orders follow (`services/remap.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import structlog
from django.db import connection, transaction
from django.db.models import Case, When
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from channels_sync.bundles import Part
from channels_sync.models import Listing, ListingPart, ListingState
from channels_sync.models.listing import MAX_PIECES
from channels_sync.selectors.listings import unknown_skus
from orderhub.core.errors import FieldError, HubError
from orderhub.models import Sku

log = structlog.get_logger(__name__)

MOST_PARTS = 50
REMAP_FOR = timedelta(minutes=5)
"""A delivery that was read before a change is taken in within this time; until then open orders are looked at."""


def check_parts(parts: Sequence[Part]) -> None:
    """Raise FieldError for parts that cannot be: none, one twice, a SKU that nobody knows, an absurd number."""
    if not parts:
        raise FieldError("parts", _("at least one SKU"))
    if len(parts) > MOST_PARTS:
        raise FieldError("parts", _("at most %(count)s SKUs") % {"count": MOST_PARTS})
    codes = [part.sku for part in parts]
    twice = next((code for place, code in enumerate(codes) if code in codes[:place]), None)
    if twice is not None:
        raise FieldError("parts", _("%(sku)s appears twice") % {"sku": twice})
    for part in parts:
        if not 1 <= part.quantity <= MAX_PIECES:
            raise FieldError("parts", _("%(sku)s: 1 to %(most)s pieces") % {"sku": part.sku, "most": MAX_PIECES})
    unknown = unknown_skus(codes)
    if unknown:
        raise FieldError("parts", _("there is no SKU %(sku)s") % {"sku": _(", ").join(unknown[:5])})


@transaction.atomic
def set_parts(*, listing_id: int, parts: Sequence[Part], actor: str) -> bool:
    """Say of which own SKUs an item is made; false when that was known already.

    Raises FieldError (`check_parts`), and HubError for an item that is gone.
    """
    check_parts(parts)
    listing = Listing.objects.select_for_update().filter(pk=listing_id).first()
    if listing is None:
        raise HubError(_("The channel item is gone."))
    if says_the_same(listing, parts):
        return False
    items = write_parts({listing.pk: parts})
    log.info("channel item mapped", listing=listing.pk, actor=actor, parts=len(parts), items=items)
    return True


def says_the_same(listing: Listing, parts: Sequence[Part]) -> bool:
    """Tell whether an item is made of just these parts; a part without a value says nothing about it."""
    old = list(listing.parts.all())
    if listing.state != ListingState.MATCHED or _shape(old) != [(part.sku, part.quantity) for part in parts]:
        return False
    return all(new.value_fen in (None, was.value_fen) for was, new in zip(old, parts, strict=True))


def write_parts(parts_of: Mapping[int, Sequence[Part]]) -> int:
    """Replace the parts of items that the caller holds locked, let open orders follow, and return how many items
    changed. A few statements, however many items.

    With a listing without ids go the items of its shop with that code of which nobody said otherwise.
    """
    changing = {**_followers(parts_of), **parts_of}
    listing_ids = sorted(changing)
    wanted = {part.sku for parts in changing.values() for part in parts}
    prices = dict(Sku.objects.filter(code__in=wanted).values_list("code", "list_price_fen"))
    ListingPart.objects.filter(listing_id__in=listing_ids).delete()
    ListingPart.objects.bulk_create(
        ListingPart(
            listing_id=pk, sku=part.sku, quantity=part.quantity,
            value_fen=prices.get(part.sku) if part.value_fen is None else part.value_fen,
        )
        for pk in listing_ids
        for part in changing[pk]
    )  # fmt: skip
    # Of an item that was put aside the stock may have been changed on the platform meanwhile.
    shown = Case(When(state=ListingState.MATCHED, then="shown"))
    return Listing.objects.filter(pk__in=listing_ids).update(
        state=ListingState.MATCHED, mapped_at=Now(), remap_until=Now() + REMAP_FOR, suggestions=[], shown=shown
    )


@transaction.atomic
def ignore(*, listing_ids: Sequence[int], actor: str) -> int:
    """Say that items need no own SKU (a gift card, a service); returns how many that is news of."""
    return leave(listing_ids, ListingState.IGNORED, actor)


@transaction.atomic
def reopen(*, listing_ids: Sequence[int], actor: str) -> int:
    """Put items back among the unmatched ones, without parts; returns how many that is news of."""
    return leave(listing_ids, ListingState.UNMATCHED, actor)


def leave(listing_ids: Sequence[int], state: ListingState, actor: str) -> int:
    """Put items into a state without parts and return how many were in another; open orders follow."""
    rows = Listing.objects.select_for_update().filter(pk__in=listing_ids).exclude(state=state).order_by("pk")
    changed = list(rows.values_list("pk", flat=True))
    ListingPart.objects.filter(listing_id__in=changed).delete()
    Listing.objects.filter(pk__in=changed).update(
        state=state, mapped_at=Now(), remap_until=Now() + REMAP_FOR, suggested_at=None
    )
    log.info("channel items left without parts", items=len(changed), state=state.value, actor=actor)
    return len(changed)


def match_known(limit: int = 5000) -> int:
    """Match unmatched items whose code is an own SKU by now, or stands for parts; returns how many.

    The lines of such an item hold that code already; its open orders follow because they may be held for it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH known AS (
                SELECT l.id, s.code FROM channels_sync_listing l
                JOIN orderhub_sku s ON s.code = coalesce(nullif(l.outer_id, ''), nullif(l.sku_id, ''), l.item_id)
                WHERE l.state = 'unmatched' AND l.mapped_at IS NULL
                ORDER BY l.id LIMIT %s FOR NO KEY UPDATE OF l SKIP LOCKED),
            matched AS (
                UPDATE channels_sync_listing l SET state = 'matched', suggestions = '[]',
                    remap_until = now() + make_interval(secs => %s)
                FROM known WHERE l.id = known.id AND l.state = 'unmatched' RETURNING l.id, known.code)
            INSERT INTO channels_sync_listingpart (listing_id, sku, quantity) SELECT id, code, 1 FROM matched
            ON CONFLICT DO NOTHING
            """,
            [limit, REMAP_FOR.total_seconds()],
        )
        return int(cursor.rowcount)


def _followers(parts_of: Mapping[int, Sequence[Part]]) -> dict[int, Sequence[Part]]:
    sources = {
        (source.shop_id, source.outer_id): source
        for source in Listing.objects.filter(pk__in=parts_of, item_id="", sku_id="").prefetch_related("parts")
    }
    if not sources:
        return {}
    others = (
        Listing.objects.select_for_update()
        .filter(shop_id__in={shop for shop, _code in sources}, outer_id__in={code for _shop, code in sources})
        .exclude(item_id="", sku_id="")
        .exclude(state=ListingState.IGNORED)
        .order_by("pk")
        .prefetch_related("parts")
    )
    found = {}
    for other in others:
        source = sources.get((other.shop_id, other.outer_id))
        undecided = ([], [(other.outer_id, 1)], _shape(source.parts.all())) if source else ()
        if source and _shape(other.parts.all()) in undecided:
            found[other.pk] = parts_of[source.pk]
    return found


def _shape(parts: Iterable[ListingPart]) -> list[tuple[str, int]]:
    return [(part.sku, part.quantity) for part in parts]
