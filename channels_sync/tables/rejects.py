"""The file of refused rows beside an imported file: one JSON object a row, in its place once the run is over."""

from pathlib import Path
from secrets import token_hex
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, Any

import orjson

from orderhub.core.errors import HubError


def place_beside(path: Path) -> Path:
    """Return where the refused rows of a file go unless another place is named."""
    return path.with_name(f"{path.name}.rejects.ndjson")


def check_place(rejects_path: Path) -> None:
    """Raise HubError where a file of refused rows cannot be written."""
    try:
        if rejects_path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        draft_of(rejects_path).close()
    except OSError as error:
        reason = f"the refused rows cannot be written to {rejects_path}: {error.strerror}."
        raise HubError(f"{reason} Name another place with --rejects.") from error


def draft_of(rejects_path: Path) -> IO[bytes]:
    """Return a file without a name, in the folder of the final one: two runs of one file do not write into one, and a
    run that is killed leaves no personal data behind."""
    return TemporaryFile(dir=rejects_path.parent)


def add(rejects: IO[bytes], *, row: int, name: dict[str, str], field: str, reason: str, raw: bytes) -> None:
    """Write one refused row: where it stood, the number or SKU by which it is known, what is wrong, how it came."""
    line = {"row": row, **name, "field": field, "reason": reason, "raw": _readable(raw)}
    rejects.write(orjson.dumps(line) + b"\n")


def publish(rejects: IO[bytes], path: Path) -> None:
    """Put the refused rows in their place in one step; where there are none, take those of an earlier run away."""
    if not rejects.tell():
        path.unlink(missing_ok=True)
        return
    rejects.seek(0)
    part = path.with_name(f".{token_hex(8)}.part")
    try:
        with part.open("wb") as out:
            copyfileobj(rejects, out)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _readable(raw: bytes) -> Any:
    """Return the raw row as JSON where it is JSON, else as text."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw.decode("utf-8", "replace")
