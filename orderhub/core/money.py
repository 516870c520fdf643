"""Money is integer fen everywhere; this is the only place that reads or writes yuan text."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

MAX_FEN = 100_000_000_00
"""No single order or line of the field is above 100 million yuan; more is a broken payload."""


def fen_from_yuan(text: str | int | Decimal) -> int:
    """Return `"129.00"` as 12900. Raises ValueError, which does not repeat the text, for anything that is not an exact
    number of fen."""
    try:
        fen = Decimal(str(text).strip()) * 100
    except (InvalidOperation, ValueError) as error:
        raise ValueError("not an amount of money") from error
    # Looked at before int(): "1e999999999" is short text but a number that fills the memory.
    if not fen.is_finite() or fen.adjusted() > 15:
        raise ValueError("not an amount of money")
    if fen != int(fen):
        raise ValueError("more than two decimals")
    return int(fen)


def by_value(totals: Sequence[int], paid: int) -> list[int]:
    """Return what was paid of each total, in fen: `paid`, at most their sum, by value; the dearest takes what rounding
    leaves."""
    total = sum(totals)
    missing = total - paid
    shares = [missing * part // max(total, 1) for part in totals]
    shares[totals.index(max(totals))] += missing - sum(shares)
    return [part - share for part, share in zip(totals, shares, strict=True)]


def yuan(fen: int) -> str:
    """Return 12900 as `129.00`, the form platforms and warehouses want."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def show(fen: int) -> str:
    """Return 123450 as `¥1,234.50`, the form people read."""
    sign = "-" if fen < 0 else ""
    return f"{sign}¥{abs(fen) // 100:,}.{abs(fen) % 100:02d}"
