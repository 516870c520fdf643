"""What people set for one shop: how much stock it shows, how long orders wait, how fast it is called, who it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from channels_sync.selectors.offers import BUFFER_LIMIT, SPACING_LIMIT, SPACING_SECONDS
from channels_sync.selectors.sync import MOST_PULL_MINUTES, PULL_MINUTES
from channels_sync.services import health
from orderhub.core.errors import FieldError
from orderhub.models import Shop

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Term:
    """One number that people set: `low` to `high`, both included; `default` counts where nothing is set."""

    name: str
    label: str | Promise
    default: int | None
    low: int
    high: int
    help: str | Promise = ""
    column: str = ""
    """The shop's own column; empty for a key of its settings."""
    concerns: str = ""
    """The ability of the connector without which the term means nothing."""


TERMS = (
    Term("merge_window_seconds", _("Merge window (seconds)"), settings.HUB_MERGE_WINDOW_SECONDS, 0, 86_400,
         _("How long a regular order waits before the warehouse push."), column="merge_window_seconds"),
    Term("ship_hours", _("Hours to ship"), 48, 1, 720,
         _("Used where the channel gives no deadline of its own."), column="ship_hours"),
    Term("stock_writes", _("Tell the channel its stock (1 yes, 0 no)"), 1, 0, 1,
         _("With 0 the channel keeps whatever it shows."), concerns="writes_stock"),
    Term("stock_buffer", _("Safety buffer (pieces)"), 0, 0, BUFFER_LIMIT,
         _("Pieces of each SKU that this shop never shows."), concerns="writes_stock"),
    Term("stock_share", _("Share of the stock (%)"), 100, 0, 100,
         _("How much of what is left after the buffer this shop shows."), concerns="writes_stock"),
    Term("stock_seconds", _("Seconds between two stock writes"), SPACING_SECONDS, 0, SPACING_LIMIT,
         _("Changes within this time go out together."), concerns="writes_stock"),
    Term("look_back_hours", _("First pull looks back (hours)"), 24, 1, 2160,
         _("Counts only before the first complete pull."), concerns="pulls"),
    Term("pull_minutes", _("Minutes between two pulls"), PULL_MINUTES, PULL_MINUTES, MOST_PULL_MINUTES,
         _("More saves calls where a platform counts them by the day; pushes are not slowed down."), concerns="pulls"),
    Term("calls_per_second", _("Calls a second"), None, 1, 1000,
         _("For all shops and workers of one application together; empty: what the platform usually allows."),
         concerns="pulls"),
)  # fmt: skip


@transaction.atomic
def change_terms(*, shop_id: int, values: Mapping[str, int | None], actor: str) -> list[str]:
    """Set terms of a shop by name and return the names that changed; None takes a setting back to its default.

    Raises FieldError for a name that is no term and a number that cannot be; nothing is changed then.
    """
    known = {term.name: term for term in TERMS}
    for name, value in values.items():
        _check(known.get(name), name, value)
    shop = Shop.objects.select_for_update().get(pk=shop_id)
    changed = [name for name, value in values.items() if _set(shop, known[name], value)]
    if changed:
        shop.save(update_fields=["settings", *(known[name].column for name in changed if known[name].column)])
        log.info("terms of a shop changed", shop=shop.code, terms=changed, actor=actor)
    return changed


@transaction.atomic
def change_credentials(*, shop_id: int, change: Callable[[Mapping[str, Any]], dict[str, Any]], actor: str) -> list[str]:
    """Store what `change` makes of a shop's stored credentials, sealed, and return the names that are new or gone.

    A pull that waited for a person is tried at once. Values are never logged.
    """
    shop = Shop.objects.select_for_update().get(pk=shop_id)
    before = shop.credentials if shop.can_open else {}
    after = change(before)
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if changed or not shop.can_open:
        shop.credentials = after
        shop.save(update_fields=["sealed_credentials"])
        health.try_again(shop_ids=[shop.pk], actor=actor)
        log.info("credentials of a shop changed", shop=shop.code, names=changed, actor=actor)
    return changed


def _check(term: Term | None, name: str, value: int | None) -> None:
    if term is None:
        raise FieldError(name, "no such setting")
    if value is None and term.column:
        raise FieldError(name, str(_("This needs a number.")))
    if value is not None and not term.low <= value <= term.high:
        raise FieldError(name, str(_("from %(low)s to %(high)s")) % {"low": term.low, "high": term.high})


def _set(shop: Shop, term: Term, value: int | None) -> bool:
    if term.column:
        is_new: bool = getattr(shop, term.column) != value
        setattr(shop, term.column, value)
        return is_new
    if value is None:
        return shop.settings.pop(term.name, None) is not None
    differs: bool = shop.settings.get(term.name) != value
    shop.settings[term.name] = value
    return differs
