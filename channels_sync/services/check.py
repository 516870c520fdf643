"""Trying a shop's connection: one real call over the whole way, of which nothing is stored."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.connectors.base import ShopAccess, Window, abilities_of, connectors
from channels_sync.connectors.causes import Cause, cause_of
from channels_sync.services import health, tokens
from orderhub.core.crypto import UnreadableError
from orderhub.core.errors import HubError
from orderhub.models import Shop
from orderhub.services import leases

log = structlog.get_logger(__name__)

LEASE_SECONDS = 90
SPAN = timedelta(seconds=5)
DELAY = timedelta(seconds=10)
"""The call asks for what changed in five seconds, ten seconds ago: as little as a platform can be asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it. `sentence` is the platform's reason, `cause` the word that advice is looked up by; both are
    empty when it worked. `took_ms` is the time of the whole call."""

    is_ok: bool
    took_ms: int
    sentence: str = ""
    cause: str = ""


def try_connection(*, shop_id: int, actor: str) -> Answer:
    """Ask the platform of a shop for the changes of a few seconds and tell how it went.

    Credentials, signature, clock, address and rights are all tried by it; a session that ran out is renewed. A shop
    whose pull waited for a person is pulled again when it worked. Raises HubError where there is nothing to ask, and
    while another test of this shop runs.
    """
    shop = Shop.objects.get(pk=shop_id)
    if not abilities_of(shop.platform).pulls:
        raise HubError(_("This shop is not pulled from: there is nothing to try."))
    with leases.hold(f"check:{shop_id}", LEASE_SECONDS) as lease:
        if lease is None:
            raise HubError(_("A test of this shop is running already."))
        answer = _ask(shop)
    log.info("connection tried", shop=shop.code, ok=answer.is_ok, cause=answer.cause, actor=actor)
    if answer.is_ok:
        health.try_again(shop_ids=[shop.pk], actor=actor)
    return answer


def _ask(shop: Shop) -> Answer:
    started = time.monotonic()
    try:
        tokens.calling(shop, lambda access: _first_page(shop, access))
    except HubError as error:
        return Answer(False, _ms(started), str(error), cause_of(error))
    except UnreadableError:
        text = _("The sealed data cannot be opened: a data key is missing.")
        return Answer(False, _ms(started), text, Cause.MISSING.value)
    return Answer(True, _ms(started))


def _first_page(shop: Shop, access: ShopAccess) -> None:
    """Ask for one page; calling every order known keeps the details of single orders from being fetched."""
    end = timezone.now().replace(microsecond=0) - DELAY
    pages = connectors.get(shop.platform).pull(replace(access, known=_all), Window(end - SPAN, end))
    next(iter(pages), None)


def _all(versions: Mapping[str, datetime]) -> set[str]:
    return set(versions)


def _ms(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
