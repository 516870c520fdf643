"""What the answers of the Douyin gateway mean: whether it passes, and what a person has to do.

Sources: protocol reference 4.3; the return codes of each call as published SDKs list them. The sub code decides first,
since sources differ on which main code carries it.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.causes import Cause, because
from channels_sync.connectors.exchange import QuotaReachedError
from orderhub.core.errors import HubError, TemporaryError

PAUSE_SECONDS = 1.0
"""The wait after a call-limit answer: it names no seconds, and the limit counts calls per second."""
REVIEW_SECONDS = 1800.0
"""A risk review takes one to two hours, so asking again sooner helps nobody."""

_TEMPORARY_CODES = frozenset({20000, 90000})
_BUSY = frozenset(
    {
        "8888", "20004", "20045", "20055", "20100", "31012", "60106", "60114", "60118", "60121", "60124", "60125",
        "60132", "70009", "70011", "120018", "120032", "2010401", "40004",
    }
)  # fmt: skip
"""Numbers behind `isv.…:` that mean "busy, try again", although the main code says that the business failed."""
_REPEATED = frozenset({"40010", "2010021"})
_IN_REVIEW = "60109"
_SHIPPED = frozenset({"60110", "60113", "70023"})
_REFUND_OPEN = frozenset({"60040", "60068", "60120"})
_SERVICE = ("isv.business-failed", "isv.parameter-invalid", "isv.missing-parameter")
"""Sub codes of the service behind the gateway; they concern one object."""


class RefusedError(HubError):
    """The platform refuses this one object; other calls are not concerned."""


class RepeatedError(RefusedError):
    """The platform has done this very call before."""


_QUOTA = "300003"


class ShippedError(RefusedError):
    """The order was shipped or closed before."""


_CALLER: tuple[tuple[frozenset[str], frozenset[int], type[HubError], Cause, Promise], ...] = (
    (
        frozenset({"isv.access-token-expired", "isv.access-token-no-existed", "isv.access-token-invalid"}),
        frozenset(),
        AuthorisationError,
        Cause.SESSION,
        gettext_lazy(
            "The access token has run out or is unknown (%(sub_code)s): refresh it or authorise the shop again."
        ),
    ),
    (
        frozenset({"dop.authorization-no-existed", "dop.authorization-closed"}),
        frozenset(),
        AuthorisationError,
        Cause.WITHDRAWN,
        gettext_lazy("The shop has withdrawn its authorisation (%(sub_code)s): authorise the shop again."),
    ),
    (
        frozenset({"dop.token-generate-failed"}),
        frozenset({50001}),
        AuthorisationError,
        Cause.SESSION,
        gettext_lazy("The platform hands out no new token (%(sub_code)s): authorise the shop again."),
    ),
    (
        frozenset({"isv.traffic-limited"}),
        frozenset({60000}),
        ThrottledError,
        Cause.LIMIT,
        gettext_lazy("The platform limits the calls (code %(code)s)."),
    ),
    (
        frozenset({"isv.signature-invalid", "isv.signature-missing"}),
        frozenset(),
        HubError,
        Cause.SECRET,
        gettext_lazy("The platform refuses the signature (%(sub_code)s): the application secret is wrong."),
    ),
    (
        frozenset({"isv.timestamp-invalid", "isv.timestamp-format-error"}),
        frozenset(),
        TemporaryError,
        Cause.CLOCK,
        gettext_lazy(
            "The platform finds the time of the request wrong (code %(code)s): set the clock of this machine."
        ),
    ),
    (
        frozenset({"isv.invalid_ip"}),
        frozenset(),
        HubError,
        Cause.ADDRESS,
        gettext_lazy(
            "The platform does not know the address of this server (%(sub_code)s): allow it for the application."
        ),
    ),
    (
        frozenset({"dop.no-permissions", "isv.app-permissions-insufficient", "dop.app-forbidden"}),
        frozenset({30001, 30002}),
        HubError,
        Cause.RIGHTS,
        gettext_lazy(
            "The application has no right to this call (%(sub_code)s): ask the platform for the permission package."
        ),
    ),
)
"""What the gateway itself says of the caller, before the call reaches a service: sub codes, codes, error, cause,
sentence."""


def douyin_error(code: int, sub_code: str, message: str) -> HubError:
    """Return the error that one answer means."""
    family, _colon, number = sub_code.partition(":")
    detail = {"code": code, "sub_code": sub_code or "-", "message": message}
    for families, codes, kind, cause, sentence in _CALLER:
        if family in families or (code in codes and not family.startswith(_SERVICE)):
            wait = PAUSE_SECONDS if kind is ThrottledError else None
            return because(cause, kind(str(sentence) % detail, retry_after=wait))
    text = _("The platform refused the call: %(message)s (code %(code)s, %(sub_code)s)") % detail
    if family == "isv.idempotent-id-existed" or number in _REPEATED:
        return RepeatedError(text)
    if number == _IN_REVIEW:
        review = _("The platform is reviewing this order; it may ship when that is over.")
        return TemporaryError(review, retry_after=REVIEW_SECONDS)
    if family.startswith(("isp.", "dop.service-error")) or number in _BUSY:
        return TemporaryError(text)
    return _refusal(code, family, number, text)


def _refusal(code: int, family: str, number: str, text: str) -> HubError:
    if number == _QUOTA:
        reached = _("The platform opens no more contacts today: its quota is used up. %(text)s")
        return QuotaReachedError(reached % {"text": text})
    if number in _SHIPPED:
        return ShippedError(text)
    if number in _REFUND_OPEN:
        return RefusedError(_("The buyer has asked for a refund: settle it before shipping. %(text)s") % {"text": text})
    if family.startswith(_SERVICE):
        return RefusedError(text)
    return TemporaryError(text) if code in _TEMPORARY_CODES else HubError(text)
