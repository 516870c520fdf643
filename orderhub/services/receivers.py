"""Receivers as rows: sealed, masked, indexed by keyed values."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from orderhub.core.contacts import (
    canonical_phone,
    contact_kind,
    mask_detail,
    mask_name,
    mask_phone,
    phone_tail,
)
from orderhub.core.crypto import NONCE_BYTES, UnreadableError, blind, gram, keyring
from orderhub.core.draft import OrderDraft, ReceiverDraft
from orderhub.core.words import ContactKind
from orderhub.models import Receiver

COLUMNS = (
    "order_id", "shop_id", "kind", "name_masked", "phone_masked", "detail_masked", "country", "province", "city",
    "district", "town", "oaid", "sealed", "phone_index", "tail_index", "name_grams",
)  # fmt: skip

SHOWN = COLUMNS[COLUMNS.index("kind") : COLUMNS.index("sealed")]
"""Columns that may be shown, as `shown_part` returns them."""

_JUDGED = {ContactKind.PLAIN, ContactKind.VIRTUAL}
_HIDDEN = {ContactKind.MASKED, ContactKind.CIPHER}
_REGION = ("country", "province", "city", "district", "town")


def kind_of(receiver: ReceiverDraft) -> str:
    """Return the contact kind: what the source says, else what the values look like."""
    if receiver.kind:
        return receiver.kind
    if receiver.oaid and ("*" in receiver.phone or not receiver.phone):
        return ContactKind.MASKED.value
    return contact_kind(receiver.phone).value


def clear_part(draft: OrderDraft) -> bytes:
    """Return the personal data of an order as the JSON that is sealed."""
    receiver = draft.receiver
    return orjson.dumps(
        {"name": receiver.name, "phone": receiver.phone, "detail": receiver.detail, "postcode": receiver.postcode,
         "ip": draft.buyer.ip}
    )  # fmt: skip


def receiver_rows(orders: Sequence[tuple[int, int, OrderDraft]]) -> Iterator[tuple[Any, ...]]:
    """Yield one row in COLUMNS for each (order id, shop id, draft)."""
    ring = keyring()
    nonces = os.urandom(NONCE_BYTES * len(orders))
    for place, (order_id, shop_id, draft) in enumerate(orders):
        receiver = draft.receiver
        nonce = nonces[place * NONCE_BYTES : (place + 1) * NONCE_BYTES]
        phone = canonical_phone(receiver.phone)
        kind = kind_of(receiver)
        yield (
            order_id,
            shop_id,
            *_shown(receiver, kind, phone),
            ring.seal(clear_part(draft), b"receiver", nonce),
            *_indexes(receiver, kind, phone),
        )


def shown_part(receiver: ReceiverDraft) -> tuple[str, ...]:
    """Return the columns SHOWN: kind, masked name, phone and detail, region, platform token."""
    return _shown(receiver, kind_of(receiver), canonical_phone(receiver.phone))


def has_moved(old: Receiver, new: ReceiverDraft, *, lasting_tokens: bool) -> bool:
    """Tell whether `new` is another person or place than `old`, not the same one in other words.

    A platform that hides contacts shows one receiver now masked, now not at all or with another number: only what can
    be held against each other counts. Where its tokens last, another token is another receiver.
    """
    if any(getattr(old, name) != getattr(new, name) for name in _REGION):
        return True
    if lasting_tokens and old.oaid and new.oaid and old.oaid != new.oaid:
        return True
    try:
        clear = old.open()
    except UnreadableError:
        return True
    kinds = {old.kind, kind_of(new)}
    pairs = [(clear.get("name", ""), new.name), (clear.get("detail", ""), new.detail)]
    if ContactKind.VIRTUAL not in kinds:
        pairs.append((canonical_phone(clear.get("phone", "")), canonical_phone(new.phone)))
    if not kinds.isdisjoint(_HIDDEN):
        pairs = [(was, now) for was, now in pairs if was and now and ("*" in was) == ("*" in now)]
    return any(was != now for was, now in pairs)


def _shown(receiver: ReceiverDraft, kind: str, phone: str) -> tuple[str, ...]:
    return (
        kind, mask_name(receiver.name), mask_phone(phone), mask_detail(receiver.detail), receiver.country,
        receiver.province, receiver.city, receiver.district, receiver.town, receiver.oaid,
    )  # fmt: skip


def _indexes(receiver: ReceiverDraft, kind: str, phone: str) -> tuple[int | None, int | None, str | None]:
    """Return the blind indexes of phone and phone tail and the name's pairs as array text."""
    tail = phone_tail(phone)
    readable = kind in _JUDGED and len(phone) >= 7 and "*" not in phone
    return (
        blind(b"phone", phone) if readable else None,
        blind(b"tail", tail) if tail else None,
        _gram_array(receiver.name),
    )


def _gram_array(name: str) -> str | None:
    if not name or "*" in name:
        return None
    name = name[:40]
    singles = [gram(character) for character in name]
    pairs = [gram(name[i : i + 2]) for i in range(len(name) - 1)]
    return "{" + ",".join(dict.fromkeys(singles + pairs)) + "}"
