"""What people set for a shop in its settings, read so that nonsense never stops a pull."""

from collections.abc import Mapping
from typing import Any


def number(settings: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """Return a number of a shop's settings, brought into range; `default` where it is none."""
    try:
        return min(max(float(settings.get(name, default)), low), high)
    except (TypeError, ValueError):
        return default
