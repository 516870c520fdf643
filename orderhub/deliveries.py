"""Raw deliveries: each is leased, read by its reader, sent on the path of the pipeline, then closed or given back."""

import time
from traceback import extract_tb

import structlog
from django.db import InterfaceError, OperationalError

from channels_sync import readers
from channels_sync.connectors.base import connectors
from channels_sync.readers import ReadRow
from channels_sync.services import tokens
from orderhub.core.errors import HubError, TemporaryError
from orderhub.core.results import IntakeResult, Outcome, RowResult
from orderhub.core.words import InboxState
from orderhub.models import InboxItem
from orderhub.pipeline import WithCursor, take_in
from orderhub.services import inbox

log = structlog.get_logger(__name__)


def process(item_id: int, *, at_commit: WithCursor | None = None) -> IntakeResult:
    """Take one stored delivery in and return what became of each row; a delivery that is done is not done again.

    `at_commit` runs inside the transaction of the last batch (a channel's cursor moves there).
    Raises TemporaryError when the delivery must be tried later; it stays in the inbox.
    """
    if not inbox.lease_one(item_id):
        return _told_before(item_id)
    return _work(item_id, at_commit)


def drain_inbox(limit: int = 20, *, min_age_seconds: float = 10) -> int:
    """Take up to `limit` deliveries in that were left over, oldest first; one that fails does not keep the others."""
    item_ids = inbox.lease_waiting(limit, min_age_seconds=min_age_seconds)
    for item_id in item_ids:
        try:
            _work(item_id, None)
        except HubError as error:
            log.warning("delivery failed", inbox_id=item_id, error=str(error), permanent=error.permanent)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001  (any reader; the leases of the others must not run out by it)
            # Its words may be somebody's data.
            frame = extract_tb(error.__traceback__)[-1]
            log.error("delivery broke", inbox_id=item_id, kind=type(error).__name__, at=f"{frame.name}:{frame.lineno}")
            inbox.give_back(item_id, TemporaryError(type(error).__name__))
    return len(item_ids)


def _work(item_id: int, at_commit: WithCursor | None) -> IntakeResult:
    item = InboxItem.objects.select_related("shop__warehouse").get(pk=item_id)
    structlog.contextvars.bind_contextvars(inbox_id=item_id, shop=item.shop.code)
    started = time.monotonic()
    try:
        result = take_in(
            shop=item.shop, rows=_read(item), source=item.source, actor=f"intake:{item.source}", inbox_id=item_id,
            at_commit=at_commit,
        )  # fmt: skip
        inbox.close(item, result)
    except HubError as error:
        inbox.give_back(item_id, error)
        raise
    finally:
        structlog.contextvars.unbind_contextvars("inbox_id", "shop")
    log.info("delivery taken in", item=item_id, ms=int((time.monotonic() - started) * 1000), **result.counts())
    return result


def _read(item: InboxItem) -> list[ReadRow]:
    """Return the rows of a delivery; a push that only names orders has them fetched first."""
    if item.reader != inbox.EVENT_READER:
        return readers.read(item.reader, item.body, item.content_type)
    connector, numbers = connectors.get(item.shop.platform), item.headers.get("numbers", [])
    pages = tokens.calling(item.shop, lambda access: list(connector.fetch(access, numbers)))
    rows: list[ReadRow] = []
    for page in pages:
        for row in readers.read(page.reader, page.body, page.content_type):
            row.row = len(rows)
            rows.append(row)
    return rows


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
