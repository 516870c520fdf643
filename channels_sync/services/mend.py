"""Mending differences: the orders are fetched again and go through the ordinary intake, then both sides are compared
once more. Stock is told again. A person or `--mend` asks for it; nothing is mended by itself."""

import math
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import sample

import structlog
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.connectors.base import ShopAccess
from channels_sync.difference_words import field_label
from channels_sync.models import Difference, DifferenceKind, DifferenceState
from channels_sync.selectors.offers import writes_stock
from channels_sync.services import stock_compare, tokens
from channels_sync.services.ranges import connector_of
from channels_sync.services.verdicts import NOT_SHOWN, Verdict, compared
from orderhub.core import hooks
from orderhub.core.errors import HubError
from orderhub.core.results import Outcome
from orderhub.models import Order, Shop
from orderhub.services import inbox, leases

log = structlog.get_logger(__name__)

SOURCE = "mend"
LOT, MEND_SECONDS = 8, 30
"""So many orders are fetched at once, and no lot is begun after so long: where every call runs into its deadline a lot
takes a minute, and a job has 120 seconds."""
PER_TURN = 300
LEASE_SECONDS = 150
MENDABLE = (DifferenceState.OPEN.value, DifferenceState.KEPT.value)


@dataclass(slots=True)
class Mended:
    """How many differences are gone, and how many are still there."""

    mended: int = 0
    kept: int = 0


def ask(*, difference_ids: Sequence[int], actor: str) -> int:
    """Have differences mended by the next turn of the job, and return how many were asked for."""
    rows = Difference.objects.filter(pk__in=difference_ids, state__in=MENDABLE)
    count = rows.update(state=DifferenceState.ASKED, closed_by=actor, note="")
    log.info("differences to be mended", count=count, actor=actor)
    return count


def drain(limit: int = PER_TURN) -> int:
    """Mend up to `limit` differences that were asked for, as far as there is time, and return how many were worked on.

    Shops come in changing order: a platform that hangs keeps none of the others waiting for long.
    """
    rows = list(Difference.objects.filter(state=DifferenceState.ASKED).order_by("shop_id", "id")[:limit])
    by_shop: dict[int, list[Difference]] = defaultdict(list)
    for row in rows:
        by_shop[row.shop_id].append(row)
    until = time.monotonic() + MEND_SECONDS
    worked = 0
    for shop_id, some in sample(list(by_shop.items()), len(by_shop)):
        with leases.hold(f"mend:{shop_id}", LEASE_SECONDS) as lease:
            if lease is not None:
                done = mend(some, actor=some[0].closed_by, until=until)
                worked += done.mended + done.kept
    return worked


def mend(rows: Iterable[Difference], *, actor: str, until: float = math.inf) -> Mended:
    """Mend these differences of one shop now and say what became of them; a failing platform is told in each. What is
    not begun by `until` (`time.monotonic`) stays as it is."""
    by_number: dict[str, list[Difference]] = defaultdict(list)
    stock: list[Difference] = []
    for row in rows:
        (stock if row.kind == DifferenceKind.STOCK else by_number[row.external_no]).append(row)
    done = Mended()
    if stock:
        _mend_stock(stock, actor, done)
    numbers = sorted(by_number)
    for first in range(0, len(numbers), LOT):
        if time.monotonic() >= until:
            break
        part = {number: by_number[number] for number in numbers[first : first + LOT]}
        _mend_orders(part, actor, done)
    return done


def _mend_stock(rows: Sequence[Difference], actor: str, done: Mended) -> None:
    shop = Shop.objects.get(pk=rows[0].shop_id)
    if not writes_stock(shop):
        done.kept += _close(rows, actor, DifferenceState.KEPT, _("The hub does not tell this shop its stock."))
        return
    stock_compare.tell_again(shop.pk, [row.external_no for row in rows])
    done.mended += _close(rows, actor, DifferenceState.MENDED, _("The channel is told again within seconds."))


def _mend_orders(by_number: Mapping[str, list[Difference]], actor: str, done: Mended) -> None:
    shop = Shop.objects.select_related("warehouse").get(pk=next(iter(by_number.values()))[0].shop_id)
    numbers = list(by_number)
    known = [
        number
        for number, rows in by_number.items()
        if any(row.kind != DifferenceKind.MISSING_ON_PLATFORM for row in rows)
    ]
    try:
        if not connector_of(shop).fetches:
            raise HubError(_("The platform shows no single orders."))
        reasons, later = tokens.calling(shop, lambda access: _take_in_again(shop, access, known))
        # What a platform that hangs could not show is not asked for twice.
        shown = [number for number in numbers if number not in later]
        verdicts = tokens.calling(shop, lambda access: compared(shop, access, shown))
    except HubError as error:
        everything = [row for rows in by_number.values() for row in rows]
        done.kept += _close(everything, actor, DifferenceState.KEPT, str(error))
        return
    for number, rows in by_number.items():
        verdict = verdicts.get(number)
        if number in later or (verdict is not None and verdict.kind == NOT_SHOWN):
            reason = _("The platform cannot show some orders just now.")
            done.kept += _close(rows, actor, DifferenceState.KEPT, reason)
        elif verdict is None or verdict.outcome not in {"differing", "rejected"}:
            done.mended += _close(rows, actor, DifferenceState.MENDED, "")
        else:
            done.kept += _close(rows, actor, DifferenceState.KEPT, reasons.get(number) or _why(verdict))


def _take_in_again(shop: Shop, access: ShopAccess, numbers: Sequence[str]) -> tuple[dict[str, str], set[str]]:
    """Fetch orders, take them in whatever the pool has in the same version, and return why some could not be, and those
    that the platform cannot show just now."""
    reasons: dict[str, str] = {}
    later: set[str] = set()
    for page in connector_of(shop).fetch(access, numbers):
        later.update(page.later)
        # The fingerprint goes, or an order whose rows were changed behind the intake's back would pass as unchanged.
        Order.objects.filter(shop=shop, external_no__in=numbers).update(content_hash=0)
        item = inbox.receive(
            shop=shop, source=SOURCE, reader=page.reader, delivery_key=f"mend:{uuid.uuid4()}", body=page.body,
            content_type=page.content_type,
        )  # fmt: skip
        for row in hooks.process_inbox(item.pk).rows:
            if row.outcome is Outcome.REJECTED:
                reasons[row.external_no] = f"{row.field}: {row.reason}" if row.field else row.reason
    return reasons, later


def _why(verdict: Verdict) -> str:
    """Return why fetching again did not help."""
    if verdict.kind == DifferenceKind.MISSING_ON_PLATFORM:
        return _("The platform has no such order: look it up there.")
    order, draft = verdict.order, verdict.draft
    if order and draft and order.modified_at > draft.modified_at:
        return _("The pool has a newer version than the platform shows.")
    names = _(", ").join(field_label(each.field) for each in verdict.fields)
    return _("Still different after it was fetched again: %(fields)s") % {"fields": names}


def _close(rows: Sequence[Difference], actor: str, state: str, note: str) -> int:
    values = {"state": state, "note": note[:1000], "closed_at": timezone.now(), "closed_by": actor}
    return Difference.objects.filter(pk__in=[row.pk for row in rows]).update(**values)
