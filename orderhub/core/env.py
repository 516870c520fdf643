"""Typed readers of environment variables; a value that cannot be read stops the start with its name."""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """Return variable `name`, or the content of the file that `<name>_FILE` points to (container secrets).

    Raises ImproperlyConfigured when there is no default and neither is set, when what is set is empty, and when both
    say something.
    """
    file_name = os.environ.get(f"{name}_FILE")
    if file_name and os.environ.get(name):
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one of them. See .env.example.")
    value = Path(file_name).read_text(encoding="utf-8").strip() if file_name else os.environ.get(name, default)
    if value is None or (default is None and not value.strip()):
        raise ImproperlyConfigured(f"Set the environment variable {name}. See .env.example.")
    return value


def put(name: str, value: str) -> None:
    """Set variable `name` for this process and those that it starts, however it was given before."""
    os.environ.pop(f"{name}_FILE", None)
    os.environ[name] = value


def flag(name: str, default: bool) -> bool:
    """Return a yes/no variable; only 1/0, true/false, yes/no, on/off are understood."""
    value = text(name, "").lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")


def number(name: str, default: int, *, low: int, high: int) -> int:
    """Return a whole-number variable from `low` to `high`."""
    value = text(name, "")
    if not value:
        return default
    problem = ImproperlyConfigured(f"{name} must be a whole number from {low} to {high}, not {value!r}.")
    try:
        found = int(value)
    except ValueError as error:
        raise problem from error
    if not low <= found <= high:
        raise problem
    return found


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable as a list without empty parts."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def networks(name: str, default: str = "") -> list[IPv4Network | IPv6Network]:
    """Return a comma-separated variable of addresses and networks (10.0.0.0/8); `*` is every address."""
    given = [every for word in words(name, default) for every in (("0.0.0.0/0", "::/0") if word == "*" else (word,))]
    try:
        return [ip_network(word) for word in given]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be addresses or networks: {error}.") from error
