"""What the numbers of the WeChat shop API mean (protocol reference 5.4).

Source: developers.weixin.qq.com `doc/oplatform/developers/errCode/errCode.html`.
"""

from datetime import UTC, datetime, timedelta, timezone

from django.utils.translation import gettext as _

from channels_sync.connectors.base import AuthorisationError, ThrottledError
from channels_sync.connectors.causes import Cause, because
from orderhub.core.errors import HubError, TemporaryError

SHANGHAI = timezone(timedelta(hours=8))
TOKEN_CODES = frozenset({40001, 40014, 41001, 42001})
SECRET_CODES = frozenset({40013, 40125, 40243})
"""Wrong application id, wrong or frozen secret."""
ADDRESS_CODES = frozenset({40164, 61004})
RIGHTS_CODES = frozenset({48001, 50002})
CURSOR_LOST = 606006
TOO_MANY_ROWS = 31042
DAY_LIMIT, MINUTE_LIMIT = 45009, 45011
BUSY, CHANGED_TOO_OFTEN = -1, 100003
CHANGED_PAUSE = 5.0
"""Seconds to leave an order alone that was changed too often."""


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


def address_error() -> HubError:
    """Return the error of a caller whose IP address is not on the shop's allow list."""
    text = _("The platform does not know this server's address: add it to the allow list of the shop.")
    return because(Cause.ADDRESS, HubError(text))


def _limit(code: int, now: datetime) -> ThrottledError:
    """The limit of a minute ends with the minute, that of a day at midnight in China."""
    local = now.astimezone(SHANGHAI)
    if code == MINUTE_LIMIT:
        end = local.replace(second=0, microsecond=0) + timedelta(minutes=1)
    else:
        end = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    seconds = max((end - local).total_seconds(), 1.0)
    text = _("The platform limits the calls (code %(code)s): it asks to wait %(seconds)s seconds.")
    error = ThrottledError(text % {"code": code, "seconds": f"{seconds:.0f}"}, retry_after=seconds)
    return because(Cause.LIMIT if code == MINUTE_LIMIT else Cause.QUOTA, error)
