"""What people set for a shop in its settings, read so that nonsense never stops a pull."""

from collections.abc import Mapping
from math import isnan
from typing import Any


def number(settings: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """Return a number of a shop's settings, brought into range; `default` where it is none."""
    try:
        value = float(settings.get(name, default))
    except (TypeError, ValueError):
        return default
    return default if isnan(value) else min(max(value, low), high)
