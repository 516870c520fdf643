"""What the desk says about a search."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orderhub.selectors.search import Kind

FOUND_BY: dict[Kind, str | Promise] = {
    Kind.ORDER_NO: _("by order number"),
    Kind.TRACKING_NO: _("by tracking number"),
    Kind.PHONE: _("by phone number"),
    Kind.PHONE_TAIL: _("by last four digits"),
    Kind.BUYER_ID: _("by buyer id"),
    Kind.NICKNAME: _("by nickname"),
    Kind.NAME: _("by name"),
}

_ANY: str | Promise = _("Check the number, or try the receiver's phone, its last four digits or the nickname.")

EMPTY: dict[Kind, str | Promise] = {
    Kind.NOTHING: _ANY,
    Kind.ORDER_NO: _ANY,
    Kind.TRACKING_NO: _ANY,
    Kind.PHONE: _(
        "No order has this phone. Platforms mask phones: ask for the order number or the last four digits instead."
    ),
    Kind.PHONE_TAIL: _("No order's phone ends like this. Ask for the order number or the nickname."),
    Kind.BUYER_ID: _("Nobody of this name. Type the beginning of the nickname, or part of the receiver's name."),
}
