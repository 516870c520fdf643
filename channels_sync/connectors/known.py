"""What each platform lets a shop know of an order, and how it keeps the rest back."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class How(StrEnum):
    """How a platform keeps a fact back."""

    MASKED = "masked"
    VIRTUAL = "virtual"
    ABSENT = "absent"
    DERIVED = "derived"


HOW: Mapping[How, str | Promise] = {
    How.MASKED: pgettext_lazy("fact", "masked"),
    How.VIRTUAL: pgettext_lazy("fact", "virtual"),
    How.ABSENT: pgettext_lazy("fact", "not given"),
    How.DERIVED: pgettext_lazy("fact", "worked out"),
}

FACTS: Mapping[str, str | Promise] = {
    "buyer.id": _("Buyer id"),
    "buyer.nickname": _("Nickname"),
    "buyer.ip": _("Buyer's IP address"),
    "receiver.name": _("Receiver's name"),
    "receiver.phone": _("Phone number"),
    "receiver.region": _("Province, city, district"),
    "receiver.detail": _("Address below the district"),
    "receiver.postcode": _("Postcode"),
    "line.price": _("Unit price"),
    "line.paid": _("Paid amount of a line"),
    "presale.deposit": _("Deposit of a presale"),
    "buyer.remark": _("Buyer's remark"),
    "seller.remark": _("Seller's remark"),
    "flag": _("Flag"),
}
"""Every fact that a connector may declare hidden."""


@dataclass(slots=True, frozen=True)
class Hidden:
    """A fact that a platform keeps back: how, and the sentence that says so."""

    how: How
    why: str | Promise

    def __str__(self) -> str:
        return str(self.why)
