"""One search box for every key by which people know an order.

The kind is judged by shape, and each kind is one branch of a UNION that its own index serves: an OR over several keys
would read the whole table. Each branch is materialised before it is sorted, because `ORDER BY … LIMIT` would otherwise
lure the planner onto the index of the order (`docs/performance.md`).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any

from django.db import connection

from orderhub.core.contacts import canonical_phone, phone_tail
from orderhub.core.crypto import blind, gram
from orderhub.core.draft import clean_text
from orderhub.models import Buyer

CAP = 2000
"""Matches looked at by one branch; beyond it the newest are not guaranteed and the searcher is asked for more."""
BUYER_CAP = 200
"""Buyers whose nickname begins alike; beyond it the searcher is asked for more."""
LONGEST = 200
"""Characters of a search text; no key is longer."""


class Kind(StrEnum):
    """By which key an order was looked for."""

    NOTHING = ""
    ORDER_NO = "order_no"
    TRACKING_NO = "tracking_no"
    PHONE = "phone"
    PHONE_TAIL = "phone_tail"
    BUYER_ID = "buyer_id"
    NICKNAME = "nickname"
    NAME = "name"


PERSONAL = frozenset({Kind.PHONE, Kind.PHONE_TAIL, Kind.NICKNAME, Kind.NAME})
"""Keys that must never stand in an address or a log."""


@dataclass(slots=True, frozen=True)
class Found:
    """Orders that match, of each key the newest first; `more` says that there are others, `kind` by which key the first
    was found."""

    kind: Kind
    order_ids: list[int]
    more: bool = False


_MATCHES: dict[Kind, str] = {
    Kind.ORDER_NO: """
        SELECT o.id FROM orderhub_order o WHERE o.shop_id = ANY({shops})
        AND o.external_no = ANY(%(numbers)s) LIMIT %(cap)s""",
    Kind.TRACKING_NO: """
        SELECT po.order_id AS id FROM orderhub_parcel p JOIN orderhub_parcel_orders po ON po.parcel_id = p.id
        WHERE p.tracking_no = ANY(%(numbers)s) AND {p_shop} LIMIT %(cap)s""",
    Kind.PHONE: """
        SELECT r.order_id AS id FROM orderhub_receiver r
        WHERE r.phone_index = %(phone)s AND {r_shop} LIMIT %(cap)s""",
    Kind.PHONE_TAIL: """
        SELECT r.order_id AS id FROM orderhub_receiver r
        WHERE r.tail_index = %(tail)s AND {r_shop} ORDER BY r.order_id DESC LIMIT %(take)s""",
    Kind.BUYER_ID: """
        SELECT o.id FROM orderhub_buyer b JOIN orderhub_order o ON o.buyer_id = b.id
        WHERE b.external_id = %(text)s AND {b_shop} LIMIT %(cap)s""",
    Kind.NICKNAME: """
        SELECT o.id FROM (SELECT b.id FROM orderhub_buyer b WHERE b.nickname LIKE %(prefix)s AND {b_shop}
        LIMIT %(buyer_cap)s) b JOIN orderhub_order o ON o.buyer_id = b.id LIMIT %(cap)s""",
    Kind.NAME: """
        SELECT r.order_id AS id FROM orderhub_receiver r
        WHERE r.name_grams @> %(grams)s::text[] AND {r_shop} LIMIT %(cap)s""",
}


def find(text: str, *, limit: int = 20, shop_ids: Sequence[int] | None = None) -> Found:
    """Return up to `limit` orders that `text` names, within `shop_ids` (None: every shop): the likeliest key first and
    of each key the newest, but whole numbers before phones that end like them.

    Exact keys win over a nickname's beginning and a part of the receiver's name, which are tried only when no exact
    key matches. One or two statements, whatever the number of orders.
    """
    wanted, numbers = normal(text), number_forms(text)
    kinds = possible_kinds(wanted)
    if not kinds:
        return Found(Kind.NOTHING, [])
    exact: list[Kind] = [kind for kind in kinds if kind not in {Kind.NICKNAME, Kind.NAME}]
    rest: list[Kind] = [kind for kind in kinds if kind in {Kind.NICKNAME, Kind.NAME}]
    for stage in filter(None, (exact, rest)):
        rows = _rows(stage, _values(stage, wanted, numbers, limit + 1), shop_ids)
        if rows:
            shown = _as_shown(stage)
            rows.sort(key=lambda row: shown.index(row[0]))
            ids = list(dict.fromkeys(order_id for _kind, order_id in rows))
            return Found(rows[0][0], ids[:limit], more=len(ids) > limit)
    return Found(kinds[0], [])


@dataclass(slots=True, frozen=True)
class Named:
    """What a text that holds no personal data names: orders by a number of theirs, and buyers, whose orders are as many
    as they are; `more` says that there are other orders with that number."""

    order_ids: list[int]
    buyer_ids: list[int]
    more: bool


def named(text: str, *, limit: int, shop_ids: Sequence[int] | None = None) -> Named:
    """Return up to `limit` orders whose number or parcel's number `text` is, and the buyers whose id it is, within
    `shop_ids` (None: every shop). Two statements."""
    wanted = normal(text)
    kinds = [kind for kind in possible_kinds(wanted) if kind in {Kind.ORDER_NO, Kind.TRACKING_NO}]
    rows = _rows(kinds, _values(kinds, wanted, number_forms(text), limit + 1), shop_ids) if kinds else []
    ids = list(dict.fromkeys(order_id for _kind, order_id in rows))
    buyers = Buyer.objects.filter(external_id=wanted, **({} if shop_ids is None else {"shop__in": shop_ids}))
    return Named(ids[:limit], list(buyers.values_list("id", flat=True)), more=len(ids) > limit)


MANY = 200
"""Numbers of one pasted list that are looked for."""
MANY_ORDERS = 1000
"""Orders that a pasted list names at most: each phone may have many."""


@dataclass(slots=True, frozen=True)
class FoundMany:
    """What a pasted list of numbers names: orders, newest first, and the numbers that nobody knows."""

    order_ids: list[int]
    unknown: list[str]
    left_out: int = 0
    """Numbers beyond the first MANY, which were not looked for."""
    more: bool = False


def numbers_in(text: str) -> list[str]:
    """Return the order, tracking or phone numbers of a pasted list, each once; empty where the text is a single key.

    They are parted by line breaks, spaces, commas or semicolons, ASCII or Chinese ones.
    """
    parts = [part for part in _PARTING.split(unicodedata.normalize("NFKC", text)) if part]
    if len(parts) < 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        return []
    return list(dict.fromkeys(parts))


_OF_LIST = """
    SELECT o.external_no, NULL::bigint, o.id FROM orderhub_order o
    WHERE o.shop_id = ANY(ARRAY(SELECT id FROM orderhub_shop)) AND o.external_no = ANY(%(numbers)s)
    UNION ALL
    SELECT p.tracking_no, NULL, po.order_id FROM orderhub_parcel p
    JOIN orderhub_parcel_orders po ON po.parcel_id = p.id WHERE p.tracking_no = ANY(%(numbers)s)
    UNION ALL
    (SELECT NULL, r.phone_index, r.order_id FROM orderhub_receiver r
    WHERE r.phone_index = ANY(%(phones)s::bigint[]) LIMIT %(cap)s)"""


def find_many(numbers: Sequence[str]) -> FoundMany:
    """Return the orders that the first MANY numbers name, as order, tracking or phone number. One statement."""
    wanted = list(numbers[:MANY])
    phones = {number: blind(b"phone", canonical_phone(number)) for number in wanted if _is_phone(number)}
    forms = {number: number_forms(number) for number in wanted}
    with connection.cursor() as cursor:
        cursor.execute(
            _OF_LIST,
            {"numbers": [*chain.from_iterable(forms.values())], "phones": list(phones.values()), "cap": CAP},
        )
        rows = cursor.fetchall()
    known = {key for number, phone, _id in rows for key in (number, phone)}
    unknown = [number for number in wanted if known.isdisjoint([*forms[number], phones.get(number, "")])]
    ids = sorted({order_id for *_key, order_id in rows}, reverse=True)
    left_out = max(len(numbers) - MANY, 0)
    return FoundMany(ids[:MANY_ORDERS], unknown, left_out, more=len(ids) > MANY_ORDERS)


def number_forms(text: str) -> list[str]:
    """Return how an order or tracking number that was typed may stand in the pool: as it was typed, without what people
    or the keyboard put before it, or in one piece where it came in groups, as waybills print it; and each in capital
    letters, in which carriers and platforms write theirs."""
    typed: str = clean_text(text[: LONGEST + 1]).strip()
    narrow = unicodedata.normalize("NFKC", typed)
    forms = [typed, narrow, narrow.lstrip("/"), normal(text)]
    if _may_be_grouped(narrow):
        forms += ["".join(form.split()) for form in forms]
    return list(dict.fromkeys(form for form in (*forms, *map(str.upper, forms)) if form))


def normal(text: str) -> str:
    """Return `text` as keys are compared: full-width digits narrowed, control characters and edges gone.

    So is a slash before it: the key that leads into the box, pressed by somebody who is in it already.
    """
    cleaned: str = clean_text(unicodedata.normalize("NFKC", text[: LONGEST + 1]))
    cleaned = cleaned.strip().lstrip("#/").strip()
    return cleaned if len(cleaned) <= LONGEST else ""


def possible_kinds(text: str) -> list[Kind]:
    """Return by which keys a normalised text could name an order, the likeliest first."""
    kinds: list[Kind] = []
    if not text:
        return kinds
    is_plain = text.isascii() and " " not in text and "*" not in text
    if is_plain:
        kinds += [Kind.ORDER_NO, Kind.TRACKING_NO]
    if _TAIL.fullmatch(text) or ("*" in text and phone_tail(text)):
        kinds.insert(0, Kind.PHONE_TAIL)
    elif _is_phone(text):
        kinds.insert(0 if _MOBILE.fullmatch(canonical_phone(text)) else len(kinds), Kind.PHONE)
    kinds.append(Kind.BUYER_ID)
    if not is_plain:
        # A shop or a file may number its orders in words; of a text with a digit that is likelier than a buyer.
        at = len(kinds) - any(character.isdigit() for character in text)
        kinds[at:at] = [Kind.ORDER_NO, Kind.TRACKING_NO] if _may_be_grouped(text) else [Kind.ORDER_NO]
    if not text.isdigit():
        kinds.append(Kind.NICKNAME)
    if any(character.isalpha() for character in text):
        kinds.append(Kind.NAME)
    return kinds


def _as_shown(kinds: Sequence[Kind]) -> list[Kind]:
    """Return kinds in the order of their hits: so many phones may end like a short number that the order with that very
    number would be cut off behind them."""
    if Kind.PHONE_TAIL not in kinds:
        return list(kinds)
    return sorted(kinds, key=lambda kind: kind not in {Kind.ORDER_NO, Kind.TRACKING_NO})


_PARTING = re.compile(r"[\s,;、。]+")
_NUMBER = re.compile(r"(?=.{5})(?=[^0-9]*[0-9])[#+]*[\w-]{1,64}")
_TAIL = re.compile(r"[0-9]{4}")
_DIGITS = re.compile(r"\+?[0-9]{7,15}")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")


def _may_be_grouped(text: str) -> bool:
    """Tell whether a text may be one number in groups: carriers and platforms have ASCII ones, with digits."""
    return text.isascii() and any(map(str.isspace, text)) and any(map(str.isdigit, text))


def _is_phone(text: str) -> bool:
    return _DIGITS.fullmatch(canonical_phone(text)) is not None


def _rows(kinds: Sequence[Kind], values: dict[str, Any], shop_ids: Sequence[int] | None) -> list[tuple[Kind, int]]:
    shops = {
        "shops": "ARRAY(SELECT id FROM orderhub_shop)" if shop_ids is None else "%(shop_ids)s",
        **{f"{t}_shop": "true" if shop_ids is None else f"{t}.shop_id = ANY(%(shop_ids)s)" for t in "bpr"},
    }
    branches = [
        f"(WITH m AS MATERIALIZED ({_MATCHES[kind].format(**shops)})"  # noqa: S608  (constants only)
        f" SELECT '{kind.value}', id FROM m ORDER BY id DESC LIMIT %(take)s)"
        for kind in kinds
    ]
    if shop_ids is not None:
        values["shop_ids"] = list(shop_ids)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(branches), values)
        return [(Kind(kind), order_id) for kind, order_id in cursor.fetchall()]


def _values(kinds: Sequence[Kind], text: str, numbers: Sequence[str], take: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        "text": text, "numbers": list(numbers), "take": take, "cap": CAP, "buyer_cap": BUYER_CAP,
    }  # fmt: skip
    if Kind.PHONE in kinds:
        values["phone"] = blind(b"phone", canonical_phone(text))
    if Kind.PHONE_TAIL in kinds:
        values["tail"] = blind(b"tail", phone_tail(text))
    if Kind.NICKNAME in kinds:
        values["prefix"] = re.sub(r"([\\%_])", r"\\\1", text) + "%"
    if Kind.NAME in kinds:
        size = min(len(text), 2)
        values["grams"] = [gram(text[i : i + size]) for i in range(len(text) - size + 1)]
    return values
