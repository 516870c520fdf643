"""Raw deliveries: each is leased, read by its reader, sent on the path of the pipeline, then closed or given back."""

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from random import sample
from traceback import extract_tb

import structlog
from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext as _

from channels_sync import readers
from channels_sync.connectors.base import connectors
from channels_sync.services import news, refusals, tokens
from orderhub.core.errors import HubError, TemporaryError
from orderhub.core.results import IntakeResult, Outcome, RowResult
from orderhub.core.words import InboxState
from orderhub.models import InboxItem
from orderhub.pipeline import WithCursor, take_in
from orderhub.services import inbox

log = structlog.get_logger(__name__)

FETCHED = "event"
"""How a page came that was fetched because a push named its orders."""
LOT, FETCH_SECONDS = 8, 10
"""So many orders are fetched at once, and no lot is begun after so long. Where every call runs into its deadline a lot
takes a minute (four calls at a time, three tries of ten seconds each): a lease and a job have 120 seconds, and a drain
begins its last round after 40."""
READ_SINCE = timedelta(minutes=2)
"""What was delivered this long after a push was read from its platform after it: a page is stored when it is read."""


def process(item_id: int, *, at_commit: WithCursor | None = None) -> IntakeResult:
    """Take one stored delivery in and return what became of each row; a delivery that is done is not done again.

    `at_commit` runs inside the transaction of the last batch (a channel's cursor moves there).
    Raises TemporaryError when the delivery must be tried later; it stays in the inbox.
    """
    if not inbox.lease_one(item_id):
        return _told_before(item_id)
    return _work([InboxItem.objects.select_related("shop__warehouse").get(pk=item_id)], at_commit)


def drain_inbox(limit: int = 50, *, min_age_seconds: float = 10) -> int:
    """Take up to `limit` deliveries in that were left over, oldest first; one that fails does not keep the others.

    Shops whose orders are fetched come in changing order: a platform that hangs keeps none of the others for long.
    """
    item_ids = inbox.lease_waiting(limit, min_age_seconds=min_age_seconds)
    named: dict[int, list[InboxItem]] = defaultdict(list)
    for item in InboxItem.objects.select_related("shop__warehouse").filter(pk__in=item_ids).order_by("pk"):
        if item.reader == inbox.EVENT_READER:
            named[item.shop_id].append(item)
        else:
            _try([item])
    until = time.monotonic() + FETCH_SECONDS
    for of_shop in sample(list(named.values()), len(named)):
        _try_in_lots(of_shop, until)
    return len(item_ids)


def _try_in_lots(items: Sequence[InboxItem], until: float) -> None:
    """Take leased pushes of one shop in while there is time, those that name the same order together; what is left
    waits for its next turn."""
    by_orders: dict[tuple[str, ...], list[InboxItem]] = defaultdict(list)
    for item in items:
        by_orders[tuple(item.headers.get("numbers", []))].append(item)
    left = list(by_orders.values())
    while left and time.monotonic() < until:
        lot, left = left[:LOT], left[LOT:]
        refusal = _try([item for same in lot for item in same])
        if refusal:
            inbox.give_back([item.pk for same in left for item in same], refusal)
            return
    inbox.hand_back([item.pk for same in left for item in same])


def _try(items: Sequence[InboxItem]) -> HubError | None:
    """Take leased deliveries in; a failure is told and gives them back. Return the error when it concerns the whole
    shop. Raises when the database is away."""
    try:
        _work(items)
    except HubError as error:
        log.warning("delivery failed", inbox_id=items[0].pk, error=str(error), permanent=error.permanent)
        return error if error.concerns_all else None
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  (any reader; the leases of the others must not run out by it)
        # Its words may be somebody's data.
        frame = extract_tb(error.__traceback__)[-1]
        log.error("delivery broke", inbox_id=items[0].pk, kind=type(error).__name__, at=f"{frame.name}:{frame.lineno}")
        inbox.give_back([item.pk for item in items], TemporaryError(type(error).__name__))
    return None


def _work(items: Sequence[InboxItem], at_commit: WithCursor | None = None) -> IntakeResult:
    """Take in one leased delivery, or several of one shop that only name orders, and return what became of all rows."""
    structlog.contextvars.bind_contextvars(inbox_id=items[0].pk, shop=items[0].shop.code)
    started = time.monotonic()
    try:
        if items[0].reader == inbox.EVENT_READER:
            result = _fetch_and_take(items)
        else:
            result = _read_and_take(items[0], at_commit)
    except HubError as error:
        if len(items) > 1 and error.permanent and not error.concerns_all:
            return _one_by_one(items)
        inbox.give_back([item.pk for item in items], error)
        raise
    finally:
        structlog.contextvars.unbind_contextvars("inbox_id", "shop")
    took = int((time.monotonic() - started) * 1000)
    log.info("delivery taken in", item=items[0].pk, deliveries=len(items), ms=took, **result.counts())
    return result


def _one_by_one(items: Sequence[InboxItem]) -> IntakeResult:
    """Find the one that the platform refuses: it is set aside, the others go in. Raises what concerns all."""
    for place, item in enumerate(items):
        refusal = _try([item])
        if refusal:
            inbox.give_back([each.pk for each in items[place + 1 :]], refusal)
            raise refusal
    return IntakeResult()


def _read_and_take(item: InboxItem, at_commit: WithCursor | None) -> IntakeResult:
    result = take_in(
        shop=item.shop, rows=readers.read(item.reader, item.body, item.content_type), source=item.source,
        actor=f"intake:{item.source}", inbox_id=item.pk, at_commit=at_commit,
    )  # fmt: skip
    refusals.settle(item, result)
    inbox.close([(item, result)])
    return result


def _fetch_and_take(items: Sequence[InboxItem]) -> IntakeResult:
    """Fetch what pushes of one shop name, each order once, and take it in like pages of a pull: stored first.

    A platform tells of an order several times within seconds; its present version is all that counts.
    """
    shop = items[0].shop
    connector = connectors.get(shop.platform)
    wanted = _wanted(items)
    numbers = list(dict.fromkeys(number for part in wanted.values() for number in part))
    rows: list[RowResult] = []
    later: set[str] = set()
    pages = tokens.calling(shop, lambda access: list(connector.fetch(access, numbers))) if numbers else []
    for page in pages:
        rows += process(news.store(shop, page, source=FETCHED).pk).rows
        later.update(page.later)
    became = {row.external_no: row for row in rows}
    done = [item for item in items if later.isdisjoint(wanted[item.pk])]
    inbox.close(
        [(item, IntakeResult([became[no] for no in wanted[item.pk] if no in became])) for item in done]
    )  # fmt: skip
    waiting = [item.pk for item in items if item not in done]
    if waiting:
        inbox.give_back(waiting, TemporaryError(_("The platform cannot show some orders just now.")))
    return IntakeResult(rows)


def _wanted(items: Sequence[InboxItem]) -> dict[int, list[str]]:
    """Return, by delivery, the orders that must be fetched for it.

    One whose present version was delivered well after a push that names it was read after it: while a channel catches
    up, polls are ahead of the pushes that wait, and each call to a platform counts.
    """
    named = {item.pk: list(item.headers.get("numbers", [])) for item in items}
    told = inbox.told_at(items[0].shop_id, {number for part in named.values() for number in part})
    return {
        item.pk: [no for no in named[item.pk] if no not in told or told[no] < item.received_at + READ_SINCE]
        for item in items
    }


def _told_before(item_id: int) -> IntakeResult:
    item = InboxItem.objects.only("state", "result").get(pk=item_id)
    if item.state != InboxState.DONE:
        raise TemporaryError("another worker is taking this delivery in", retry_after=1)
    rows = (item.result or {}).get("rows", [])
    return IntakeResult(
        [
            RowResult(r["row"], r["external_no"], Outcome(r["outcome"]), r.get("field", ""), r.get("reason", ""))
            for r in rows
        ]
    )
