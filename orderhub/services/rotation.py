"""Re-sealing of everything that was sealed with another key than the active one, in batches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog
from django.db import connection, transaction

from orderhub.core.crypto import Keyring, UnreadableError, keyring

log = structlog.get_logger(__name__)


@dataclass(slots=True, frozen=True)
class SealedColumn:
    """One column of sealed bytes: its table, key column and purpose."""

    table: str
    key: str
    column: str
    purpose: bytes


SEALED_COLUMNS = (
    SealedColumn("orderhub_shop", "id", "sealed_credentials", b"credentials"),
    SealedColumn("orderhub_warehouse", "id", "sealed_credentials", b"credentials"),
    SealedColumn("orderhub_receiver", "order_id", "sealed", b"receiver"),
    SealedColumn("orderhub_reject", "id", "packed_row", b"raw"),
    SealedColumn("orderhub_inboxitem", "id", "packed_body", b"raw"),
    SealedColumn("orderhub_warehousereport", "id", "packed_body", b"raw"),
    SealedColumn("orderhub_parkedorder", "id", "packed_row", b"raw"),
)


@dataclass(slots=True)
class Rotated:
    """How many values were sealed anew, and by table how many no key opens."""

    done: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)


def rotate(*, batch_size: int = 500, progress: Callable[[str, int], object] | None = None) -> Rotated:
    """Re-seal every value that another than the first key of HUB_DATA_KEYS sealed and return how many there were.

    Each batch is one short transaction; stopped in the middle, the next run goes on. Values that no key opens are
    counted and stay as they are.
    """
    total = Rotated()
    for column in SEALED_COLUMNS:
        for done, unreadable in _batches(column, batch_size):
            total.done += done
            if unreadable:
                total.unreadable[column.table] = total.unreadable.get(column.table, 0) + unreadable
            if progress:
                progress(column.table, done + unreadable)
    return total


def left_behind() -> dict[str, int]:
    """Return, by table, how many values still need an older key."""
    header = keyring().active.header
    left = {}
    with connection.cursor() as cursor:
        for column in SEALED_COLUMNS:
            cursor.execute(
                f"SELECT count(*) FROM {column.table} WHERE length({column.column}) > 0 "  # noqa: S608  (constants)
                f"AND substring({column.column} FOR %s) <> %s",
                [len(header), header],
            )
            left[column.table] = cursor.fetchone()[0]
    return left


def _batches(column: SealedColumn, size: int) -> Iterator[tuple[int, int]]:
    """Yield, batch by batch, how many values were sealed anew and how many could not be opened."""
    ring = keyring()
    header = ring.active.header
    after = -1
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"""
                SELECT {column.key}, {column.column} FROM {column.table}
                WHERE {column.key} > %s AND length({column.column}) > 0 AND substring({column.column} FOR %s) <> %s
                ORDER BY {column.key} LIMIT %s FOR NO KEY UPDATE
                """,  # noqa: S608  (constants)
                [after, len(header), header, size],
            )
            rows = cursor.fetchall()
            if not rows:
                return
            sealed = _sealed_anew(ring, column, rows)
            cursor.execute(
                f"""
                UPDATE {column.table} t SET {column.column} = r.sealed
                FROM unnest(%s::bigint[], %s::bytea[]) AS r(id, sealed) WHERE t.{column.key} = r.id
                """,  # noqa: S608  (constants)
                [list(sealed), list(sealed.values())],
            )
        after = rows[-1][0]
        yield len(sealed), len(rows) - len(sealed)


def _sealed_anew(ring: Keyring, column: SealedColumn, rows: Sequence[tuple[int, bytes]]) -> dict[int, bytes]:
    """Return by key what can be opened, sealed with the active key; the log names the rest."""
    sealed, unreadable = {}, []
    for key, old in rows:
        try:
            sealed[key] = ring.seal(ring.open(bytes(old), column.purpose), column.purpose)
        except UnreadableError:
            unreadable.append(key)
    if unreadable:
        log.warning("values that no key opens", table=column.table, column=column.key, ids=unreadable)
    return sealed
