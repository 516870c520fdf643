"""Sections of an order's answer that features add from their `api.py`."""

from collections.abc import Callable, Sequence
from typing import Any

from orderhub.core.registry import Registry

Section = Callable[[Sequence[int]], dict[int, Any]]

order_sections: Registry[Section] = Registry("order section")
"""`order_sections.add("findings", function)`: the function takes order ids and returns what to show of each, by id; an
order left out shows null. A constant number of queries, whatever the number of ids."""


def sections_of(order_id: int) -> dict[str, Any]:
    """Return every section of one order, by name."""
    return {name: section([order_id]).get(order_id) for name, section in order_sections.items()}
