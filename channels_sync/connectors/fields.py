"""Readers of single fields of a platform's order, which may be text, a number, empty or absurd."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from orderhub.core.errors import FieldError
from orderhub.core.money import MAX_FEN, fen_from_yuan

SHANGHAI = timezone(timedelta(hours=8))
"""TOP, JD and Qimen write and expect every time in GMT+8 and never say so; the zone of the machine must not matter."""
NO_TIME = ("0001-", "1970-01-01", "0000-")
"""What platforms send for "no time"."""

Fields = Mapping[str, Any]


def text(holder: Fields, name: str) -> str:
    """Return a field as text, empty where there is none."""
    value = holder.get(name)
    return "" if value is None else str(value)


def moment(holder: Fields, name: str, *, required: bool = False) -> datetime | None:
    """Return a time written in GMT+8, None where the platform says that there is none. Raises FieldError."""
    value = str(holder.get(name) or "")
    if not value or value.startswith(NO_TIME):
        if required:
            raise FieldError(name, f"no time: {value!r}" if value else "required")
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise FieldError(name, f"not a time: {value[:40]!r}") from error
    return found if found.tzinfo else found.replace(tzinfo=SHANGHAI)


def fen(holder: Fields, name: str, path: str = "", *, signed: bool = False) -> int | None:
    """Return an amount written in yuan in fen, None where there is none.

    Raises FieldError for an unbelievable one, and for a negative one unless it may be `signed`.
    """
    value = holder.get(name)
    if value is None or value == "":
        return None
    place = f"{path}.{name}" if path else name
    try:
        found = fen_from_yuan(value)
    except ValueError as error:
        raise FieldError(place, str(error)) from error
    if not (-MAX_FEN if signed else 0) <= found <= MAX_FEN:
        raise FieldError(place, f"not a believable amount: {str(value)[:40]}")
    return found


def whole(holder: Fields, name: str, path: str) -> int:
    """Return a number of pieces. Raises FieldError for anything that is not a whole number from 1."""
    value = text(holder, name)
    is_digits = value.isascii() and value.isdigit() and 1 <= len(value) <= 9
    if isinstance(holder.get(name), bool) or not is_digits or int(value) < 1:
        raise FieldError(f"{path}.{name}", f"must be a whole number from 1, not {value[:40]!r}")
    return int(value)


def rows(holder: Fields, name: str) -> list[Any]:
    """Return a list of the order, empty where there is none."""
    value = holder.get(name)
    return value if isinstance(value, list) else []
