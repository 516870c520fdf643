"""Where the output of the hub's processes goes: a file each, and to the terminal what a person should see."""

import logging
import threading
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path

import orjson
from django.core.management.base import OutputWrapper

FILE_BYTES = 10_000_000
LOUD_LEVELS = frozenset({"warning", "error", "critical"})


class Output:
    """Takes lines of several processes, also from several threads at once."""

    def __init__(self, folder: Path, terminal: OutputWrapper, *, verbose: bool) -> None:
        self._folder = folder
        self._terminal = terminal
        self._verbose = verbose
        self._files: dict[str, RotatingFileHandler] = {}
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, program: str, line: str) -> None:
        """Write one line of a program to its file, and to the terminal with the program's name before it."""
        shown = line if self._verbose else short(line)
        with self._lock:
            self._file(program).emit(logging.LogRecord(program, logging.INFO, "", 0, line, None, None))
            if shown:
                self._terminal.write(f"{program:>8} | {shown}")

    def _file(self, program: str) -> RotatingFileHandler:
        if program not in self._files:
            path = self._folder / f"{program}.log"
            self._files[program] = RotatingFileHandler(path, maxBytes=FILE_BYTES, backupCount=1, encoding="utf-8")
        return self._files[program]


def short(line: str) -> str:
    """Return what a person should see of a log line: the sentence of a warning or worse, nothing of the rest.

    A line that is not one of our JSON lines is shown as it is: it may be a traceback.
    """
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    if not isinstance(event, Mapping):
        return line
    if event.get("level") not in LOUD_LEVELS:
        return ""
    details = {key: value for key, value in event.items() if key not in {"event", "level", "logger", "timestamp"}}
    return " ".join([f"{event['level']}: {event.get('event', '')}", *(f"{k}={v}" for k, v in details.items())])
