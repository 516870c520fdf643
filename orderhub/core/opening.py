"""What a platform opens of an order's receiver on demand, beyond what the hub was given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

PARTS = ("name", "phone", "detail")
"""What can be opened, each at its own cost."""


@dataclass(slots=True, frozen=True)
class Opening:
    """What came of one question: texts by part; a virtual number in them works until `virtual_until`.

    `problem` says in words why a part, or everything, is missing.
    """

    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    virtual_until: datetime | None = None
    problem: str = ""


@dataclass(slots=True, frozen=True)
class OpeningQuota:
    """What is left today, counted in cipher texts: of the shop for everybody, and of this person for all shops.

    `parts` are those that can be opened of this order.
    """

    parts: tuple[str, ...]
    cost: int
    """Texts that opening all of them counts."""
    shop_left: int
    person_left: int

    @property
    def left(self) -> int:
        """How many texts this person may still open here today."""
        return max(min(self.shop_left, self.person_left), 0)
