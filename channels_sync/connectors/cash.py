"""Cash on delivery: the courier collects. No warehouse is told how much, so such an order is held for a person."""

from orderhub.core.words import Hold

HOLD = Hold.CASH_ON_DELIVERY.value
_NOT_COLLECTED = frozenset({"paid", "in_transit"})


def is_owed(status: str) -> bool:
    """Tell whether the money of such an order is still to come: it does when the goods are handed over."""
    return status in _NOT_COLLECTED
