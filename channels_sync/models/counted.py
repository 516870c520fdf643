"""What intake made of rows, as columns: shared by runs, their pages and back-fills."""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orderhub.core.results import Outcome

COUNTS = tuple(outcome.value for outcome in Outcome)
"""The columns of `Counted` beside `rows`, each by what became of so many rows."""


class Counted(models.Model):
    """What intake made of the rows of something."""

    rows = models.PositiveIntegerField(_("rows"), default=0)
    new = models.PositiveIntegerField(pgettext_lazy("orders", "new"), default=0)
    changed = models.PositiveIntegerField(pgettext_lazy("orders", "changed"), default=0)
    unchanged = models.PositiveIntegerField(pgettext_lazy("orders", "unchanged"), default=0)
    stale = models.PositiveIntegerField(pgettext_lazy("orders", "older than known"), default=0)
    held = models.PositiveIntegerField(pgettext_lazy("orders", "held at the gate"), default=0)
    rejected = models.PositiveIntegerField(pgettext_lazy("orders", "rejected"), default=0)

    class Meta:
        abstract = True

    @property
    def counts(self) -> dict[str, int]:
        """How many rows had each outcome."""
        return {name: getattr(self, name) for name in COUNTS}

    def count(self, counts: Mapping[str, int]) -> None:
        """Add what intake made of more rows; the row is not saved."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + counts.get(name, 0))
