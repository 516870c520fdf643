"""What an intake did, row by row and in sum."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from msgspec import Struct


class Outcome(StrEnum):
    """What became of one incoming row."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    STALE = "stale"
    HELD = "held"
    """Kept at the intake gate; it enters the pool when the gate lets it."""
    REJECTED = "rejected"


class RowResult(Struct, frozen=True):
    """The outcome of one row; `field` and `reason` are filled for rejected ones."""

    row: int
    external_no: str
    outcome: Outcome
    field: str = ""
    reason: str = ""


@dataclass(slots=True)
class IntakeResult:
    """The outcomes of one delivery."""

    rows: list[RowResult] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return how many rows had each outcome, all outcomes named."""
        seen = Counter(row.outcome for row in self.rows)
        return {outcome.value: seen.get(outcome, 0) for outcome in Outcome}

    def add(self, rows: Iterable[RowResult]) -> None:
        """Append the outcomes of another part of the delivery."""
        self.rows.extend(rows)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the rows as plain dictionaries, in the order of the delivery."""
        return [
            {"row": row.row, "external_no": row.external_no, "outcome": row.outcome.value}
            | ({"field": row.field, "reason": row.reason} if row.outcome is Outcome.REJECTED else {})
            for row in sorted(self.rows, key=lambda row: row.row)
        ]
