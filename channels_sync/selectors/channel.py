"""What the page of one shop shows besides its figures: runs, pushes, back-fills, the gate's history."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from channels_sync.models import Backfill, SyncRun
from orderhub.models import GateChange, InboxItem, Shop

RUNS, PUSHES, BACKFILLS, CHANGES = 12, 8, 5, 8


@dataclass(slots=True, frozen=True)
class ChannelLog:
    """The newest entries of each log, newest first."""

    runs: list[SyncRun]
    pushes: list[InboxItem]
    backfills: list[Backfill]
    gate: list[GateChange]


def channel_log(shop: Shop) -> ChannelLog:
    """Return what happened on one shop's channel lately: pushes of the last hour, the rest whenever it was."""
    since = timezone.now() - timedelta(hours=1)
    pushes = InboxItem.objects.filter(shop=shop, source="push", received_at__gt=since)
    pushes = pushes.defer("packed_body", "headers", "result")
    return ChannelLog(
        runs=list(SyncRun.objects.filter(shop=shop).order_by("-started_at", "-id")[:RUNS]),
        pushes=list(pushes.order_by("-received_at", "-id")[:PUSHES]),
        backfills=list(Backfill.objects.filter(shop=shop).order_by("-created_at", "-id")[:BACKFILLS]),
        gate=list(GateChange.objects.filter(Q(shop=shop) | Q(shop=None)).order_by("-id")[:CHANGES]),
    )
