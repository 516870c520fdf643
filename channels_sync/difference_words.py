"""Differences as people read them: what is kept of them are names and words of the code, and a command prints those."""

import re

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orderhub.core.words import ContactKind, Flag, Hold, Presale, Refund, Status

LABELS: dict[str, str | Promise] = {
    "": gettext_lazy("Whole order"),
    "status": gettext_lazy("status"),
    "channel_status": gettext_lazy("channel's own word"),
    "created_at": gettext_lazy("ordered"),
    "paid_at": gettext_lazy("paid"),
    "modified_at": gettext_lazy("changed by the channel"),
    "ship_by": gettext_lazy("ship by"),
    "total_fen": gettext_lazy("Total"),
    "discount_fen": gettext_lazy("Discount"),
    "freight_fen": gettext_lazy("Freight"),
    "paid_fen": gettext_lazy("Paid"),
    "flag": gettext_lazy("flag"),
    "presale": gettext_lazy("presale"),
    "channel_hold": gettext_lazy("channel hold"),
    "buyer_remark": gettext_lazy("buyer's remark"),
    "seller_remark": gettext_lazy("seller's remark"),
    "buyer": gettext_lazy("buyer"),
    "receiver": gettext_lazy("receiver"),
    "receiver.kind": gettext_lazy("Kind of contact"),
    "receiver.name": gettext_lazy("Receiver's name"),
    "receiver.phone": gettext_lazy("Phone number"),
    "receiver.detail": gettext_lazy("address"),
    "receiver.country": gettext_lazy("country"),
    "receiver.province": gettext_lazy("province"),
    "receiver.city": gettext_lazy("city"),
    "receiver.district": gettext_lazy("district"),
    "receiver.town": gettext_lazy("town"),
    "receiver.oaid": gettext_lazy("platform token"),
    "tracking_numbers": gettext_lazy("tracking number"),
    "stock": gettext_lazy("stock"),
}
LINE_LABELS: dict[str, str | Promise] = {
    "sku": gettext_lazy("SKU"),
    "quantity": gettext_lazy("quantity"),
    "unit_price_fen": gettext_lazy("Unit price"),
    "paid_fen": gettext_lazy("Paid"),
    "refund": gettext_lazy("refund"),
}
WORDS: dict[str, dict[str, str | Promise]] = {
    "status": dict(Status.choices),
    "flag": dict(Flag.choices),
    "presale": dict(Presale.choices),
    "channel_hold": dict(Hold.choices),
    "refund": dict(Refund.choices),
    "kind": dict(ContactKind.choices),
}
_LINE = re.compile(r"lines\[([^\]]*)\](?:\.(\w+))?")


def field_label(field: str) -> str:
    """Return what a field is called; one that is not known, as of a row that cannot be read, stays as it is."""
    line = _LINE.fullmatch(field)
    if line is None:
        return capfirst(str(LABELS[field])) if field in LABELS else field
    number, name = line.groups()
    if not name:
        return _("Line %(number)s") % {"number": number}
    return _("Line %(number)s: %(field)s") % {"number": number, "field": LINE_LABELS.get(name, name)}


def shown_value(field: str, value: str) -> str:
    """Return one side of a difference in words. Money and times are kept as they are shown."""
    if not field:
        status, _space, amount = value.partition(" ")
        return f"{WORDS['status'].get(status, status)} {amount}".strip()
    if field == "tracking_numbers":
        return value.replace(", ", _(", "))
    if field == "receiver" and value == "unreadable":
        return _("unreadable")
    line = _LINE.fullmatch(field)
    if line is not None and not line[2]:
        return re.sub(r" x (\d+)$", r" × \1", value)
    return str(WORDS.get(field.rpartition(".")[2], {}).get(value, value))
