"""What warehouses tell, from the stored callback to the pool: steps, hand-overs, changes of stock.

Stored first, worked on after: each report is a row with a lease. A batch is one transaction; one that the database
refuses is halved until the bad report stands alone. A report of an order that the hub does not know is tried again for
about an hour and then set aside, where people see it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from channels_sync.services import handover
from channels_sync.services.delivery_codes import DeliveryOrder, find_orders
from channels_sync.warehouses.base import Confirmed, Report, Reported, Step, StockChanged, warehouses
from orderhub.core.crypto import UnreadableError
from orderhub.core.errors import HubError, TemporaryError, words_of
from orderhub.core.words import InboxState
from orderhub.models import Warehouse, WarehouseReport
from orderhub.models.inbox import pack
from orderhub.services.bulk import records

log = structlog.get_logger(__name__)

LEASE_SECONDS = 120
MAX_ATTEMPTS = 13
"""Tries of a report before it is set aside: with the pauses between them, an hour."""
LONGEST_WAIT_SECONDS = 900
BATCH = 200


def receive(*, warehouse: Warehouse, reports: Sequence[Reported]) -> int:
    """Store reports of one callback in one statement and return how many it held; a repeated key changes nothing."""
    WarehouseReport.objects.bulk_create(
        [
            WarehouseReport(
                warehouse=warehouse, delivery_key=report.delivery_key, method=report.method,
                order_code=report.order_code, packed_body=pack(report.body),
            )
            for report in reports
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    return len(reports)


def drain(limit: int = BATCH) -> int:
    """Work on up to `limit` waiting reports, in the order in which they came, and return how many were taken up."""
    ids = _lease(limit)
    if ids:
        _work(list(WarehouseReport.objects.filter(pk__in=ids).select_related("warehouse").order_by("pk")))
    return len(ids)


def retry(*, report_ids: Sequence[int], actor: str) -> int:
    """Let reports that were set aside be worked on again, with fresh attempts, and return how many there were."""
    count = WarehouseReport.objects.filter(pk__in=list(report_ids), state=InboxState.DEAD).update(
        state=InboxState.NEW, attempts=0, leased_until=None
    )
    log.info("warehouse reports retried", count=count, actor=actor)
    return count


@dataclass(slots=True, frozen=True)
class Read:
    """One report as it was understood."""

    row: WarehouseReport
    said: Report


def _lease(limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_warehousereport SET state = 'dead', last_error = CASE WHEN last_error = '' THEN
                'gave up: its worker ended without an answer' ELSE last_error END
            WHERE state = 'working' AND leased_until < now() AND attempts >= %s
            """,
            [MAX_ATTEMPTS],
        )
        cursor.execute(
            """
            WITH waiting AS MATERIALIZED (
                SELECT id FROM orderhub_warehousereport
                WHERE state IN ('new', 'working') AND (leased_until IS NULL OR leased_until < now())
                ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
            UPDATE orderhub_warehousereport r SET state = 'working', attempts = attempts + 1,
                leased_until = now() + make_interval(secs => %s)
            FROM waiting WHERE r.id = waiting.id RETURNING r.id
            """,
            [limit, LEASE_SECONDS],
        )
        return sorted(row[0] for row in cursor.fetchall())


def _work(rows: Sequence[WarehouseReport]) -> None:
    good: list[Read] = []
    failed: list[tuple[WarehouseReport, HubError]] = []
    for row in rows:
        try:
            good.append(Read(row, _read(row)))
        except HubError as error:
            failed.append((row, error))
        except UnreadableError:
            failed.append((row, HubError(_("The sealed data cannot be opened: a data key is missing."))))
        except Exception as error:  # noqa: BLE001  (any adapter; one report must not hold up the others)
            failed.append((row, TemporaryError(words_of(error))))
    failed += _halve(good)
    _give_back(failed)


def _read(row: WarehouseReport) -> Report:
    if row.warehouse.adapter not in warehouses:
        raise HubError(_("No adapter knows the warehouse system %(key)s.") % {"key": row.warehouse.adapter})
    return warehouses.get(row.warehouse.adapter).read_report(row.method, row.body)


def _halve(reports: Sequence[Read]) -> list[tuple[WarehouseReport, HubError]]:
    """Book the reports and return those that could not be, with the reason."""
    if not reports:
        return []
    try:
        return _one_transaction(reports)
    except (DataError, IntegrityError) as error:
        if len(reports) > 1:
            middle = len(reports) // 2
            return _halve(reports[:middle]) + _halve(reports[middle:])
        return [(reports[0].row, HubError(str(error).splitlines()[0]))]
    except DatabaseError as error:
        # Deadlocks and the like pass; a database that is away fails the next statement too, and the leases run out.
        reason = TemporaryError(str(error).splitlines()[0] if str(error) else type(error).__name__)
        return [(report.row, reason) for report in reports]


@transaction.atomic
def _one_transaction(reports: Sequence[Read]) -> list[tuple[WarehouseReport, HubError]]:
    mine = _still_mine([report.row.pk for report in reports])
    reports = [report for report in reports if report.row.pk in mine]
    found = find_orders([(r.row.warehouse, r.row.order_code) for r in reports if _names_order(r.said)])
    unknown = [r for r in reports if _is_of_order(r.said) and (r.row.warehouse_id, r.row.order_code) not in found]
    _close([report.row.pk for report in reports if report not in unknown])
    for warehouse in {report.row.warehouse for report in reports}:
        told = [
            _told(r.row, r.said, found[r.row.warehouse_id, r.row.order_code])
            for r in reports
            if r.row.warehouse_id == warehouse.pk and isinstance(r.said, Step | Confirmed) and r not in unknown
        ]
        handover.book(warehouse=warehouse, told=told)
        _change_stock(warehouse, [r for r in reports if r.row.warehouse_id == warehouse.pk], found)
    return [
        (r.row, TemporaryError(_("The hub knows no order %(code)s of this warehouse.") % {"code": r.row.order_code}))
        for r in unknown
    ]


def _change_stock(
    warehouse: Warehouse, reports: Sequence[Read], found: Mapping[tuple[int, str], DeliveryOrder]
) -> None:
    """Book the changes of stock that no confirmation of an order of the hub tells, and note on their reports those of
    articles that nobody has counted. A count that is taken in later holds them already: they are not tried again."""
    changes = {
        r.row.pk: r.said
        for r in reports
        if isinstance(r.said, StockChanged)
        and not (r.said.for_order and (not r.row.order_code or (warehouse.pk, r.row.order_code) in found))
    }
    uncounted = handover.change_stock(warehouse=warehouse, changes=list(changes.values()))
    ids = [pk for pk, change in changes.items() if change.sku in uncounted]
    if ids:
        text = _("Not booked: nobody has counted this article in this warehouse yet. Import its stock.")
        WarehouseReport.objects.filter(pk__in=ids).update(last_error=text)
        log.warning("stock changes of articles that nobody counted", warehouse=warehouse.code, count=len(ids))


def _told(row: WarehouseReport, said: Step | Confirmed, of: DeliveryOrder) -> handover.Told:
    return handover.Told(of.order_id, row.received_at, said, row.order_code, of.given_back)


def _is_of_order(said: Report) -> bool:
    return isinstance(said, Step | Confirmed)


def _names_order(said: Report) -> bool:
    return _is_of_order(said) or (isinstance(said, StockChanged) and said.for_order)


def _still_mine(ids: Sequence[int]) -> set[int]:
    """Lock the reports that still wait for their end: a lease that ran out may have let another worker be faster."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM orderhub_warehousereport WHERE id = ANY(%s) AND state = 'working' ORDER BY id FOR UPDATE",
            [list(ids)],
        )
        return {row[0] for row in cursor.fetchall()}


def _close(ids: Sequence[int]) -> None:
    WarehouseReport.objects.filter(pk__in=ids).update(
        state=InboxState.DONE, done_at=timezone.now(), leased_until=None, last_error=""
    )


def _give_back(failed: Sequence[tuple[WarehouseReport, HubError]]) -> None:
    """Let failed reports wait for another try, doubling from two seconds, or set them aside."""
    rows = [
        {
            "id": row.pk,
            "state": InboxState.DEAD if error.permanent or row.attempts >= MAX_ATTEMPTS else InboxState.NEW,
            "wait": min(2**row.attempts, LONGEST_WAIT_SECONDS),
            "error": str(error)[:2000],
        }
        for row, error in failed
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE orderhub_warehousereport w SET state = r.state, last_error = r.error,
                leased_until = now() + make_interval(secs => r.wait)
            FROM json_to_recordset(%s::json) AS r(id bigint, state text, wait double precision, error text)
            WHERE w.id = r.id AND w.state = 'working'
            """,
            [records(rows)],
        )
    for row, error in failed:
        log.warning("warehouse report failed", report_id=row.pk, error=str(error), permanent=error.permanent)
