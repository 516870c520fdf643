"""What people call the carriers that systems name by their codes."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

NAMES: dict[str, Promise] = {
    "SF": _("SF Express"),
    "YTO": _("YTO Express"),
    "ZTO": _("ZTO Express"),
    "STO": _("STO Express"),
    "YUNDA": _("Yunda Express"),
    "YD": _("Yunda Express"),
    "JT": _("J&T Express"),
    "JTSD": _("J&T Express"),
    "JD": _("JD Logistics"),
    "EMS": _("EMS"),
    "POSTB": _("China Post"),
    "HTKY": _("Best Express"),
    "TTKDEX": _("TTK Express"),
    "DBL": _("Deppon Express"),
}
"""By the code that the warehouse's protocol uses (Qimen's list of logistics codes)."""


def carrier_code(text: str) -> str:
    """Return the code that a code or a name of any case means, or an empty text for an unknown carrier."""
    wanted = text.strip().upper()
    if wanted in NAMES:
        return wanted
    return next((code for code, name in NAMES.items() if str(name).upper() == wanted), "")


def is_same_carrier(one: str, other: str) -> bool:
    """Tell whether two codes mean the same carrier: YD and YUNDA do."""
    return carrier_name(one.strip().upper()) == carrier_name(other.strip().upper())


def carrier_name(code: str) -> str:
    """Return the name that customers know, or the code itself where none is known."""
    return str(NAMES.get(code.upper(), code))
