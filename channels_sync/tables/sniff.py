"""One pass over a file before its rows are read: what it is, its charset, its digest."""

import codecs
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from orderhub.core.errors import HubError

BLOCK = 1024 * 1024
NDJSON, CSV, XLSX = "ndjson", "csv", "xlsx"
DELIMITERS = ",\t;|"
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(slots=True, frozen=True)
class FileFacts:
    """What a file is. `digest` is its SHA-256."""

    path: Path
    kind: str
    size: int
    digest: str
    encoding: str
    delimiter: str = ","


def inspect(path: Path, *, encoding: str = "", delimiter: str = "") -> FileFacts:
    """Return the facts of a file; a given encoding or delimiter is taken as it is.

    UTF-8 is taken where the whole file is valid UTF-8, else GB18030 (which includes GBK and GB2312), unless more
    characters would be lost by it. Raises HubError for a file that is no order file, or an unknown encoding.
    """
    try:
        codecs.lookup(encoding or "utf-8")
    except LookupError as error:
        raise HubError(f"unknown encoding {encoding!r}") from error
    head = _head(path)
    if head.startswith(b"PK\x03\x04"):
        digest, _found = _read_through(path, {})
        return FileFacts(path, XLSX, path.stat().st_size, digest, "")
    named = encoding or next((name for bom, name in _BOMS if head.startswith(bom)), "")
    digest, losses = _read_through(path, {} if named else {"utf-8": 0, "gb18030": 0})
    charset = named or min(losses, key=lambda name: losses[name])
    text = head.decode(charset, "replace").lstrip("\ufeff \t\r\n")
    if not text:
        raise HubError("the file is empty")
    if text.startswith("["):
        raise HubError("a JSON list cannot be read as a stream: write one order per line (NDJSON)")
    kind = NDJSON if text.startswith("{") else CSV
    return FileFacts(path, kind, path.stat().st_size, digest, charset, delimiter or _delimiter(text))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64 * 1024)


def _read_through(path: Path, losses: dict[str, int]) -> tuple[str, dict[str, int]]:
    """Return the digest and, for each charset of `losses`, how many characters it cannot read."""
    digest = hashlib.sha256()
    decoders = {name: codecs.getincrementaldecoder(name)("replace") for name in losses}
    found = dict(losses)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            for name, decoder in decoders.items():
                found[name] += decoder.decode(block).count("\ufffd")
    for name, decoder in decoders.items():
        found[name] += decoder.decode(b"", final=True).count("\ufffd")
    return digest.hexdigest(), found


def _delimiter(text: str) -> str:
    """Return the separator that the header line uses most, quoted texts aside."""
    header = _QUOTED.sub("", text.splitlines()[0])
    counts = Counter(char for char in header if char in DELIMITERS)
    return counts.most_common(1)[0][0] if counts else ","
