"""What the numbers of the WeChat shop API mean (protocol reference 5.4).

Source: developers.weixin.qq.com `doc/oplatform/developers/errCode/errCode.html`.
"""

from datetime import UTC, datetime, timedelta

from django.utils.translation import gettext as _

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.causes import Cause, because, cause_of
from channels_sync.connectors.exchange import NotOpenedError, QuotaReachedError
from channels_sync.connectors.fields import SHANGHAI
from orderhub.core.errors import HubError, TemporaryError

TOKEN_CODES = frozenset({40001, 40014, 41001, 42001})
SECRET_CODES = frozenset({40013, 40125, 40243})
"""Wrong application id, wrong or frozen secret."""
ADDRESS_CODES = frozenset({40164, 61004})
RIGHTS_CODES = frozenset({48001, 50002})
CURSOR_LOST = 606006
TOO_MANY_ROWS = 31042
DAY_LIMIT, MINUTE_LIMIT = 45009, 45011
PROBE_SECONDS = 300.0
BUSY, CHANGED_TOO_OFTEN = -1, 100003
CHANGED_PAUSE = 5.0
"""Seconds to leave an order alone that was changed too often."""
CONTACT_QUOTA, CONTACTS_TOO_FAST = 10020123, 10020198
CONTACT_PAUSE = 5.0
"""Seconds until a contact may be asked for again; the platform says "later"."""
CONTACT_STATES = frozenset({10020124, 10020503})
"""Not paid; cancelled, or completed and past its after-sales."""
NO_FURTHER_NUMBER = frozenset({6060453, 6060455})
"""No order with a virtual number; as many further ones as an order may have."""


class TokenRefusedError(AuthorisationError):
    """The token is not valid (any more); another one may be."""


class RefusedError(HubError):
    """The platform refuses this one call with `code`; other calls are not concerned."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def wechat_error(code: int, message: str, now: datetime | None = None) -> HubError:
    """Return the error that `errcode` means: whether it passes, when, and what a person has to do."""
    detail = {"code": code, "message": message}
    if code in TOKEN_CODES:
        return TokenRefusedError(_("The platform does not accept the access token (code %(code)s).") % detail)
    if code in SECRET_CODES:
        text = _("The platform refuses app id or app secret (code %(code)s): enter them again.")
        return because(Cause.SECRET, AuthorisationError(text % detail))
    if code in ADDRESS_CODES:
        return address_error()
    if code in RIGHTS_CODES:
        text = _("The shop may not make this call (code %(code)s): ask for the right in the shop's back office.")
        return because(Cause.RIGHTS, AuthorisationError(text % detail))
    if code in {DAY_LIMIT, MINUTE_LIMIT}:
        return _limit(code, now or datetime.now(UTC))
    text = _("The platform refused the call: %(message)s (code %(code)s)") % detail
    if code == BUSY:
        return TemporaryError(text)
    if code == CHANGED_TOO_OFTEN:
        return TemporaryError(text, retry_after=CHANGED_PAUSE)
    return RefusedError(text, code)


def contact_error(error: HubError) -> HubError:
    """Return what the error of a call for contacts means to the person who asked.

    A right or a quota that this call lacks says nothing of the shop's session: orders come in as before. Numbers: the
    pages of the calls named in `receivers.py`.
    """
    cause = cause_of(error)
    code = error.code if isinstance(error, RefusedError) else 0
    if cause == Cause.RIGHTS:
        return because(Cause.RIGHTS, NotOpenedError(str(error)))
    if cause == Cause.QUOTA or code == CONTACT_QUOTA:
        text = _(
            "The platform opens no more contacts: the shop's quota is used up; its back office grants more. %(text)s"
        )
        return because(Cause.QUOTA, QuotaReachedError(text % {"text": error}))
    if code == CONTACTS_TOO_FAST:
        text = _("The platform opens contacts one after the other: try again in a few seconds.")
        return because(Cause.LIMIT, ThrottledError(text, retry_after=CONTACT_PAUSE))
    if code in CONTACT_STATES:
        text = _(
            "The platform opens no contacts of orders that are unpaid, cancelled or past their after-sales. %(text)s"
        )
        return NotOpenedError(text % {"text": error})
    if code in NO_FURTHER_NUMBER:
        text = _("The platform gives no further virtual number for this order. %(text)s")
        return NotOpenedError(text % {"text": error})
    return NotOpenedError(str(error)) if code else error


def address_error() -> HubError:
    """Return the error of a caller whose IP address is not on the shop's allow list."""
    text = _("The platform does not know this server's address: add it to the allow list of the shop.")
    return because(Cause.ADDRESS, HubError(text))


def _limit(code: int, now: datetime) -> ThrottledError:
    """The limit of a minute ends with the minute, that of a day at midnight in China; as a shop may ask for more, one
    call in five minutes looks whether it has."""
    local = now.astimezone(SHANGHAI)
    if code == MINUTE_LIMIT:
        end = local.replace(second=0, microsecond=0) + timedelta(minutes=1)
    else:
        end = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    seconds = max((end - local).total_seconds(), 1.0)
    text = _("The platform limits the calls (code %(code)s): it asks to wait %(seconds)s seconds.")
    wait = min(seconds, PROBE_SECONDS)
    error = ThrottledError(text % {"code": code, "seconds": f"{seconds:.0f}"}, retry_after=wait)
    return because(Cause.LIMIT if code == MINUTE_LIMIT else Cause.QUOTA, error)
