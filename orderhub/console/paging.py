"""Paging that does not grow slower with the table: a count that stops early, pages found by key instead of offset."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.utils.functional import cached_property
from django.utils.timezone import is_naive

COUNT_CAP = 10_000
"""Rows counted at most; beyond it a list says "10,000+"."""

CERTAINLY_MORE = 4
"""How far above the cap the planner's estimate must lie to be taken for granted."""

AFTER, BEFORE = "after", "before"


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts at most `COUNT_CAP` + 1 rows, so that an unfiltered list never reads its whole table for a number."""

    @cached_property
    def count(self) -> int:
        """The number of rows, never above `COUNT_CAP` + 1."""
        return capped_count(self.object_list)


def capped_count(rows: Any) -> int:
    """Return how many rows there are, `COUNT_CAP` + 1 when there are more than `COUNT_CAP`."""
    if not isinstance(rows, QuerySet):
        return len(rows)
    found: int = rows.order_by().values("pk")[: COUNT_CAP + 1].count()
    return found


def count_or_guess(rows: QuerySet[Any, Any]) -> int:
    """Return as `capped_count` does; where the planner expects far more rows, its word is enough."""
    is_certain = expected_rows(rows.order_by().values("pk")) > CERTAINLY_MORE * COUNT_CAP
    return COUNT_CAP + 1 if is_certain else capped_count(rows)


def expected_rows(rows: QuerySet[Any, Any]) -> int:
    """Return how many rows the planner expects, without reading any."""
    plan = json.loads(rows.explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


def count_text(count: int) -> str:
    """Return a count as people read it: `1,234` or `10,000+`."""
    return f"{COUNT_CAP:,}+" if count > COUNT_CAP else f"{count:,}"


@dataclass(frozen=True, slots=True)
class Keyset:
    """The order of a list: columns that together are unique, never null, and backed by an index."""

    fields: tuple[str, ...]
    descending: bool = True

    def ordering(self, *, backwards: bool = False) -> list[str]:
        """Return the order_by arguments, for reading towards the end or towards the start."""
        sign = "-" if self.descending != backwards else ""
        return [f"{sign}{field}" for field in self.fields]

    def beyond(self, key: Sequence[Any], *, backwards: bool = False) -> Q:
        """Return the condition for rows after `key` in the direction of reading."""
        operator = "lt" if self.descending != backwards else "gt"
        first, *rest = zip(self.fields, key, strict=True)
        if not rest:
            return Q(**{f"{first[0]}__{operator}": first[1]})
        inner = Keyset(self.fields[1:], self.descending).beyond(key[1:], backwards=backwards)
        # The plain bound on the first column is what lets the index start at the right place.
        return Q(**{f"{first[0]}__{operator}e": first[1]}) & (Q(**{f"{first[0]}__{operator}": first[1]}) | inner)

    def key_of(self, row: Model) -> str:
        """Return the cursor of a row as an opaque text for addresses."""
        parts = []
        for field in self.fields:
            value = getattr(row, field)
            parts.append(value.isoformat() if isinstance(value, datetime) else str(value))
        return base64.urlsafe_b64encode("|".join(parts).encode()).decode().rstrip("=")

    def read(self, text: str, model: type[Model]) -> list[Any] | None:
        """Return the key of a cursor, None when the text is not one."""
        if not text:
            return None
        try:
            parts = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split("|")
        except (binascii.Error, ValueError):
            return None
        if len(parts) != len(self.fields):
            return None
        try:
            fields = [model._meta.get_field(field) for field in self.fields]  # noqa: SLF001  (public by documentation)
            key = [field.to_python(part) for field, part in zip(fields, parts, strict=True)]  # type: ignore[union-attr]
        except (ValidationError, ValueError, OverflowError):
            return None
        return None if any(isinstance(value, datetime) and is_naive(value) for value in key) else key
