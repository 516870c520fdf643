"""One order of the pool against what its platform says of it, field by field. No network, no writes.

The platform's side is the draft that the intake would make of it, own SKUs included, so that both sides speak the same
words. Values that are told are shortened, personal ones masked.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from channels_sync.connectors.base import Connector
from channels_sync.services.contents import untold
from orderhub.core.crypto import UnreadableError
from orderhub.core.draft import LineDraft, OrderDraft
from orderhub.core.money import show
from orderhub.models import Order, OrderLine
from orderhub.services.allocation import ON_ITS_WAY
from orderhub.services.pool import claim_of
from orderhub.services.receivers import SHOWN, shown_part

LONGEST = 200
SEALED = {"name": "name_masked", "phone": "phone_masked", "detail": "detail_masked"}
OTHER_VALUE = "≠"
"""Follows a masked value that looks the same on both sides and is not."""
AMOUNTS = ("total_fen", "discount_fen", "freight_fen", "paid_fen")
TEXTS = ("flag", "presale", "channel_hold", "buyer_remark", "seller_remark")
LINE_VALUES = ("sku", "quantity", "unit_price_fen", "paid_fen", "refund")
TRACKING = "tracking_numbers"
MEMO_FIELDS = frozenset({"flag", "seller_remark"})


@dataclass(slots=True, frozen=True)
class FieldDifference:
    """One field with its value on both sides, as text."""

    field: str
    pool: str
    platform: str


def differences(
    order: Order, draft: OrderDraft, tracking: frozenset[str], connector: Connector
) -> list[FieldDifference]:  # fmt: skip
    """Return every field in which the pool differs from what the platform says now; `tracking` are its parcels."""
    found = [*_head(order, draft), *_receiver(order, draft, connector), *_lines(order, draft)]
    if connector.ships:
        found += _parcels(order, draft, tracking, connector)
    return found


def shipped_elsewhere(order: Order, tracking: frozenset[str]) -> bool:
    """Whether the platform has parcels of an order that no warehouse of the hub packed."""
    return bool(tracking) and not order.parcels.all()


def _head(order: Order, draft: OrderDraft) -> Iterator[FieldDifference]:
    yield from _differ("status", order.channel_claim, claim_of(draft))
    yield from _differ("channel_status", order.channel_status, draft.channel_status or draft.status)
    for name in ("created_at", "paid_at"):
        yield from _differ(name, getattr(order, name), getattr(draft, name), local_text)
    if draft.ship_by is not None:
        yield from _differ("ship_by", order.ship_by, draft.ship_by, local_text)
    for name in AMOUNTS:
        yield from _differ(name, getattr(order, name), getattr(draft, name), show)
    for name in TEXTS:
        yield from _differ(name, getattr(order, name), getattr(draft, name))
    if draft.buyer.id:
        yield from _differ("buyer", order.buyer.external_id if order.buyer else "", draft.buyer.id)


def _receiver(order: Order, draft: OrderDraft, connector: Connector) -> Iterator[FieldDifference]:
    ours = getattr(order, "receiver", None)
    if ours is None:
        yield FieldDifference("receiver", "—", shown_part(draft.receiver)[1])
        return
    theirs = dict(zip(SHOWN, shown_part(draft.receiver), strict=True))
    if not connector.lasting_tokens and ours.oaid and theirs["oaid"]:
        theirs["oaid"] = ours.oaid
    try:
        clear: Mapping[str, Any] = ours.open()
    except UnreadableError:
        clear = {}
    # Masked by an earlier version of the hub, one text may look like another.
    same = {column for name, column in SEALED.items() if clear and clear.get(name, "") == getattr(draft.receiver, name)}
    for name in SHOWN:
        if name not in same:
            yield from _differ(f"receiver.{name.removesuffix('_masked')}", getattr(ours, name), theirs[name])
    if not clear:
        yield FieldDifference("receiver", "unreadable", "")
        return
    for name, column in SEALED.items():
        if column not in same and getattr(ours, column) == theirs[column]:
            yield FieldDifference(f"receiver.{name}", getattr(ours, column), f"{theirs[column]} {OTHER_VALUE}")


def _lines(order: Order, draft: OrderDraft) -> Iterator[FieldDifference]:
    ours: dict[str, OrderLine] = {line.line_no: line for line in order.lines.all()}
    theirs: dict[str, LineDraft] = {line.line_no: line for line in draft.lines}
    for number in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(number), theirs.get(number)
        if mine is None or other is None:
            yield FieldDifference(f"lines[{number}]", _line(mine), _line(other))
            continue
        for name in LINE_VALUES:
            as_text: Callable[[Any], str] = show if name.endswith("_fen") else str
            yield from _differ(f"lines[{number}].{name}", getattr(mine, name), getattr(other, name), as_text)


def _parcels(
    order: Order, draft: OrderDraft, tracking: frozenset[str], connector: Connector
) -> Iterator[FieldDifference]:  # fmt: skip
    """Parcels that left must be known to the channel; those that only the channel knows were packed elsewhere."""
    ours = {parcel.tracking_no for parcel in order.parcels.all()}
    left = {parcel.tracking_no for parcel in order.parcels.all() if parcel.handed_over_at is not None}
    if not connector.takes_parts and not tracking and draft.status == "paid":
        return
    if connector.takes_parts and left - tracking and (left & tracking or order.status not in ON_ITS_WAY):
        left -= untold(order)
    if connector.one_number_a_line:
        left -= _told_by_others(order, left - tracking)
    if left - tracking or (ours and tracking - ours):
        yield FieldDifference(TRACKING, ", ".join(sorted(left)), ", ".join(sorted(tracking)))


def _told_by_others(order: Order, untold: set[str]) -> set[str]:
    """Return the numbers of parcels whose lines all have pieces in a parcel that the channel knows."""
    numbers = {parcel.pk: parcel.tracking_no for parcel in order.parcels.all()}
    lines: dict[str, set[str]] = defaultdict(set)
    for piece in order.parcel_lines.all():
        lines[numbers.get(piece.parcel_id or 0, "")].add(piece.line_no)
    known = {line for number, found in lines.items() if number and number not in untold for line in found}
    return {number for number in untold if lines[number] and lines[number] <= known}


def _differ(
    field: str, pool: Any, platform: Any, as_text: Callable[[Any], str] = str
) -> Iterator[FieldDifference]:  # fmt: skip
    if pool != platform:
        yield FieldDifference(field, _short(pool, as_text), _short(platform, as_text))


def _short(value: Any, as_text: Callable[[Any], str]) -> str:
    text = "—" if value is None or value == "" else as_text(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def local_text(moment: datetime) -> str:
    """Return a moment as it is shown, in local time."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")


def _line(line: OrderLine | LineDraft | None) -> str:
    return f"{line.sku} x {line.quantity}" if line is not None else "—"
