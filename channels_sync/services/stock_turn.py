"""One turn of telling a shop its stock: lot by lot, each read right before it goes out and settled right after.

Which quantity goes out is written down before the call (`Listing.asked`): a worker that dies leaves a listing whose
state nobody knows, and it is written again with the quantity of that moment. Each asking has a key of its own
(`Listing.asked_no`), which a connector's repeats of one call share: a platform that drops calls with a known key never
drops a later one.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.translation import gettext as _

from channels_sync.connectors.base import AuthorisationError, ShopAccess, ThrottledError, connectors
from channels_sync.connectors.exchange import StockWrite, WriteResult
from channels_sync.selectors.offers import DUE, FIGURES, Terms, as_json
from channels_sync.services import tokens
from orderhub.core.errors import HubError, TemporaryError
from orderhub.models import Shop
from orderhub.services.bulk import records
from orderhub.services.leases import HeldLease

LEASE_SECONDS = 180
"""Longer than one lot may take: connectors begin no call of a lot after WRITE_SECONDS."""
TURN_SECONDS = 30.0
"""After this long a turn ends, so that other shops and newer figures get their own; the rest is a turn of its own."""
TEMPORARY_WAIT = 30
"""Seconds before an item is tried again that alone failed for now."""
REFUSED_WAIT = 3600
"""Seconds before a refused item is tried again: somebody may have mended it on the platform."""


class AnotherWorkerError(TemporaryError):
    """Another worker has this shop in hand, or died with it: until its lease is over nobody knows."""

    concerns_all = True


@dataclass(slots=True, frozen=True)
class Told:
    """What a turn did: items told, items that failed, and how long the platform wants to be left alone."""

    items: int = 0
    failed: int = 0
    wait: float = 0.0


@dataclass(slots=True, frozen=True)
class _Row:
    listing_id: int
    number: int
    write: StockWrite


class Turn:
    """Tells one shop what its listings should show, under the shop's lease."""

    def __init__(self, shop: Shop, terms: Terms, lease: HeldLease) -> None:
        self._shop = shop
        self._terms = terms
        self._connector = connectors.get(shop.platform)
        self._lease = lease
        self._told = self._failed = 0

    def run(self) -> Told:
        """Write until nothing differs or the time is over. Each listing goes out once a turn at most.

        Raises HubError when the platform takes nothing at all; what it took before a limit was reached is told, with
        the time to wait.
        """
        stop_at = time.monotonic() + TURN_SECONDS
        due = self._due()
        lot = self._connector.stock_batch
        try:
            for start in range(0, len(due), lot):
                if time.monotonic() > stop_at:
                    break
                rows = self._asked(due[start : start + lot])
                if rows:
                    self._write(rows)
        except HubError as error:
            if not self._told or error.permanent:
                raise
            return Told(self._told, self._failed, wait=error.retry_after or 5.0)
        return Told(self._told, self._failed)

    def _write(self, rows: Sequence[_Row]) -> None:
        answers = tokens.calling(self._shop, lambda access: self._call(access, [row.write for row in rows]))
        results = {result.key: result for result in answers}
        told = [(row, results.get(row.write.key) or _unanswered(row)) for row in rows]
        self._settle([(row, result) for row, result in told if not isinstance(result.error, ThrottledError)])
        errors = [result.error for _row, result in told if result.error is not None]
        self._told += len(told) - len(errors)
        for error in errors:
            if isinstance(error, ThrottledError):
                raise error
        self._failed += len(errors)
        if len(errors) == len(told) and not any(error.permanent for error in errors):
            raise errors[0]

    def _call(self, access: ShopAccess, writes: Sequence[StockWrite]) -> list[WriteResult]:
        """Raises AuthorisationError also where the connector tells it of single items: it concerns all of them."""
        results = self._connector.write_stock(access, writes)
        for result in results:
            if isinstance(result.error, AuthorisationError):
                raise result.error
        return results

    def _due(self) -> list[int]:
        """Return the listings to write: what is sold out first, then what has become less."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                WITH {FIGURES.format(narrow="l.shop_id = %(shop)s")}
                SELECT f.id FROM figures f JOIN channels_sync_listing l USING (id) WHERE {DUE}
                ORDER BY f.quantity > 0, coalesce(f.quantity > l.shown, false), l.item_id, l.id
                """,  # noqa: S608  (constant texts)
                {"terms": as_json([self._terms]), "shop": self._terms.shop_id},
            )
            return [row[0] for row in cursor.fetchall()]

    def _asked(self, listing_ids: Sequence[int]) -> list[_Row]:
        """Note what is asked of one lot, with the figures of now, and return it; what is right by now is left out."""
        if not self._lease.extend(LEASE_SECONDS):
            raise AnotherWorkerError(_("Another worker has taken over telling this shop its stock."), retry_after=5)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                WITH {FIGURES.format(narrow="l.id = ANY(%(lot)s)")}
                UPDATE channels_sync_listing l SET asked = f.quantity, asked_no = l.asked_no + 1
                FROM figures f WHERE l.id = f.id AND {DUE}
                RETURNING l.id, l.asked_no, l.item_id, l.sku_id, l.outer_id, l.asked
                """,  # noqa: S608
                {"terms": as_json([self._terms]), "lot": list(listing_ids)},
            )
            rows = cursor.fetchall()
        return [
            _Row(pk, number, StockWrite(item_id, sku_id, outer_id, quantity, key=f"stock-{pk}-{number}"))
            for pk, number, item_id, sku_id, outer_id, quantity in sorted(rows, key=lambda row: (row[2], row[0]))
        ]

    @staticmethod
    def _settle(told: Sequence[tuple[_Row, WriteResult]]) -> None:
        """Store what became of each write; one that was asked anew meanwhile is left to who asked."""
        rows = [
            {
                "id": row.listing_id, "number": row.number, "quantity": row.write.quantity, "ok": result.error is None,
                "known": result.error is None or result.error.permanent, "error": str(result.error or "")[:500],
                "wait": _wait(result.error),
            }
            for row, result in told
        ]  # fmt: skip
        if not rows:
            return
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE channels_sync_listing l SET
                    shown = CASE WHEN r.ok THEN r.quantity ELSE l.shown END,
                    shown_at = CASE WHEN r.ok THEN now() ELSE l.shown_at END,
                    asked = CASE WHEN r.known THEN NULL ELSE l.asked END,
                    stock_error = r.error, stock_retry_at = now() + make_interval(secs => r.wait)
                FROM json_to_recordset(%s::json)
                    AS r(id bigint, number int, quantity int, ok bool, known bool, error text, wait double precision)
                WHERE l.id = r.id AND l.asked_no = r.number
                """,
                [records(rows)],
            )


def _wait(error: HubError | None) -> float | None:
    if error is None:
        return None
    return REFUSED_WAIT if error.permanent else error.retry_after or TEMPORARY_WAIT


def _unanswered(row: _Row) -> WriteResult:
    return WriteResult(row.write.key, TemporaryError(_("The platform said nothing about this item.")))
