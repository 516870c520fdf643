"""Errors and arguments in the form of TOP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from channels_sync.sandbox.trades import SHANGHAI


class TopError(Exception):
    """One `error_response` of the gateway (protocol reference 1.4); its HTTP status is 200."""

    def __init__(self, code: int, message: str, sub_code: str = "", sub_message: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.sub_code = sub_code
        self.sub_message = sub_message

    def body(self) -> dict[str, Any]:
        """Return the fields of the envelope; empty ones are left out."""
        given = {"code": self.code, "msg": self.message, "sub_code": self.sub_code, "sub_msg": self.sub_message}
        return {name: value for name, value in given.items() if value}


def parse_time(text: str) -> datetime | None:
    """Return a `yyyy-MM-dd HH:mm:ss` text of GMT+8, or None when it is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        return None


def required(params: Mapping[str, str], name: str) -> str:
    """Return an argument. Raises TopError 40 when it is missing."""
    value = params.get(name, "")
    if not value:
        raise TopError(40, f"Missing required arguments:{name}", "isv.missing-parameter")
    return value


def required_time(params: Mapping[str, str], name: str) -> datetime:
    """Return a time argument. Raises TopError 40 or 41."""
    moment = parse_time(required(params, name))
    if moment is None:
        raise invalid(name)
    return moment


def whole(params: Mapping[str, str], name: str, default: int, most: int | None = None) -> int:
    """Return a number from 1 to `most`. Raises TopError 41."""
    text = params.get(name) or str(default)
    if not text.isdigit() or int(text) < 1 or (most is not None and int(text) > most):
        raise invalid(name)
    return int(text)


def invalid(name: str) -> TopError:
    """Return the error for an argument that cannot be used."""
    return TopError(41, f"Invalid arguments:{name}", "isv.invalid-parameter")
