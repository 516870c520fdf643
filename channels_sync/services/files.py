"""Importing an order file: piece by piece through the inbox, to be killed and started again at any time."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug

from channels_sync.tables.chunks import NDJSON_TYPE, Chunk, chunks
from channels_sync.tables.columns import ColumnMapping
from channels_sync.tables.sniff import FileFacts
from orderhub.core.errors import HubError, TemporaryError
from orderhub.core.results import IntakeResult
from orderhub.core.words import InboxState
from orderhub.models import InboxItem, Reject, Shop, Warehouse
from orderhub.services import inbox

Process = Callable[[int], IntakeResult]

PATIENCE = 180.0
"""Seconds to wait for another worker that has taken a piece up."""


@dataclass(slots=True)
class Summary:
    """What became of the orders of a file: `counts` of this run, `before` of earlier runs of the same file."""

    counts: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        """Rows of the file that stand in the reject table."""
        return self.counts["rejected"] + self.before["rejected"]


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

    def run(self) -> Iterator[int]:
        """Take the file in, yielding after each piece how many bytes of it are read.

        A piece has the same delivery key at every run, so what an earlier run took in is not taken in again.
        Raises HubError where the file cannot be read on, or the hub cannot take a piece in.
        """
        prefix = self._key_prefix()
        done = self._done_pieces(prefix)
        draft = self.rejects_path.with_name(f"{self.rejects_path.name}.part")
        with draft.open("wb") as rejects:
            for chunk in chunks(self.facts, self.mapping, settings.HUB_BATCH_SIZE):
                self._take(chunk, f"{prefix}{chunk.first_row}", done, rejects)
                yield chunk.read_bytes
        if draft.stat().st_size:
            draft.replace(self.rejects_path)
        else:
            draft.unlink()
            self.rejects_path.unlink(missing_ok=True)

    def _take(self, chunk: Chunk, key: str, done: dict[str, tuple[int, dict[str, int]]], rejects: IO[bytes]) -> None:
        if key in done:
            item_id, counts = done[key]
            self.summary.before.update(counts)
        else:
            content_type = NDJSON_TYPE if chunk.reader == "draft" else "application/json"
            item = inbox.receive(
                shop=self.shop, source="file", reader=chunk.reader, delivery_key=key, body=chunk.body,
                content_type=content_type,
            )  # fmt: skip
            item_id, counts = item.pk, self._processed(item.pk)
            self.summary.counts.update(counts)
        if counts.get("rejected"):
            self._write_rejects(chunk, item_id, rejects)

    def _processed(self, item_id: int) -> dict[str, int]:
        """Take one piece in; where another worker is faster, wait for its result."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.process(item_id)
            except TemporaryError as error:
                if time.monotonic() > until:
                    raise
                time.sleep(min(error.retry_after or 1.0, 5.0))
                continue
            return self._counts(InboxItem.objects.only("result").get(pk=item_id).result)

    def _write_rejects(self, chunk: Chunk, item_id: int, rejects: IO[bytes]) -> None:
        open_rejects = Reject.objects.filter(shop=self.shop, inbox_id=item_id, state="open").order_by("row")
        for reject in open_rejects:
            line = {
                "row": chunk.file_row(reject.row),
                "external_no": reject.external_no,
                "field": reject.field_path,
                "reason": reject.reason,
                "raw": _readable(reject.raw_row),
            }
            rejects.write(orjson.dumps(line) + b"\n")

    def _done_pieces(self, prefix: str) -> dict[str, tuple[int, dict[str, int]]]:
        items = InboxItem.objects.filter(shop=self.shop, delivery_key__startswith=prefix, state=InboxState.DONE)
        rows = items.values_list("delivery_key", "pk", "result")
        return {key: (pk, self._counts(result)) for key, pk, result in rows}

    def _key_prefix(self) -> str:
        """The same bytes read in another way (another mapping or encoding) are another delivery."""
        mapping = self.mapping
        reading = [self.facts.encoding, self.facts.delimiter, mapping.columns, mapping.values, mapping.constants]
        way = sha256(orjson.dumps(reading, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]
        return f"file:{self.facts.digest}:{way}:"

    @staticmethod
    def _counts(result: dict[str, Any] | None) -> dict[str, int]:
        return dict((result or {}).get("counts", {}))


def _readable(raw: bytes) -> Any:
    """Return the raw row as JSON where it is JSON, else as text."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw.decode("utf-8", "replace")
