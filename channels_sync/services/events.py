"""Messages that a platform keeps for a shop until they are confirmed.

    fetch -> store in the inbox (committed) -> confirm -> fetch again, until none are left

Killed between the commit and the confirmation, the same messages come again: their keys are known, nothing doubles.
What they name is fetched when the inbox is drained.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.utils import timezone

from channels_sync.connectors.base import Connector, abilities_of, connectors
from channels_sync.connectors.exchange import Pushed
from channels_sync.models import RunKind, RunState, ShopSync, SyncRun
from channels_sync.services import health, tokens
from orderhub.models import Shop
from orderhub.services import leases
from orderhub.services.inbox import receive_pushes

log = structlog.get_logger(__name__)

LEASE_SECONDS = 150
RUN_SECONDS = 45.0
PAUSE = timedelta(minutes=5)
"""How long a shop is left alone after a failure; the poll brings what its messages tell meanwhile."""


def shops() -> list[int]:
    """Return the active shops whose platforms keep messages; a shop's setting `kept_events: false` leaves it out."""
    platforms = [key for key, connector in connectors.items() if connector.keeps_events]
    found = Shop.objects.filter(is_active=True, platform__in=platforms).exclude(
        settings__contains={"kept_events": False}
    )
    return list(found.order_by("pk").values_list("pk", flat=True))


def take(shop_id: int) -> int | None:
    """Store and confirm the messages that wait for a shop and return how many there were.

    None while another worker does, or while the shop waits after a failure. A failure is told in the log of runs.
    """
    shop = Shop.objects.get(pk=shop_id)
    connector = abilities_of(shop.platform)
    if not connector.keeps_events or _waits(shop):
        return None
    with leases.hold(f"events:{shop_id}", LEASE_SECONDS) as lease:
        if lease is None:
            return None
        started, stored = timezone.now(), [0]
        try:
            _all(shop, connector, lease, stored)
        except Exception as error:  # noqa: BLE001  (told to people; unconfirmed messages come again)
            log.warning("kept messages failed", shop=shop.code, kind=type(error).__name__)
            _log(shop, started, stored[0], RunState.FAILED, health.sentence_of(error))
        else:
            if stored[0]:
                _log(shop, started, stored[0], RunState.DONE, "")
    return stored[0]


def _all(shop: Shop, connector: Connector, lease: leases.HeldLease, stored: list[int]) -> None:
    stop_at = time.monotonic() + RUN_SECONDS
    seen: set[str] = set()
    while time.monotonic() < stop_at and lease.extend(LEASE_SECONDS):
        events = tokens.calling(shop, connector.events)
        fresh = [event for event in events if event.delivery_key not in seen]
        if not fresh:
            return
        _store(shop, events)
        keys = [event.delivery_key for event in events]
        tokens.calling(shop, lambda access, keys=keys: connector.confirm(access, keys))  # type: ignore[misc]
        stored[0] += len(fresh)
        seen.update(keys)


def _store(shop: Shop, events: Sequence[Pushed]) -> None:
    receive_pushes(shop=shop, events=[(e.delivery_key, e.body, e.reader, e.numbers, e.content_type) for e in events])


def _waits(shop: Shop) -> bool:
    """Whether the platform refuses the shop's session, or failed a moment ago."""
    sync = ShopSync.objects.filter(shop=shop).first()
    if sync is not None and sync.error_kind in health.NEEDS_PERSON and not health.is_open(sync, shop):
        return True
    last = SyncRun.objects.filter(shop=shop, kind=RunKind.EVENTS).order_by("-started_at", "-pk").first()
    return last is not None and last.state == RunState.FAILED and last.started_at > timezone.now() - PAUSE


def _log(shop: Shop, started: datetime, count: int, state: str, error: str) -> None:
    SyncRun.objects.create(
        shop=shop, kind=RunKind.EVENTS, window_start=started, window_end=timezone.now(), started_at=started,
        finished_at=timezone.now(), state=state, rows=count, error=error[:2000],
    )  # fmt: skip
    log.info("kept messages stored", shop=shop.code, count=count, state=state)
