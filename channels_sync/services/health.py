"""What a pull's success or failure means for its shop: backoff, the sentence for people, whether a person is needed."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b

import orjson
import structlog
from django.db.models import Case, F, Q, TextField, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.connectors.base import AuthorisationError, ThrottledError, connectors
from channels_sync.connectors.causes import Cause, cause_of
from channels_sync.models import ErrorKind, ShopSync, TokenState
from orderhub.core.errors import HubError
from orderhub.models import Shop

log = structlog.get_logger(__name__)

FIRST_WAIT = 30
"""Seconds before the second try; each further failure doubles them."""
LONGEST_WAIT = 300
"""A channel that comes back is behind by this much at most; twelve calls an hour to one that is away harm nobody."""
NEEDS_PERSON = frozenset({ErrorKind.AUTHORISATION.value, ErrorKind.PERMANENT.value})


def is_due(sync: ShopSync, shop: Shop) -> bool:
    """Tell whether a shop may be pulled now.

    What needs a person is tried at once when somebody changes credentials or settings, and looked at again from time to
    time: platforms refuse a good session now and then, and a permission may be granted meanwhile.
    """
    if sync.error_kind in NEEDS_PERSON and sync.failed_with != fingerprint(shop):
        return True
    return sync.next_attempt_at is None or sync.next_attempt_at <= timezone.now()


def is_open(sync: ShopSync, shop: Shop) -> bool:
    """Tell whether anything but a pull may call the platform now: while a person is needed, the pull alone looks."""
    needs_person = sync.error_kind in NEEDS_PERSON and sync.failed_with == fingerprint(shop)
    return not needs_person and is_due(sync, shop)


def record_success(shop: Shop, *, is_complete: bool) -> None:
    """Note that the channel answered; `is_complete` when everything up to now is in.

    The session is good by that. That it was not renewed when the platform refused it for a while is no trouble any
    more, unless its renewal is due by now.
    """
    now = timezone.now()
    is_far = Q(token_expires_at=None) | Q(token_expires_at__gt=now + connectors.get(shop.platform).renews_within)
    ShopSync.objects.filter(shop=shop).update(
        consecutive_failures=0, last_error="", error_kind=ErrorKind.NONE, error_cause="", failed_with=None,
        next_attempt_at=None, token_state=TokenState.VALID,
        last_success_at=now if is_complete else F("last_success_at"),
        token_error=Case(When(is_far, then=Value("")), default=F("token_error"), output_field=TextField()),
    )  # fmt: skip


def record_failure(shop: Shop, error: Exception, *, has_read: bool = False) -> str:
    """Note what went wrong and when to try again, and return the sentence for people.

    A run that `has_read` something before it failed shows that the platform answers: failures before it do not count.
    """
    kind, sentence = _kind(error), sentence_of(error)
    sync = ShopSync.objects.get(shop=shop)
    failures = 1 if has_read else sync.consecutive_failures + 1
    asked = error.retry_after if isinstance(error, HubError) else None
    wait = asked or min(FIRST_WAIT * 2 ** (min(failures, 10) - 1), LONGEST_WAIT)
    if kind == ErrorKind.PERMANENT:
        wait = LONGEST_WAIT
    ShopSync.objects.filter(pk=sync.pk).update(
        consecutive_failures=failures, last_error=sentence, error_kind=kind,
        error_cause=cause_of(error),
        next_attempt_at=timezone.now() + timedelta(seconds=wait),
        failed_with=fingerprint(shop) if kind in NEEDS_PERSON else None,
        token_state=TokenState.REFUSED if kind == ErrorKind.AUTHORISATION else sync.token_state,
    )  # fmt: skip
    log.warning("pull failed", shop=shop.code, kind=kind, failures=failures, wait=wait)
    return sentence


def try_again(*, shop_ids: Sequence[int], actor: str) -> int:
    """Let shops be tried at the next run whatever they wait for, and return how many there were."""
    count = ShopSync.objects.filter(shop_id__in=shop_ids).update(next_attempt_at=None, failed_with=None)
    log.info("pulls to be tried again", count=count, actor=actor)
    return count


def record_unknown_platform(shop: Shop) -> None:
    """Note that no connector knows the shop's platform; it is shown, never a crash."""
    sentence = _("No connector knows the platform %(platform)s.") % {"platform": shop.platform}
    ShopSync.objects.update_or_create(
        shop=shop,
        defaults={
            "last_error": sentence,
            "error_kind": ErrorKind.PERMANENT.value,
            "error_cause": Cause.PLATFORM.value,
        },
    )


def fingerprint(shop: Shop) -> int:
    """Return a number that changes when the shop's credentials or settings are changed."""
    digest = blake2b(bytes(shop.sealed_credentials or b""), digest_size=8)
    digest.update(orjson.dumps([shop.platform, shop.settings], option=orjson.OPT_SORT_KEYS))
    return int.from_bytes(digest.digest(), "big", signed=True)


def _kind(error: Exception) -> str:
    if isinstance(error, AuthorisationError):
        return ErrorKind.AUTHORISATION.value
    if isinstance(error, ThrottledError):
        return ErrorKind.THROTTLED.value
    if isinstance(error, HubError) and error.permanent:
        return ErrorKind.PERMANENT.value
    return ErrorKind.TEMPORARY.value


def sentence_of(error: Exception) -> str:
    """Return what went wrong for people; what is not an expected failure shows by its kind only."""
    if isinstance(error, HubError):
        return str(error)[:1000]
    return _("The hub itself failed: %(reason)s") % {"reason": type(error).__name__}
