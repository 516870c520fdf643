"""Reasons that no rule finds, and how they are told: the system gates, which keep an order from being judged at all,
and changes of an order that the warehouse has."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orderhub.core.words import Change, Hold, Refund

AFTER_PUSH = "changed_after_push"


class Gate(NamedTuple):
    """How a gate speaks; `%(name)s` places are filled with the finding's values."""

    name: Promise
    reason: Promise
    clears: Promise


GATES: Mapping[str, Gate] = {
    "channel_hold": Gate(
        _("Held by the channel"),
        _("The platform forbids shipping for now: %(hold)s"),
        _("The platform lifts its hold"),
    ),
    "deposit_only": Gate(
        _("Only the deposit is paid"), _("Presale: the balance is not paid yet"), _("The buyer pays the balance")
    ),
    "refund_open": Gate(
        _("Refund open"),
        _("A refund of line %(line)s is %(refund)s"),
        _("The refund is closed, refused or withdrawn"),
    ),
    AFTER_PUSH: Gate(
        _("Changed after the push"),
        _("Changed after the warehouse was told: %(changed)s. The hub does not tell it; it works by what it knows."),
        _("Somebody agrees it with the warehouse and accepts this, or the order leaves"),
    ),
}

HOLDS: Mapping[str, Gate] = {
    Hold.CASH_ON_DELIVERY: Gate(
        _("Cash on delivery"),
        _("Cash on delivery: the hub tells no warehouse what the courier must collect"),
        _("Somebody ships it by hand here, or the buyer pays online"),
    ),
    Hold.PART_REFUNDED: Gate(
        _("Refunded in part"),
        _("A part of the money went back, and the platform does not say for which article"),
        _("Somebody finds out and ships the rest by hand on the platform"),
    ),
}
"""How the gate `channel_hold` speaks of holds that have a name."""


def gate_texts(code: str, values: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return name, reason and what clears it, in the active language."""
    gate = HOLDS.get(values.get("hold", ""), GATES[code])
    shown = dict(values)
    if "refund" in shown:
        shown["refund"] = str(dict(Refund.choices).get(shown["refund"], shown["refund"]))
    if "changed" in shown:
        words = dict(Change.choices)
        shown["changed"] = gettext(", ").join(str(words.get(name, name)) for name in shown["changed"])
    empty = {"hold": "", "line": "", "refund": "", "changed": ""}
    return str(gate.name), str(gate.reason) % {**empty, **shown}, str(gate.clears)
