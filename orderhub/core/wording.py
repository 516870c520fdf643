"""Texts that are put together of others, with the marks of the reader's language."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _


def labelled(name: str | Promise, value: str | Promise) -> str:
    """Return a name with what it says: `Flag: Red`, in Chinese `旗标：红色`."""
    return _("%(name)s: %(value)s") % {"name": name, "value": value}
