"""The effect `stock`: each listing shows what it should. Level-triggered: only the difference counts, not its history.

A shop has one row in the outbox, used again and again: it waits from the moment something differs until it was told.
What changes while a turn is under way makes it wait anew. Two workers never tell one shop at once (a lease), so an
older quantity never overwrites a newer one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from channels_sync.selectors.offers import DUE, FIGURES, Terms, as_json, terms_of, writes_stock, writing_terms
from channels_sync.services.stock_turn import LEASE_SECONDS, AnotherWorkerError, Told, Turn
from orderhub.core.crypto import UnreadableError
from orderhub.core.effects import Job, effect_handlers
from orderhub.core.errors import HubError
from orderhub.core.words import EffectKind
from orderhub.models import Shop
from orderhub.services import leases
from orderhub.services.bulk import records

KIND = EffectKind.STOCK.value
REOPEN_SECONDS = 300
"""A shop that refused everything is tried again after this long: a new authorisation needs no further hand."""


def want(*, since: datetime | None = None, shop_ids: Sequence[int] | None = None) -> list[int]:
    """Ask for a write to each shop where something differs and return the shops that wait now because of it.

    `since` looks only at SKUs of which, after that moment, the stock moved or orders were parked before the gate. One
    statement for all shops; a write that waits or runs already is left as it is.
    """
    terms = writing_terms(shop_ids)
    if not terms:
        return []
    moved = """
        l.id IN (SELECT p.listing_id FROM channels_sync_listingpart p JOIN (
            SELECT sku FROM orderhub_stocklevel WHERE updated_at >= %(since)s
            UNION SELECT sku FROM orderhub_parkedline WHERE at >= %(since)s) moved USING (sku))
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {FIGURES.format(narrow=moved if since else "true")},
            due AS (
                SELECT DISTINCT f.shop_id, t.spacing
                FROM figures f JOIN channels_sync_listing l USING (id) JOIN terms t ON t.shop_id = f.shop_id
                WHERE {DUE})
            INSERT INTO orderhub_effect AS e
                (shop_id, kind, key, state, attempts, due_at, last_error, created_at)
            SELECT shop_id, %(kind)s, %(kind)s, 'pending', 0, now(), '', now() FROM due ORDER BY shop_id
            ON CONFLICT (shop_id, key) DO UPDATE SET state = 'pending', attempts = 0, finished_at = NULL,
                due_at = CASE WHEN e.state = 'dead' THEN now() ELSE greatest(now(), e.due_at,
                    e.finished_at + make_interval(
                        secs => (SELECT spacing FROM terms WHERE terms.shop_id = e.shop_id))) END
            WHERE e.state IN ('done', 'cancelled')
               OR (e.state = 'dead' AND e.finished_at < now() - make_interval(secs => %(reopen)s))
            RETURNING e.shop_id
            """,  # noqa: S608  (constant texts)
            {"terms": as_json(terms), "since": since, "kind": KIND, "reopen": REOPEN_SECONDS},
        )
        return [row[0] for row in cursor.fetchall()]


def try_again(*, listing_ids: Sequence[int]) -> int:
    """Let listings whose last write failed be tried at once, and return how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_listing SET stock_retry_at = NULL WHERE id = ANY(%s) AND stock_error <> ''",
            [list(listing_ids)],
        )
        return int(cursor.rowcount)


def forget(*, listing_ids: Sequence[int]) -> int:
    """Have these listings told again whatever they show: after somebody changed the stock on the platform itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_sync_listing SET shown = NULL, stock_retry_at = NULL WHERE id = ANY(%s)",
            [list(listing_ids)],
        )
        return int(cursor.rowcount)


@dataclass(slots=True, frozen=True)
class Prepared:
    """The shop to be told and its terms."""

    shop: Shop
    terms: Terms


class StockWriteBack:
    """Tells shops their stock. The figures are read in `send`, lot by lot, so that the latest ones go out."""

    concurrency = 4
    own_lane = True

    def prepare(self, jobs: Sequence[Job]) -> Mapping[int, Prepared]:
        """Read the shops; those that are not told their stock any more are left out."""
        shops = Shop.objects.select_related("warehouse").in_bulk([job.shop_id for job in jobs])
        return {
            job.effect_id: Prepared(shops[job.shop_id], terms_of(shops[job.shop_id]))
            for job in jobs
            if job.shop_id in shops and writes_stock(shops[job.shop_id])
        }

    def send(self, prepared: Prepared) -> Told:
        """Tell one shop what differs now. Raises HubError when nothing could be told.

        Uses the database, outside of any transaction: each lot is noted before its call and settled after it.
        """
        shop = prepared.shop
        try:
            with leases.hold(f"stock:{shop.pk}", LEASE_SECONDS) as lease:
                if lease is None:
                    raise AnotherWorkerError(_("Another worker is telling this shop its stock."), retry_after=5)
                return Turn(shop, prepared.terms, lease).run()
        except UnreadableError as error:
            raise HubError(_("The sealed data cannot be opened: a data key is missing.")) from error

    def settle(self, done: Sequence[tuple[Job, Told]]) -> None:
        """Leave shops alone whose platform asked for it in the middle of a turn; the quantities are stored already."""
        waits = [{"id": job.effect_id, "wait": told.wait} for job, told in done if told.wait]
        if waits:
            with connection.cursor() as cursor:
                cursor.execute(
                    """
                    UPDATE orderhub_effect e SET due_at = now() + make_interval(secs => r.wait)
                    FROM json_to_recordset(%s::json) AS r(id bigint, wait double precision) WHERE e.id = r.id
                    """,
                    [records(waits)],
                )


effect_handlers.add(KIND, StockWriteBack())
