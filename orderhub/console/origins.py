"""Who did something and how it came, as people know it; what is kept are names of the hub's own parts."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

from orderhub.core.wording import labelled
from orderhub.core.words import EffectKind
from orderhub.models import Warehouse

CAME_BY: Mapping[str, str | Promise] = {
    "poll": pgettext_lazy("came by", "pull"),
    "event": pgettext_lazy("came by", "push, then fetched"),
    "push": pgettext_lazy("came by", "push"),
    "api": pgettext_lazy("came by", "API"),
    "file": pgettext_lazy("came by", "file import"),
    "gate": pgettext_lazy("came by", "let in at the gate"),
    "reread": pgettext_lazy("came by", "open orders read again"),
    "backfill": pgettext_lazy("came by", "back-fill"),
    "mend": pgettext_lazy("came by", "mended after the comparison"),
    "rerun": pgettext_lazy("came by", "refused row tried again"),
    "hub": pgettext_lazy("came by", "judged again"),
}
"""Words for how a delivery, or a version of an order, came."""

PLACES: Mapping[str, str | Promise] = {"console": gettext_lazy("Console"), "desk": gettext_lazy("Agents' desk")}
"""Where somebody looked at personal data."""

_BY_ITSELF: Mapping[str, str | Promise] = {
    "pull": pgettext_lazy("actor", "the pull, by itself"),
    "nightly": pgettext_lazy("actor", "every night, by itself"),
    "command line": pgettext_lazy("actor", "command line"),
    "system": pgettext_lazy("actor", "the hub"),
    "demo": pgettext_lazy("actor", "demo data"),
}
_COMMANDS = ("command", "manage.py")


def warehouse_names() -> dict[str, str]:
    """Return what people call the warehouses, by the codes that are kept with stock and in timelines."""
    return dict(Warehouse.objects.values_list("code", "name"))


def actor_word(actor: str, houses: Mapping[str, str | Promise] | None = None) -> str:
    """Return who did it: a person by name, the hub's own parts in words, a warehouse by what `houses` calls its code.

    Empty for the intake: how an order came in is told elsewhere.
    """
    part, colon, name = actor.partition(":")
    if not colon or not name:
        return str(_BY_ITSELF.get(actor, actor))
    if part in _COMMANDS:
        return labelled(_BY_ITSELF["command line"], name)
    words: dict[str, Mapping[str, str | Promise]] = {
        "outbox": dict(EffectKind.choices), "warehouse": houses or {}, "intake": {name: ""},
    }  # fmt: skip
    return str(words[part].get(name, name)) if part in words else actor
