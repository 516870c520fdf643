"""Reading the state of the synchronisation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, Q
from django.utils import timezone
from django.utils.functional import Promise

from channels_sync.connectors import options
from channels_sync.connectors.base import connectors
from channels_sync.connectors.readback import is_refusal
from channels_sync.models import ErrorKind, ShopSync
from orderhub.models import Reject, Shop
from orderhub.services.bulk import OF_SHOP, WANTED, listed

LATE = timedelta(minutes=5)
"""A shop that is pulled every minute is shown as late when it is this far behind its channel: five missed runs."""
PULL_MINUTES, MOST_PULL_MINUTES = 1, 30
"""How often a shop is pulled unless its settings say `pull_minutes`, and the longest that they may say."""
ALMOST = timedelta(seconds=30)
"""The job that starts pulls is not on time to the second: what is due within this is due."""
REJECTS_LOOKED_AT = timedelta(hours=1)


def pulling_platforms() -> list[str]:
    """Return the platforms that are pulled from."""
    return [key for key, connector in connectors.items() if connector.pulls]


def pull_interval(shop_settings: Mapping[str, Any]) -> timedelta:
    """Return how much time a shop wants between two of its pulls."""
    return timedelta(
        minutes=options.number(shop_settings, "pull_minutes", PULL_MINUTES, PULL_MINUTES, MOST_PULL_MINUTES)
    )


def may_lag(shop_settings: Mapping[str, Any], limit: timedelta = LATE) -> timedelta:
    """Return how far behind its channel a shop may be before that says anything: `limit` and what it rests by its own
    wish."""
    return limit + pull_interval(shop_settings) - timedelta(minutes=PULL_MINUTES)


def is_late(sync: ShopSync, limit: timedelta = LATE) -> bool:
    """Tell whether a shop is too far behind its channel, or nobody knows how far."""
    allowed = may_lag(sync.shop.settings, limit) + timedelta(seconds=sync.clock_ahead)
    return sync.lag is None or sync.lag > allowed


def has_rested(shop_settings: Mapping[str, Any], last_attempt_at: datetime | None, failures: int) -> bool:
    """Tell whether the time between two pulls is over; after a failure another clock counts."""
    interval = pull_interval(shop_settings)
    if failures or last_attempt_at is None or interval <= timedelta(minutes=PULL_MINUTES):
        return True
    return timezone.now() >= last_attempt_at + interval - ALMOST


def due_shops() -> list[int]:
    """Return the active shops whose pull is due now, those that waited longest first. One query.

    A shop that needs a person is among them: the beginning of its pull notices whether somebody changed something.
    """
    waiting = Q(sync__next_attempt_at__isnull=True) | Q(sync__next_attempt_at__lte=timezone.now())
    waiting |= Q(sync__error_kind__in=[ErrorKind.AUTHORISATION, ErrorKind.PERMANENT])
    shops = Shop.objects.filter(waiting, is_active=True, platform__in=pulling_platforms())
    ordered = shops.order_by(F("sync__last_attempt_at").asc(nulls_first=True), "pk")
    rows = ordered.values_list("pk", "settings", "sync__last_attempt_at", "sync__consecutive_failures")
    return [pk for pk, *state in rows if has_rested(*state)]


def retries() -> dict[int, datetime]:
    """Return the active shops whose wait after a failed pull is over, with the moment when it was. One query."""
    rows = ShopSync.objects.filter(
        next_attempt_at__lte=timezone.now(), shop__is_active=True, shop__platform__in=pulling_platforms()
    )
    return {shop_id: since for shop_id, since in rows.values_list("shop_id", "next_attempt_at") if since}


def known_versions(shop_id: int, versions: Mapping[str, datetime]) -> set[str]:
    """Return the order numbers that the pool has in this version or a newer one, or has refused in this version.

    Overlapping windows list most orders several times; this keeps their details from being fetched again.
    """
    if not versions:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT o.external_no, o.modified_at FROM {WANTED} CROSS JOIN LATERAL (
                SELECT external_no, modified_at FROM orderhub_order
                WHERE {OF_SHOP} AND external_no = wanted.key LIMIT 1) AS o
            """,  # noqa: S608  (a constant)
            [listed(versions), shop_id],
        )
        known = {number for number, modified_at in cursor.fetchall() if modified_at >= versions[number]}
    left = {number: at for number, at in versions.items() if number not in known}
    return known | refused_versions(shop_id, left, since=timezone.now() - REJECTS_LOOKED_AT)


def refused_versions(
    shop_id: int, versions: Mapping[str, datetime], *, since: datetime | None = None
) -> set[str]:  # fmt: skip
    """Return the order numbers of which an open reject (made after `since`) holds a row of this version: it carries the
    same modification time.

    An order that its platform refused to show is none of them: it is asked for as long as overlapping windows list it.
    Nor is one whose reject was erased or no data key opens: what the platform shows of it can be read.
    """
    rejects = Reject.objects.filter(shop_id=shop_id, state="open", external_no__in=list(versions))
    if since:
        rejects = rejects.filter(created_at__gt=since)
    found = set()
    for reject in rejects.only("external_no", "packed_row")[:500]:
        moment = versions[reject.external_no].astimezone(_SHANGHAI)
        written = (f"{moment:%Y-%m-%d %H:%M:%S}", f"{moment.timestamp():.0f}")
        raw = reject.readable_row()
        if raw is not None and not is_refusal(raw) and any(text.encode() in raw for text in written):
            found.add(reject.external_no)
    return found


_SHANGHAI = timezone.get_fixed_timezone(480)


@dataclass(slots=True, frozen=True)
class Health:
    """How the synchronisation of one shop does, for a card or a status screen."""

    shop: Shop
    platform: str | Promise
    is_known: bool
    pulls: bool
    sync: ShopSync | None
    tone: str
    """ok, late, failing, stopped (needs a person), idle (nothing to pull)."""

    @property
    def lag_seconds(self) -> int | None:
        """Seconds behind the channel; None while nothing was pulled."""
        return self.sync.lag_seconds if self.sync else None


def sync_health() -> list[Health]:
    """Return the state of every active shop, worst first. One query."""
    shops = Shop.objects.filter(is_active=True).select_related("sync")
    found = [_health(shop) for shop in shops]
    return sorted(found, key=lambda health: (_TONES.index(health.tone), health.shop.code))


_TONES = ("stopped", "failing", "late", "ok", "idle")


def _health(shop: Shop) -> Health:
    sync: ShopSync | None = getattr(shop, "sync", None)
    is_known = shop.platform in connectors
    connector = connectors.get(shop.platform) if is_known else None
    pulls = bool(connector and connector.pulls)
    label = connector.label if connector else shop.platform
    return Health(shop, label, is_known, pulls, sync, _tone(sync, is_known=is_known, pulls=pulls))


def _tone(sync: ShopSync | None, *, is_known: bool, pulls: bool) -> str:
    if not is_known:
        return "stopped"
    if not pulls:
        return "idle"
    if sync is None or (sync.cursor is None and not sync.consecutive_failures):
        return "late"
    if sync.error_kind in {ErrorKind.AUTHORISATION, ErrorKind.PERMANENT}:
        return "stopped"
    if sync.consecutive_failures:
        return "failing"
    return "late" if is_late(sync) else "ok"


def recent_failures(shop_ids: Sequence[int], since: timedelta = timedelta(hours=1)) -> dict[int, int]:
    """Return how many pulls of each shop failed lately."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT shop_id, count(*) FROM channels_sync_syncrun
            WHERE shop_id = ANY(%s) AND started_at > %s AND kind = 'pull'
                AND state IN ('failed', 'abandoned')
            GROUP BY shop_id
            """,
            [list(shop_ids), datetime.now(UTC) - since],
        )
        return dict(cursor.fetchall())
