"""Importing an order file: piece by piece through the inbox, to be killed and started again at any time."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import IO, Any

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug

from channels_sync.tables.chunks import NDJSON_TYPE, Chunk, chunks
from channels_sync.tables.columns import ColumnMapping
from channels_sync.tables.rejects import add, draft_of, publish
from channels_sync.tables.sniff import FileFacts
from orderhub.core.errors import HubError, TemporaryError
from orderhub.core.results import IntakeResult
from orderhub.core.words import InboxState
from orderhub.models import InboxItem, Reject, Shop, Warehouse
from orderhub.services import inbox
from orderhub.services.in_flight import in_flight

Process = Callable[[int], IntakeResult]

PATIENCE = 180.0
"""Seconds to wait for another worker that has taken a piece up."""


@dataclass(slots=True)
class Summary:
    """What became of the orders of a file: `counts` of this run, `before` of earlier runs of the same file; `unused`
    holds the names of columns that nobody reads."""

    counts: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    unused: dict[str, None] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        """Rows of the file that stand in the reject table."""
        return self.counts["rejected"] + self.before["rejected"]


@dataclass(slots=True, frozen=True)
class Piece:
    """One piece of the file in the inbox; `before` are its counts where an earlier run took it in."""

    chunk: Chunk
    item_id: int
    before: dict[str, int] | None = None


def file_shop(code: str) -> Shop:
    """Return the shop with this code; a missing one is made as a file shop, which sends to the warehouse where there is
    but one. Raises HubError for an unusable code."""
    try:
        validate_slug(code)
    except ValidationError as error:
        raise HubError(f"a shop code is made of letters, digits, hyphens and underscores: {code!r}") from error
    if len(code) > 50:
        raise HubError("a shop code has at most 50 characters")
    new: dict[str, Any] = {"name": code, "platform": "file", "warehouse": _only_warehouse}
    shop, _is_new = Shop.objects.select_related("warehouse").get_or_create(code=code, defaults=new)
    return shop


def _only_warehouse() -> Warehouse | None:
    active = list(Warehouse.objects.filter(is_active=True)[:2])
    return active[0] if len(active) == 1 else None


@dataclass(slots=True)
class FileImport:
    """One file for one shop. `process` is the pipeline's; rows that are refused go to `rejects_path` as NDJSON."""

    shop: Shop
    facts: FileFacts
    mapping: ColumnMapping
    process: Process
    rejects_path: Path
    summary: Summary = field(default_factory=Summary)
    waits: Callable[[TemporaryError], None] = lambda _error: None
    """Told once per piece why it must wait: an earlier run that was killed holds its piece for two minutes more."""
    _ended: Event = field(default_factory=Event)

    def run(self) -> Iterator[int]:
        """Take the file in, yielding after each piece how many bytes of it are read.

        A piece has the same delivery key at every run, so what an earlier run took in is not taken in again.
        Raises HubError where the file cannot be read on, or the hub cannot take a piece in, OSError where the refused
        rows cannot be written.
        """
        with draft_of(self.rejects_path) as rejects:
            for piece, counts in in_flight(self._taken, self._stored(), ended=self._ended):
                (self.summary.counts if piece.before is None else self.summary.before).update(counts)
                if counts.get("rejected"):
                    self._write_rejects(piece.chunk, piece.item_id, rejects)
                yield piece.chunk.read_bytes
            publish(rejects, self.rejects_path)

    def _stored(self) -> Iterator[Piece]:
        """Yield the pieces of the file in their order, each stored in the inbox: of two versions of one order the one
        that was stored later counts, whichever is taken in first."""
        prefix = self._key_prefix()
        done = self._done_pieces(prefix)
        for chunk in chunks(self.facts, self.mapping, settings.HUB_BATCH_SIZE):
            self.summary.unused |= dict.fromkeys(chunk.unused)
            key = f"{prefix}{chunk.first_row}"
            if key in done:
                yield Piece(chunk, *done[key])
                continue
            content_type = NDJSON_TYPE if chunk.reader == "draft" else "application/json"
            item = inbox.receive(
                shop=self.shop, source="file", reader=chunk.reader, delivery_key=key, body=chunk.body,
                content_type=content_type,
            )  # fmt: skip
            yield Piece(chunk, item.pk)

    def _taken(self, piece: Piece) -> tuple[Piece, dict[str, int]]:
        return piece, self._processed(piece.item_id) if piece.before is None else piece.before

    def _processed(self, item_id: int) -> dict[str, int]:
        """Take one piece in; where another worker is faster, wait for its result."""
        until, is_told = time.monotonic() + PATIENCE, False
        while True:
            try:
                self.process(item_id)
            except TemporaryError as error:
                if time.monotonic() > until or self._ended.is_set():
                    raise
                if not is_told:
                    self.waits(error)
                    is_told = True
                self._ended.wait(min(error.retry_after or 1.0, 5.0))
                continue
            return self._counts(InboxItem.objects.only("result").get(pk=item_id).result)

    def _write_rejects(self, chunk: Chunk, item_id: int, rejects: IO[bytes]) -> None:
        open_rejects = Reject.objects.filter(shop=self.shop, inbox_id=item_id, state="open").order_by("row")
        for reject in open_rejects:
            add(
                rejects, row=chunk.file_row(reject.row), name={"external_no": reject.external_no},
                field=reject.field_path, reason=reject.reason, raw=reject.raw_row,
            )  # fmt: skip

    def _done_pieces(self, prefix: str) -> dict[str, tuple[int, dict[str, int]]]:
        items = InboxItem.objects.filter(shop=self.shop, delivery_key__startswith=prefix, state=InboxState.DONE)
        rows = items.values_list("delivery_key", "pk", "result")
        return {key: (pk, self._counts(result)) for key, pk, result in rows}

    def _key_prefix(self) -> str:
        """The same bytes read in another way (another mapping or encoding) are another delivery."""
        mapping = self.mapping
        # A piece is named by its first row: pieces of another size are others.
        cut = [self.facts.encoding, self.facts.delimiter, str(settings.HUB_BATCH_SIZE)]
        reading = [*cut, mapping.columns, mapping.values, mapping.constants]
        way = sha256(orjson.dumps(reading, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]
        return f"file:{self.facts.digest}:{way}:"

    @staticmethod
    def _counts(result: dict[str, Any] | None) -> dict[str, int]:
        return dict((result or {}).get("counts", {}))
