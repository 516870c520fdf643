"""Errors and arguments in the form of the Douyin gateway."""

from collections.abc import Mapping
from typing import Any

Params = Mapping[str, Any]


class DouyinError(Exception):
    """One refusal of the gateway (protocol reference 4.3); its HTTP status is 200."""

    def __init__(self, code: int, sub_code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.sub_code = sub_code
        self.message = message


def parameter(number: int | str, message: str) -> DouyinError:
    """Return the refusal of an argument by the service."""
    return DouyinError(40004, f"isv.parameter-invalid:{number}", message)


def business(number: int | str, message: str) -> DouyinError:
    """Return the refusal of an object by the service."""
    return DouyinError(50002, f"isv.business-failed:{number}", message)


def whole(params: Params, name: str, error: DouyinError, *, least: int = 0, most: int | None = None) -> int:
    """Return a whole number from `least` to `most`; numbers come as numbers or as text. Raises `error`."""
    text = str(params.get(name, ""))
    if not text.isascii() or not text.isdigit() or int(text) < least or (most is not None and int(text) > most):
        raise error
    return int(text)


def required(params: Params, name: str, number: int | str) -> str:
    """Return a text argument. Raises DouyinError when it is missing."""
    value = params.get(name)
    if value is None or value == "" or isinstance(value, list | dict):
        raise DouyinError(40002, f"isv.missing-parameter:{number}", f"{name} 不能为空")
    return str(value)
