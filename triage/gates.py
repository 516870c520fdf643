"""System gates: what keeps an order from being judged at all, and how it is told."""

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orderhub.core.words import Refund


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
}


def gate_texts(code: str, values: Mapping[str, str]) -> tuple[str, str, str]:
    """Return name, reason and what clears it, in the active language."""
    gate = GATES[code]
    shown = dict(values)
    if "refund" in shown:
        shown["refund"] = str(dict(Refund.choices).get(shown["refund"], shown["refund"]))
    return str(gate.name), str(gate.reason) % {"hold": "", "line": "", "refund": "", **shown}, str(gate.clears)
