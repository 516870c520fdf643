"""Contacts that a platform opens on demand: metered by the day for each shop and person, and logged before the call.

Clear texts are shown and never stored; every look asks the platform again. Masked texts cost nothing: they are fetched
in batches for orders that came with cipher texts only (`services/masks.py`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.connectors.base import AuthorisationError, ThrottledError, abilities_of, connectors
from channels_sync.connectors.exchange import NotOpenedError, Opened, Sealed
from channels_sync.models import PlatformReveal
from channels_sync.services import tokens
from orderhub.core.errors import HubError
from orderhub.core.opening import Opening, OpeningQuota
from orderhub.models import Order, Shop

log = structlog.get_logger(__name__)

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""Platforms count by the days of China."""

TEXTS_A_DAY = 3000
"""Texts that all people together may have opened of a shop in a day, unless its settings say `reveals_per_day`."""
TEXTS_A_PERSON = 150
"""Texts that one person may have opened of all shops in a day; the setting `reveals_per_person` of the shop asked."""
_UNCOUNTED = (ThrottledError, AuthorisationError, NotOpenedError)
"""Answers with which a platform says that it opened nothing."""


def open_at_platform(order_id: int, user_id: int, parts: Sequence[str]) -> Opening | None:
    """Ask the platform for the texts behind an order's cipher texts; None where there are none.

    The caller has checked permission and reason. What cannot be opened, a quota included, is told in words.
    """
    order = Order.objects.select_related("shop", "receiver").get(pk=order_id)
    sealed = [value for value in sealed_of(order) if value.part in parts]
    if not sealed:
        return None
    try:
        call = _book(order, user_id, _cost(sealed))
    except HubError as error:
        return Opening(problem=str(error))
    try:
        connector = connectors.get(order.shop.platform)
        opened = tokens.calling(order.shop, lambda access: connector.reveal(access, sealed))
    except HubError as error:
        _note(call, error)
        return Opening(problem=str(error))
    return _told(call, opened)


def opening_quota(order_id: int, user_id: int) -> OpeningQuota | None:
    """Return what this person may still ask of this order's platform today; None where there is nothing to open."""
    order = Order.objects.select_related("shop", "receiver").get(pk=order_id)
    sealed = sealed_of(order)
    if not sealed:
        return None
    of_shop, of_person = _used(order.shop_id, user_id)
    return OpeningQuota(
        tuple(value.part for value in sealed),
        _cost(sealed),
        _limit(order.shop, "reveals_per_day", TEXTS_A_DAY) - of_shop,
        _limit(order.shop, "reveals_per_person", TEXTS_A_PERSON) - of_person,
    )


def sealed_of(order: Order) -> list[Sealed]:
    """Return the cipher texts of an order that its platform opens."""
    connector = abilities_of(order.shop.platform)
    if not connector.reveals:
        return []
    receiver = getattr(order, "receiver", None)
    return connector.sealed_of(order.external_no, order.extra or {}, receiver.oaid if receiver else "")


def _cost(sealed: Sequence[Sealed]) -> int:
    """Return how many texts the platform counts: a token that opens several parts counts once."""
    return len({value.cipher for value in sealed})


def _used(shop_id: int, user_id: int) -> tuple[int, int]:
    """Return the texts that were counted today of a shop, and of a person for all shops; days are those of China."""
    midnight = timezone.localtime(timezone=SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(sum(texts) FILTER (WHERE shop_id = %(shop)s), 0),
                   coalesce(sum(texts) FILTER (WHERE user_id = %(user)s), 0)
            FROM channels_sync_platformreveal WHERE at >= %(midnight)s AND (shop_id = %(shop)s OR user_id = %(user)s)
            """,
            {"shop": shop_id, "user": user_id, "midnight": midnight},
        )
        of_shop, of_person = cursor.fetchone()
    return int(of_shop), int(of_person)


@transaction.atomic
def _book(order: Order, user_id: int, texts: int) -> PlatformReveal:
    """Count what is about to be asked, before it is asked. Raises HubError when a quota does not suffice."""
    with connection.cursor() as cursor:
        # Two people at once must not both take the last texts.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('platform_reveal'))")
    of_shop, of_person = _used(order.shop_id, user_id)
    limit = _limit(order.shop, "reveals_per_day", TEXTS_A_DAY)
    if of_shop + texts > limit:
        text = _("Today %(used)s of this shop's %(limit)s texts a day were opened; this needs %(texts)s more.")
        raise HubError(text % {"used": of_shop, "limit": limit, "texts": texts})
    limit = _limit(order.shop, "reveals_per_person", TEXTS_A_PERSON)
    if of_person + texts > limit:
        text = _("Today you had %(used)s of your %(limit)s texts a day opened; this needs %(texts)s more.")
        raise HubError(text % {"used": of_person, "limit": limit, "texts": texts})
    return PlatformReveal.objects.create(shop=order.shop, order=order, user_id=user_id, texts=texts)


def _note(call: PlatformReveal, error: HubError) -> None:
    """Keep why nothing came; it stays counted unless the platform surely counted nothing."""
    values: dict[str, Any] = {"error": str(error)[:300]}
    if isinstance(error, _UNCOUNTED):
        values["texts"] = 0
    PlatformReveal.objects.filter(pk=call.pk).update(**values)
    log.warning("platform opened nothing", shop_id=call.shop_id, order_id=call.order_id, kind=type(error).__name__)


def _told(call: PlatformReveal, opened: Sequence[Opened]) -> Opening:
    texts = {found.sealed.part: found.text for found in opened if found.text}
    problems = list(dict.fromkeys(str(found.error) for found in opened if found.error))
    ends: list[datetime] = [found.expires_at for found in opened if found.expires_at and found.kind == "virtual"]
    PlatformReveal.objects.filter(pk=call.pk).update(opened=len(texts), error=" ".join(problems)[:300])
    log.info("platform opened contacts", shop_id=call.shop_id, order_id=call.order_id, texts=len(texts))
    return Opening(texts, min(ends) if ends else None, " ".join(problems))


def _limit(shop: Shop, name: str, default: int) -> int:
    try:
        return max(int(shop.settings.get(name, default)), 0)
    except (TypeError, ValueError):
        return default
