"""What the desk shows of other parts of the hub."""

from collections.abc import Sequence
from typing import Any

from orderhub.api.sections import order_sections

FINDINGS = "findings"


def findings_of(order_id: int) -> Sequence[dict[str, Any]]:
    """Return why an order is in its lane: one dictionary per open finding, in the reader's language."""
    if FINDINGS not in order_sections:
        return []
    return order_sections.get(FINDINGS)([order_id]).get(order_id) or []
