"""Why a call to a platform failed, as a word that advice for people is looked up by.

A connector's table of errors names the cause; an error without one is told by its kind.
"""

from typing import TypeVar

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from orderhub.core.errors import HubError

E = TypeVar("E", bound=HubError)

LONG_WAIT = 900
"""Seconds beyond which a call limit is that of a day, not of a moment."""


class Cause(TextChoices):
    """What stands in the way of a call."""

    NONE = "", pgettext_lazy("cause", "None")
    SESSION = "session", pgettext_lazy("cause", "Authorisation run out")
    WITHDRAWN = "withdrawn", pgettext_lazy("cause", "Authorisation withdrawn")
    MISSING = "missing", pgettext_lazy("cause", "Credentials missing")
    SECRET = "secret", pgettext_lazy("cause", "Application key or secret wrong")
    CLOCK = "clock", pgettext_lazy("cause", "Clock wrong")
    ADDRESS = "address", pgettext_lazy("cause", "Server address not allowed")
    RIGHTS = "rights", pgettext_lazy("cause", "Permission missing")
    LIMIT = "limit", pgettext_lazy("cause", "Too many calls")
    QUOTA = "quota", pgettext_lazy("cause", "Calls of the day used up")
    NETWORK = "network", pgettext_lazy("cause", "Platform not reached")
    SERVICE = "service", pgettext_lazy("cause", "Platform disturbed")
    ANSWER = "answer", pgettext_lazy("cause", "Answer unreadable")
    REFUSED = "refused", pgettext_lazy("cause", "Call refused")
    PLATFORM = "platform", pgettext_lazy("cause", "Platform unknown")
    HUB = "hub", pgettext_lazy("cause", "Fault of the hub")


CONCERNS_ALL = frozenset(
    {Cause.SESSION, Cause.WITHDRAWN, Cause.MISSING, Cause.SECRET, Cause.CLOCK, Cause.ADDRESS, Cause.LIMIT, Cause.QUOTA}
)
"""Causes that stop every call of a shop or application alike. A missing permission does not: it is one call's."""


def because(cause: Cause, error: E) -> E:
    """Return `error` with its cause noted."""
    error.cause = cause.value
    error.concerns_all = cause in CONCERNS_ALL
    return error


def cause_of(error: Exception) -> str:
    """Return the cause of a failure: the noted one, else what its kind tells."""
    if not isinstance(error, HubError):
        return Cause.HUB.value
    if error.cause:
        return error.cause
    if isinstance(error, AuthorisationError):
        return Cause.SESSION.value
    if isinstance(error, ThrottledError):
        return Cause.QUOTA.value if (error.retry_after or 0) > LONG_WAIT else Cause.LIMIT.value
    return Cause.REFUSED.value if error.permanent else Cause.SERVICE.value
