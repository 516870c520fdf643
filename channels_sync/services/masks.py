"""Masked texts for orders that came with cipher texts only: free of charge, fetched in batches after the intake.

A pull asks for them itself; what failed there, or came another way, is filled in here, so that the order page shows a
masked name and phone instead of nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from django.db import connection, transaction
from msgspec.structs import replace

from channels_sync.connectors.base import connectors
from channels_sync.connectors.exchange import Opened, Sealed
from channels_sync.services import health, tokens
from orderhub.core.draft import OrderDraft
from orderhub.core.errors import HubError
from orderhub.core.words import ContactKind
from orderhub.models import Order, Shop
from orderhub.selectors.drafts import drafts_of
from orderhub.services.receivers import COLUMNS, receiver_rows

log = structlog.get_logger(__name__)

BATCH = 100
"""Orders of one transaction."""
HOURS = 24
"""How far back unmasked orders are looked for."""
MOST_BATCHES = 10
"""Batches of one shop in one run: texts that a platform never gives must not keep it busy."""


def shops() -> list[int]:
    """Return the active shops whose platform masks cipher texts for nothing."""
    platforms = [key for key, connector in connectors.items() if connector.masks]
    return list(Shop.objects.filter(is_active=True, platform__in=platforms).order_by("pk").values_list("pk", flat=True))


def fill() -> int:
    """Fill in masked texts for every shop and return how many orders got some; a failing platform is asked again at the
    next run and does not keep the others."""
    filled = 0
    for shop in Shop.objects.filter(pk__in=shops()).select_related("sync"):
        sync = getattr(shop, "sync", None)
        if sync is not None and not health.is_open(sync, shop):
            continue
        try:
            filled += fill_shop(shop)
        except HubError as error:
            log.warning("no masked texts", shop=shop.code, error=str(error))
    return filled


def fill_shop(shop: Shop) -> int:
    """Fill in masked texts of one shop, newest orders first, batch by batch. Raises HubError."""
    filled, before = 0, 2**63 - 1
    for _batch in range(MOST_BATCHES):
        order_ids = _unmasked(shop.pk, before)
        if not order_ids:
            break
        before = order_ids[-1]
        filled += _fill(shop, order_ids)
    return filled


def _unmasked(shop_id: int, before: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT o.id FROM orderhub_order o JOIN orderhub_receiver r ON r.order_id = o.id
            WHERE o.shop_id = %s AND o.created_at > now() - make_interval(hours => %s) AND o.id < %s
                AND r.kind = 'cipher' AND o.extra -> 'sealed' IS NOT NULL
            ORDER BY o.id DESC LIMIT %s
            """,
            [shop_id, HOURS, before, BATCH],
        )
        return [row[0] for row in cursor.fetchall()]


def _fill(shop: Shop, order_ids: Sequence[int]) -> int:
    connector = connectors.get(shop.platform)
    rows = Order.objects.filter(pk__in=order_ids).values_list("external_no", "pk", "extra")
    ids = {number: pk for number, pk, _extra in rows}
    sealed = [value for number, _pk, extra in rows for value in connector.sealed_of(number, extra or {}, "")]
    opened = tokens.calling(shop, lambda access: connector.mask(access, sealed)) if sealed else []
    return _store(shop, {ids[number]: texts for number, texts in _by_order(opened).items()})


def _by_order(opened: Iterable[Opened]) -> dict[str, list[Opened]]:
    found: dict[str, list[Opened]] = {}
    for row in opened:
        if row.text:
            found.setdefault(row.sealed.external_no, []).append(row)
    return found


@transaction.atomic
def _store(shop: Shop, texts: Mapping[int, Sequence[Opened]]) -> int:
    """Write masked receivers; one that changed meanwhile is left alone, and so is one that holds other cipher texts by
    now: the order is locked, so that no new address comes in while the masks of the old one are written."""
    sealed_of = connectors.get(shop.platform).sealed_of
    with connection.cursor() as cursor:
        locked = Order.objects.filter(pk__in=list(texts), receiver__kind=ContactKind.CIPHER).order_by("external_no")
        orders = list(locked.select_for_update(no_key=True, of=("self",)).only("external_no", "extra"))
        same = [
            order.pk for order in orders if _is_of(texts[order.pk], sealed_of(order.external_no, order.extra or {}, ""))
        ]
        drafts = drafts_of(same)
        rows = list(receiver_rows([(pk, shop.pk, _masked(drafts[pk], texts[pk])) for pk in sorted(drafts)]))
        cursor.execute(_UPDATE, _columns(rows))
    return len(drafts)


def _is_of(texts: Sequence[Opened], sealed: Sequence[Sealed]) -> bool:
    return all(opened.sealed in sealed for opened in texts)


_UPDATE = """
    UPDATE orderhub_receiver r SET kind = n.kind, name_masked = n.name_masked, phone_masked = n.phone_masked,
        detail_masked = n.detail_masked, sealed = n.sealed, tail_index = n.tail_index
    FROM unnest(%(order_id)s::bigint[], %(kind)s::text[], %(name_masked)s::text[], %(phone_masked)s::text[],
        %(detail_masked)s::text[], %(sealed)s::bytea[], %(tail_index)s::bigint[])
        AS n(order_id, kind, name_masked, phone_masked, detail_masked, sealed, tail_index)
    WHERE r.order_id = n.order_id
"""


def _columns(rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(COLUMNS)}


def _masked(draft: OrderDraft, texts: Sequence[Opened]) -> OrderDraft:
    shown = {opened.sealed.part: opened.text for opened in texts}
    return replace(draft, receiver=replace(draft.receiver, **shown, kind=ContactKind.MASKED.value))
