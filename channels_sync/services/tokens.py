"""The life of a shop's session: obtained once, renewed before it ends, one worker at a time.

Who renews holds a lease of the shop, asks the platform outside of any transaction and stores the answer only if the
stored session is still the one that was renewed; who comes second uses the new one. That a renewal was asked for is
noted first: should its worker die before the answer is stored, the old refresh token is tried again, and where the
platform took it only once, people read just that.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.connectors.base import AuthorisationError, Connector, ShopAccess, abilities_of, connectors
from channels_sync.models import ShopSync, TokenState
from channels_sync.services import health
from channels_sync.services.access import shop_access
from orderhub.core.crypto import UnreadableError
from orderhub.core.errors import HubError, TemporaryError
from orderhub.models import Shop
from orderhub.services import leases

log = structlog.get_logger(__name__)
T = TypeVar("T")

LEASE_SECONDS = 120
"""Longer than one renewal with its repeats may take."""
WAIT_SECONDS = 15.0
"""How long a call whose session was refused waits for another worker's renewal."""
LOOK_SECONDS = 0.2
SHORTEST_RETRY, LONGEST_RETRY = 60.0, 3600.0
EXPIRES, EXPIRES_OF = "expires_at", "expires_of"
SECRETS = ("access_token", "session", "refresh_token", "authorization_code")
"""What makes a session: while these are as they were, an answer belongs to what is stored."""


class Renewal(StrEnum):
    """What became of one attempt."""

    STORED = "stored"
    CURRENT = "current"
    """Somebody else stored a new session meanwhile, or none is due."""
    BUSY = "busy"
    FAILED = "failed"
    REFUSED = "refused"
    """Only a person can help."""


def keep_fresh() -> dict[str, str]:
    """Renew every session that is about to end and return what became of each, by shop; one query when none is."""
    found = {}
    for shop in Shop.objects.filter(is_active=True).exclude(sealed_credentials=b"").select_related("sync"):
        if shop.platform in connectors and _is_due(shop, connectors.get(shop.platform)):
            found[shop.code] = renew(shop.pk).value
    return found


def renew(shop_id: int, *, refused: str | None = None, force: bool = False) -> Renewal:
    """Renew the session of a shop if that is due and say what became of it; a platform that fails raises nothing.

    `refused` is the session that the platform did not accept a moment ago: when another one is stored already, nothing
    is asked, and another worker's renewal is waited for. `force` renews one that is not due.
    """
    deadline = time.monotonic() + (WAIT_SECONDS if refused is not None else 0.0)
    while True:
        with leases.hold(f"token:{shop_id}", LEASE_SECONDS) as lease:
            if lease is not None:
                return _renew(Shop.objects.get(pk=shop_id), refused, force=force)
        if refused is not None and _token(Shop.objects.get(pk=shop_id)) != refused:
            return Renewal.CURRENT
        if time.monotonic() >= deadline:
            return Renewal.BUSY
        time.sleep(LOOK_SECONDS)


def renew_now(*, shop_id: int, actor: str) -> None:
    """Renew the session of a shop because a person wants it.

    Raises HubError with what to do instead: where nothing renews it, where the platform does not renew it yet, where
    the platform fails or refuses.
    """
    shop = Shop.objects.get(pk=shop_id)
    connector = abilities_of(shop.platform)
    if not _may_renew(shop, connector):
        raise HubError(_("Nothing is stored that renews this session: authorise the shop again."))
    ends = ends_at(shop.credentials, connector)
    if ends is not None and not connector.learns_end and ends - timezone.now() > connector.renews_within:
        begin = timezone.localtime(ends - connector.renews_within)
        text = _("The platform renews a session only towards its end: this one from %(time)s on, by itself.")
        raise HubError(text % {"time": f"{begin:%Y-%m-%d %H:%M}"})
    log.info("renewal wanted", shop=shop.code, actor=actor)
    outcome = renew(shop_id, force=True)
    if outcome == Renewal.BUSY:
        raise HubError(_("The session of this shop is being renewed just now; try again in a minute."))
    if outcome in {Renewal.FAILED, Renewal.REFUSED}:
        raise HubError(ShopSync.objects.values_list("token_error", flat=True).get(shop_id=shop_id))


class ShopOffError(TemporaryError):
    """The shop is switched off: its channel is told nothing, and all that there is to tell waits."""

    concerns_all = True


def telling(shop: Shop, call: Callable[[ShopAccess], T]) -> T:
    """As `calling`, for effects: a shop that is switched off waits. Raises ShopOffError, and what `calling` raises."""
    if not shop.is_active:
        raise ShopOffError(_("The shop is switched off: this is told to its channel once it is on again."))
    return calling(shop, call)


def calling(shop: Shop, call: Callable[[ShopAccess], T]) -> T:
    """Return `call` of the shop's access. A session that the platform refuses is renewed, then it is called once more.

    Raises what `call` raises; a second refusal is noted in the shop's state first. Not inside a transaction.
    """
    try:
        return call(shop_access(shop))
    except AuthorisationError:
        if not renewed_after_refusal(shop):
            raise
    try:
        return call(shop_access(shop))
    except AuthorisationError as error:
        note_refused(shop, error)
        raise


def renewed_after_refusal(shop: Shop) -> bool:
    """Renew the session of `shop` that the platform just refused; true when there is another one, which `shop` has now.

    A session that the platform refused to renew before is not asked for again.
    """
    connector = connectors.get(shop.platform)
    sync, _is_new = ShopSync.objects.get_or_create(shop=shop)
    if not _may_renew(shop, connector) or (_has_failed(sync, shop) and sync.token_retry_at is None):
        return False
    outcome = renew(shop.pk, refused=_token(shop))
    shop.refresh_from_db(fields=["sealed_credentials"])
    return outcome in {Renewal.STORED, Renewal.CURRENT}


def note_refused(shop: Shop, error: AuthorisationError) -> None:
    """Note that the platform does not accept the shop's session: a person has to authorise it."""
    ShopSync.objects.update_or_create(
        shop=shop, defaults={"token_state": TokenState.REFUSED, "token_error": str(error)[:1000]}
    )


def obtain(*, shop_id: int, code: str, actor: str) -> datetime | None:
    """Exchange the code of an authorisation for a session, store it, and return when it ends (None: not told).

    Raises HubError with the platform's reason, or for the session of another account; nothing is changed then.
    """
    shop = Shop.objects.get(pk=shop_id)
    connector = abilities_of(shop.platform)
    if not connector.authorises:
        raise HubError(_("This platform hands out no session for a code."))
    code = code.strip()
    if not code:
        raise HubError(_("Paste the code that the platform shows after the authorisation."))
    with leases.hold(f"token:{shop_id}", LEASE_SECONDS) as lease:
        if lease is None:
            raise HubError(_("The session of this shop is being renewed just now; try again in a minute."))
        changes = connector.obtain_token(shop_access(shop), code)
        _check_account(shop, connector, changes)
        _store(shop, connector, changes, used=None)
    log.info("shop authorised", shop=shop.code, actor=actor)
    return ends_at(Shop.objects.get(pk=shop_id).credentials, connector)


def ends_at(credentials: Mapping[str, Any], connector: Connector) -> datetime | None:
    """Return when the stored session ends, in UTC; None when that is not known for this very session."""
    try:
        moment = datetime.fromisoformat(str(credentials.get(EXPIRES, "")))
    except ValueError:
        return None
    of = credentials.get(EXPIRES_OF)
    if moment.tzinfo is None or (of and of != _digest(str(credentials.get(connector.session_field, "")))):
        return None
    return moment.astimezone(UTC)


def _is_due(shop: Shop, connector: Connector) -> bool:
    """Whether the session has to be renewed now; brings the copy of its end up to date by the way."""
    sync: ShopSync | None = getattr(shop, "sync", None)
    try:
        ends = ends_at(shop.credentials, connector)
        may_renew = _may_renew(shop, connector)
    except UnreadableError:
        log.warning("credentials cannot be opened", shop=shop.code)
        return False
    if sync is not None and sync.token_expires_at != ends:
        ShopSync.objects.filter(pk=sync.pk).update(token_expires_at=ends)
    if not may_renew:
        return False
    now = timezone.now()
    wanted = connector.learns_end if ends is None else ends - now <= connector.renews_within
    if not wanted or sync is None or not _has_failed(sync, shop):
        return wanted
    return sync.token_retry_at is not None and sync.token_retry_at <= now


def _has_failed(sync: ShopSync, shop: Shop) -> bool:
    """Whether the last failure belongs to what is stored now; without a time for the next try it was a refusal."""
    return sync.token_failed_with is not None and sync.token_failed_with == health.fingerprint(shop)


def _may_renew(shop: Shop, connector: Connector) -> bool:
    return connector.refreshes and connector.can_renew(shop.credentials)


def _renew(shop: Shop, refused: str | None, *, force: bool) -> Renewal:
    """Renew under the lease; everything is read again, for another worker may have been faster."""
    connector = connectors.get(shop.platform)
    sync, _is_new = ShopSync.objects.get_or_create(shop=shop)
    shop.sync = sync
    if refused is None and not force and not _is_due(shop, connector):
        return Renewal.CURRENT
    if refused is not None and _token(shop) != refused:
        return Renewal.CURRENT
    lost = sync.token_asked_at
    ShopSync.objects.filter(pk=sync.pk).update(token_asked_at=timezone.now())
    try:
        changes = connector.refresh_token(shop_access(shop))
    except HubError as error:
        return _note_failure(shop, connector, error, lost)
    return Renewal.STORED if _store(shop, connector, changes, used=shop.credentials) else Renewal.CURRENT


def _check_account(shop: Shop, connector: Connector, changes: Mapping[str, Any]) -> None:
    """Raise HubError for the session of another account: its orders would come in under this shop, and this
    shop's stock and parcels would go there."""
    known, told = (str(values.get(connector.account_field) or "").strip() for values in (shop.credentials, changes))
    if known and told and known != told:
        text = _(
            "The platform authorised the account %(told)s, but this shop is %(known)s: nothing was changed. Log in "
            "there with the right account. Should the shop have moved to the other one, forget its stored credentials "
            "first."
        )
        raise HubError(text % {"told": told, "known": known})


@transaction.atomic
def _store(shop: Shop, connector: Connector, changes: Mapping[str, Any], *, used: Mapping[str, Any] | None) -> bool:
    """Store a new session; false, and nothing stored, when `used` is no longer the stored one."""
    stored = Shop.objects.select_for_update().get(pk=shop.pk)
    present = stored.credentials
    if used is not None and any(present.get(name) != used.get(name) for name in SECRETS):
        log.info("another session was stored meanwhile", shop=shop.code)
        return False
    merged = {**present, EXPIRES: "", **changes}
    merged[EXPIRES_OF] = _digest(str(merged.get(connector.session_field, "")))
    stored.credentials = merged
    stored.save(update_fields=["sealed_credentials"])
    ShopSync.objects.update_or_create(
        shop=stored,
        defaults={
            "token_expires_at": ends_at(merged, connector), "token_renewed_at": timezone.now(), "token_error": "",
            "token_retry_at": None, "token_failed_with": None, "token_asked_at": None,
            "token_state": TokenState.VALID,
        },
    )  # fmt: skip
    log.info("session stored", shop=shop.code)
    return True


def _note_failure(shop: Shop, connector: Connector, error: HubError, lost: datetime | None) -> Renewal:
    is_final = isinstance(error, AuthorisationError)
    ends = ends_at(shop.credentials, connector)
    left = (ends - timezone.now()).total_seconds() if ends else 0.0
    wait = error.retry_after or min(max(left / 20, SHORTEST_RETRY), LONGEST_RETRY)
    values: dict[str, Any] = {
        "token_error": _words(error, lost if is_final else None)[:1000],
        "token_retry_at": timezone.now() + timedelta(seconds=LONGEST_RETRY if error.permanent else wait),
        "token_failed_with": health.fingerprint(shop),
    }
    if is_final:
        values |= {"token_state": TokenState.REFUSED, "token_retry_at": None, "token_asked_at": None}
    ShopSync.objects.filter(shop=shop).update(**values)
    log.warning("session not renewed", shop=shop.code, is_final=is_final, error=type(error).__name__)
    return Renewal.REFUSED if is_final else Renewal.FAILED


def _words(error: HubError, lost: datetime | None) -> str:
    if lost is None:
        return str(error)
    text = _(
        "The answer to a renewal at %(time)s was lost, and the platform takes a refresh token only once: authorise the "
        "shop again. (%(reason)s)"
    )
    return text % {"time": f"{timezone.localtime(lost):%m-%d %H:%M}", "reason": error}


def _token(shop: Shop) -> str:
    return str(shop.credentials.get(connectors.get(shop.platform).session_field, ""))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()[:16]
