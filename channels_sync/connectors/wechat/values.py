"""Single values of an order: what they must look like, and what stands for none."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orderhub.core.draft import EARLIEST
from orderhub.core.errors import FieldError
from orderhub.core.money import MAX_FEN

Node = Mapping[str, Any]


def node(holder: Node, name: str) -> Node:
    """Return an inner object, an empty one where there is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def nodes(holder: Node, name: str) -> list[Node]:
    """Return the objects of a list, none where there is no list."""
    value = holder.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(holder: Node, name: str) -> str:
    """Return a text or number as text, an empty one where there is none."""
    value = holder.get(name)
    return "" if value is None else str(value)


def time_of(holder: Node, name: str, *, required: bool = False) -> datetime | None:
    """Return unix seconds as a time, None for zero and what else means that there is none. Raises FieldError."""
    written = text(holder, name)
    if written in {"", "0"}:
        if required:
            raise FieldError(name, f"no time: {written!r}" if written else "required")
        return None
    if not _is_number(holder.get(name), digits=11):
        raise FieldError(name, f"not a time: {written[:40]!r}")
    moment = datetime.fromtimestamp(int(written), UTC)
    return moment if required or moment > EARLIEST else None


def loose_time(holder: Node, name: str) -> datetime | None:
    """Return unix seconds as a time, None for whatever is none."""
    try:
        return time_of(holder, name)
    except FieldError:
        return None


def fen(holder: Node, name: str, path: str) -> int | None:
    """Return an amount in fen, None where there is none. Raises FieldError for what is no whole, believable amount."""
    value = holder.get(name)
    if value is None or value == "":
        return None
    if not _is_number(value, digits=15) or int(value) > MAX_FEN:
        raise FieldError(f"{path}.{name}", f"not a believable amount: {str(value)[:40]!r}")
    return int(value)


def count(holder: Node, name: str) -> int:
    """Return a number from 0, 0 for whatever is none."""
    value = holder.get(name)
    return int(value) if value is not None and _is_number(value, digits=15) else 0


def whole(holder: Node, name: str, path: str) -> int:
    """Return a number from 1. Raises FieldError."""
    value = holder.get(name)
    if value is None or not _is_number(value, digits=9) or int(value) < 1:
        raise FieldError(f"{path}.{name}", f"must be a whole number from 1, not {str(value)[:40]!r}")
    return int(value)


def _is_number(value: Any, *, digits: int) -> bool:
    """Whether a number or text is written in plain digits; the platform mixes both."""
    written = str(value)
    return not isinstance(value, bool) and written.isascii() and written.isdigit() and len(written) <= digits
