"""Which lines of a JD order its refunds are about.

JD names SKU and pieces of a service order, but only the amount of a cancellation.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from channels_sync.connectors.fields import text
from channels_sync.connectors.jd.refunds import state_of
from orderhub.core.money import MAX_FEN

Refund = Mapping[str, Any]
Line = dict[str, Any]


def mark_refunds(refunds: Sequence[Refund], lines: Sequence[Line], *, is_over: bool) -> bool:
    """Set the refund of the lines that each refund is about, in the sequence in which they were applied for.

    Returns whether it is known of which lines everything is that went back: a part of the sum that is the price of no
    single line leaves them as they are, unless the order `is_over` as a whole.
    """
    pieces, money, is_placed = Counter[str](), 0, True
    for refund in refunds:
        word, named = state_of(refund), _named(refund, lines)
        if word != "done":
            _mark(named or _of_that_price(refund, lines) or lines, word)
            continue
        money += _fen(refund) or 0
        if named:
            sku = text(refund, "sku")
            pieces[sku] += _count(refund) or sum(line["quantity"] for line in named)
            _mark(_filled(named, pieces[sku]), word)
        elif over := lines if is_over or _is_all(refund, money, lines) else _of_that_price(refund, lines):
            _mark(over, word)
        else:
            is_placed = False
    return is_placed or all(line["refund"] == "done" for line in lines)


def _mark(lines: Sequence[Line], word: str) -> None:
    for line in lines:
        if line["refund"] != "done":
            line["refund"] = word


def _named(refund: Refund, lines: Sequence[Line]) -> list[Line]:
    sku = text(refund, "sku")
    return [line for line in lines if sku and line["line_no"].partition("-")[0] == sku]


def _of_that_price(refund: Refund, lines: Sequence[Line]) -> list[Line]:
    """Return the only line that was paid just the amount of a refund; none where several were, or none was."""
    fen = _fen(refund)
    paid = [line for line in lines if fen and line["paid_fen"] == fen]
    return paid if len(paid) == 1 else []


def _filled(lines: Sequence[Line], pieces: int) -> list[Line]:
    """Return the lines of one SKU, the bought one before its gift, of which all pieces went back."""
    found = []
    for line in lines:
        pieces -= line["quantity"]
        if pieces >= 0:
            found.append(line)
    return found


def _is_all(refund: Refund, money: int, lines: Sequence[Line]) -> bool:
    """Tell whether all of an order went back: the money of all its lines, or a cancellation that names no amount."""
    is_whole = refund.get("kind") == "cancel" and _fen(refund) == 0
    return is_whole or money >= sum(line["paid_fen"] for line in lines)


def _fen(refund: Refund) -> int | None:
    """Return the amount of a refund, 0 where it names none, None for one that nobody can read: that is not the whole.

    JD types the field as a floating number, so that it may come as 5000 or 5000.0.
    """
    try:
        amount = Decimal(text(refund, "fen") or 0)
        is_amount = 0 <= amount <= MAX_FEN and amount == amount.to_integral_value()
    except InvalidOperation:
        return None
    return int(amount) if is_amount else None


def _count(refund: Refund) -> int:
    return _number(text(refund, "pieces"))


def _number(value: str) -> int:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 15 else 0
