"""Windows that came short: their platform counted more orders than its list showed, however often it was read. And
spans that it does not list any more.

The cursor goes on, so that one wrong count does not stop a shop. The window is read again by a back-fill of its own, a
few times with growing pauses; then a person is asked. Windows overlap, so one order that is missing makes several come
short: they become one range.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.connectors.base import Window
from channels_sync.models import Backfill, JobState
from channels_sync.models.completeness import BY_PULL
from channels_sync.services.ranges import FIRST_SLICE, slices
from orderhub.core.errors import TemporaryError
from orderhub.models import Shop

log = structlog.get_logger(__name__)

ACTOR = BY_PULL
WAITS = (60, 300, 900)
"""Seconds before each reading; after the last one a person is asked."""
GIVEN_UP = Q(state=JobState.FAILED, counted__isnull=False)
LEFT_OUT = Q(state=JobState.FAILED, counted__isnull=True, actor=ACTOR)
"""Spans that are further back than their platform lists."""


def paused(now: datetime) -> Q:
    """Return which back-fills wait for their platform to list what it counts."""
    return Q(counted__isnull=False, next_attempt_at__gt=now)


@transaction.atomic
def note(shop: Shop, window: Window, counted: int, seen: int) -> str:
    """Have a window that came short read again and return the sentence for people.

    A range noted before that waits or was given up and touches it grows instead of a second one; it gets no new tries.
    A back-fill that people asked for does not: its count is settled by its next slice (`settled`), this window is not.
    """
    Shop.objects.select_for_update(no_key=True).get(pk=shop.pk)
    now, sentence = timezone.now(), _words(window, counted, seen)
    waits = Q(state__in=[JobState.WAITING, JobState.FAILED]) | Q(state=JobState.RUNNING, next_attempt_at__gt=now)
    near = Backfill.objects.select_for_update().filter(
        waits, shop=shop, actor=ACTOR, counted__isnull=False, start__lte=window.end, end__gte=window.start
    )
    job = near.order_by("start").first() or Backfill(
        shop=shop, start=window.start, end=window.end, position=window.start, slice_seconds=FIRST_SLICE, actor=ACTOR,
        next_attempt_at=now + timedelta(seconds=WAITS[0]),
    )  # fmt: skip
    job.start, job.end = min(job.start, window.start), max(job.end, window.end)
    job.position = min(job.position, window.start)
    job.slices_total = job.slices_done + slices(job.end - job.position, job.slice_seconds)
    job.counted, job.seen = max((job.counted or 0, job.seen or 0), (counted, seen), key=_missing)
    job.last_error = sentence
    job.save()
    log.warning("a window came short", shop=shop.code, counted=counted, seen=seen)
    return sentence


def note_left_out(shop: Shop, start: datetime, end: datetime) -> str:
    """Note for people a span that is further back than the platform lists, and return the sentence. Reading it again
    would be in vain; a run that fails meets it once more, and it grows. One that people have ended stays so."""
    words = {"start": _day(start), "end": _day(end)}
    sentence = _("What changed from %(start)s to %(end)s is missing: the platform does not list it any more.") % words
    values = {"end": end, "last_error": sentence, "finished_at": timezone.now()}
    new = {
        "state": JobState.FAILED,
        "position": start,
        "slice_seconds": FIRST_SLICE,
        "slices_total": slices(end - start, FIRST_SLICE),
    }
    Backfill.objects.update_or_create(
        shop=shop, actor=ACTOR, start=start, state__in=[JobState.FAILED, JobState.CANCELLED], counted=None,
        defaults=values, create_defaults=values | new,
    )  # fmt: skip
    log.warning("a span is out of reach", shop=shop.code, start=start.isoformat(), end=end.isoformat())
    return sentence


def revive(shop_id: int, *, since: datetime) -> int:
    """Let ranges that were given up try again, since the platform lists what it counts now: those that end after
    `since`, so that an old one for which that changes nothing stays with people. Return how many there were."""
    rows = Backfill.objects.filter(GIVEN_UP, shop_id=shop_id, end__gte=since)
    return rows.update(
        state=JobState.WAITING, short_tries=0, failures=0, finished_at=None, next_attempt_at=timezone.now()
    )


def came_short(job: Backfill, window: Window, short: Sequence[tuple[int, int]]) -> TemporaryError:
    """Note that a slice of a back-fill came short and return the error that ends its turn: a permanent one, by which a
    person is asked, after the last try."""
    counted, seen = max(short, key=_missing)
    tries = job.short_tries + 1
    Backfill.objects.filter(pk=job.pk).update(counted=counted, seen=seen, short_tries=tries)
    is_over = tries >= len(WAITS)
    wait = None if is_over else WAITS[tries]
    return TemporaryError(_words(window, counted, seen), permanent=is_over, retry_after=wait)


def settled(job: Backfill) -> dict[str, Any]:
    """Return what a slice that was read in full changes. The count of a back-fill that people asked for is that of the
    slice at its position and is settled; a noted range keeps its count until it ends: it may be of a later slice."""
    values: dict[str, Any] = {"short_tries": 0}
    return values if job.actor == ACTOR else values | {"counted": None, "seen": None}


def _missing(numbers: tuple[int, int]) -> int:
    counted, seen = numbers
    return counted - seen


def _words(window: Window, counted: int, seen: int) -> str:
    values = {"seen": seen, "counted": counted, "start": _time(window.start), "end": _time(window.end)}
    return _("%(seen)s of %(counted)s orders seen from %(start)s to %(end)s.") % values


def _day(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"


def _time(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%m-%d %H:%M}"
